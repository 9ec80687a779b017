//! Models of R7: a task's end takes back every slot, what is still in flight pins the block, and the block
//! may be used again at once.

use super::hold::Hold;
use crate::support_loom::{Plain, explore};
use crate::task::Refs;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use loom::thread;

const FREE: u32 = 0;
const IN_FLIGHT: u32 = 1;
const READY: u32 = 2;
const TAKING: u32 = 3;

/// The two steps, as they are and as they must not be.
trait Handshake: Send + Sync + 'static {
    fn fresh() -> Self;
    fn reset(&self);
    fn pin(&self) -> bool;
    fn let_go(&self) -> bool;
}

impl Handshake for Hold {
    fn fresh() -> Self {
        Self::new()
    }
    fn reset(&self) {
        self.reset();
    }
    fn pin(&self) -> bool {
        self.pin()
    }
    fn let_go(&self) -> bool {
        self.let_go()
    }
}

const PINNED: u8 = 1;
const FREED: u8 = 2;

/// HOLD-1 broken: each step forgets the other one's bit.
struct Swap(AtomicU8);

impl Handshake for Swap {
    fn fresh() -> Self {
        Self(AtomicU8::new(0))
    }
    fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
    fn pin(&self) -> bool {
        self.0.swap(PINNED, Ordering::AcqRel) == FREED
    }
    fn let_go(&self) -> bool {
        self.0.swap(FREED, Ordering::AcqRel) == PINNED
    }
}

/// Looks, and then stores.
struct LoadThenStore(AtomicU8);

impl Handshake for LoadThenStore {
    fn fresh() -> Self {
        Self(AtomicU8::new(0))
    }
    fn reset(&self) {
        self.0.store(0, Ordering::Relaxed);
    }
    fn pin(&self) -> bool {
        let seen = self.0.load(Ordering::Acquire);
        self.0.store(seen | PINNED, Ordering::Release);
        seen & FREED != 0
    }
    fn let_go(&self) -> bool {
        let seen = self.0.load(Ordering::Acquire);
        self.0.store(seen | FREED, Ordering::Release);
        seen & PINNED != 0
    }
}

struct Slot<H> {
    state: AtomicU32,
    hold: H,
}

struct Block<H> {
    refs: Refs,
    slots: [Slot<H>; 2],
    /// What the kernel writes.
    bytes: Plain,
    releases: AtomicU32,
}

impl<H: Handshake> Block<H> {
    fn new(refs: u32, states: [u32; 2]) -> Arc<Self> {
        let block = Self {
            refs: Refs::new(),
            slots: states.map(|state| Slot { state: AtomicU32::new(state), hold: H::fresh() }),
            bytes: Plain::new(0),
            releases: AtomicU32::new(0),
        };
        block.refs.begin(refs);
        Arc::new(block)
    }

    fn unref(&self) -> bool {
        let last = self.refs.drop_one();
        if last {
            self.bytes.set(99);
            self.releases.fetch_add(1, Ordering::Relaxed);
        }
        last
    }

    /// `Worker::let_go`.
    fn let_go(&self, slot: usize) {
        let slot = &self.slots[slot];
        let pinned = slot.hold.let_go();
        slot.state.store(FREE, Ordering::Release);
        if pinned {
            self.unref();
        }
    }

    /// HOLD-2 broken: FREE first.
    fn let_go_late(&self, slot: usize) {
        let slot = &self.slots[slot];
        slot.state.store(FREE, Ordering::Release);
        if slot.hold.let_go() {
            self.unref();
        }
    }

    /// The runner's end, up to its own reference: `take_back_slots`.
    fn take_back(&self) {
        let taken = self.slots.iter().filter(|s| s.state.load(Ordering::Acquire) != FREE).count();
        if taken == 0 {
            return;
        }
        self.refs.add(taken as u32);
        let pinned = (0..2).filter(|&slot| self.pins(slot)).count();
        self.refs.drop_excess((taken - pinned) as u32);
    }

    /// The same with the references added afterwards.
    fn take_back_late(&self) {
        let pinned = (0..2).filter(|&slot| self.pins(slot)).count();
        self.refs.add(pinned as u32);
    }

    fn pins(&self, index: usize) -> bool {
        let slot = &self.slots[index];
        match slot.state.load(Ordering::Acquire) {
            FREE => return false,
            READY if claim(slot) => {
                self.let_go(index);
                return false;
            }
            _ => {}
        }
        !slot.hold.pin()
    }

    fn releases(&self) -> u32 {
        self.releases.load(Ordering::Relaxed)
    }
}

fn claim<H>(slot: &Slot<H>) -> bool {
    slot.state.compare_exchange(READY, TAKING, Ordering::AcqRel, Ordering::Acquire).is_ok()
}

/// The kernel writes its last byte into the block, and the orphan is let go.
fn terminal<H: Handshake>(block: &Block<H>, slot: usize) {
    block.bytes.set(1);
    block.let_go(slot);
}

/// One slot in flight; a second one READY, which a holder elsewhere may take; a join handle.
fn ending<H: Handshake>(take_back: fn(&Block<H>)) {
    explore(move || {
        let block = Block::<H>::new(2, [IN_FLIGHT, READY]);
        let kernel = {
            let block = block.clone();
            thread::spawn(move || terminal(&block, 0))
        };
        let holder = {
            let block = block.clone();
            thread::spawn(move || {
                if claim(&block.slots[1]) {
                    block.let_go(1);
                }
                block.unref();
            })
        };
        take_back(&block);
        block.unref();
        kernel.join().unwrap();
        holder.join().unwrap();
        assert_eq!(block.releases(), 1, "releases");
        assert_eq!(block.refs.count(), 0);
    });
}

#[test]
fn a_block_with_operations_in_flight_is_released_once_after_the_last() {
    ending::<Hold>(Block::take_back);
}

#[test]
#[should_panic]
fn references_added_after_the_marking_come_too_late() {
    ending::<Hold>(Block::take_back_late);
}

#[test]
#[should_panic]
fn a_hold_by_load_and_store_leaks_or_releases_twice() {
    ending::<LoadThenStore>(Block::take_back);
}

#[test]
#[should_panic]
fn without_the_handshake_the_kernel_writes_into_a_released_block() {
    explore(|| {
        let block = Block::<Hold>::new(1, [IN_FLIGHT, FREE]);
        let kernel = {
            let block = block.clone();
            thread::spawn(move || terminal(&block, 0))
        };
        block.unref();
        kernel.join().unwrap();
    });
}

/// HOLD-1: the block is used again, and its next task ends, while the loop has not yet stored FREE.
fn two_endings<H: Handshake>() {
    explore(|| {
        let block = Block::<H>::new(1, [IN_FLIGHT, FREE]);
        let kernel = {
            let block = block.clone();
            thread::spawn(move || terminal(&block, 0))
        };
        block.take_back();
        let mut endings = 1;
        if block.unref() {
            endings = 2;
            block.refs.begin(1);
            block.take_back();
            block.unref();
        }
        kernel.join().unwrap();
        assert_eq!(block.releases(), endings, "a block is pinned for ever");
        assert_eq!(block.refs.count(), 0);
    });
}

#[test]
fn a_second_ending_before_the_slot_is_free_counts_its_reference_as_excess() {
    two_endings::<Hold>();
}

#[test]
#[should_panic(expected = "pinned for ever")]
fn a_hold_by_swap_pins_the_second_ending_for_ever() {
    two_endings::<Swap>();
}

/// HOLD-2: the next operation begins in the slot as soon as it is FREE, and its task ends with it in
/// flight.
fn next_activation(let_go: fn(&Block<Hold>, usize)) {
    explore(move || {
        let block = Block::<Hold>::new(1, [TAKING, FREE]);
        let from_before = {
            let block = block.clone();
            thread::spawn(move || let_go(&block, 0))
        };
        let slot = &block.slots[0];
        let begun = slot.state.load(Ordering::Acquire) == FREE;
        if begun {
            slot.hold.reset();
            slot.state.store(IN_FLIGHT, Ordering::Relaxed);
        }
        block.take_back();
        block.unref();
        from_before.join().unwrap();
        if begun {
            assert_eq!(block.releases(), 0, "released while the kernel has its bytes");
            terminal(&block, 0);
        }
        assert_eq!(block.releases(), 1, "releases");
    });
}

#[test]
fn freed_never_lands_in_the_next_activation() {
    next_activation(Block::let_go);
}

#[test]
#[should_panic]
fn free_stored_before_freed_releases_the_next_activations_block() {
    next_activation(Block::let_go_late);
}
