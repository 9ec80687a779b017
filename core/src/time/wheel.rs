//! A hierarchical timing wheel over slots (G. Varghese, T. Lauck, "Hashed and hierarchical timing wheels",
//! SOSP 1987): nine levels of 64 places, enough for every moment, a tick of 2^14 ns; insert and remove in constant time.
//!
//! WHEEL-1: a timer in the wheel is IN_FLIGHT and linked by its `link` (forward) and its body's `back`;
//! `place` says in which list. Only the worker's thread touches it. WHEEL-2: a timer lies at the level of
//! the highest bit group in which its tick differs from `now`; crossing into a group moves its timers down.

use crate::exec::{Worker, count};
use crate::op::{Slot, SlotBody, TimerBody};
use core::cell::Cell;
use core::ptr;

const TICK_BITS: u32 = 14;
const GROUP_BITS: u32 = 6;
const PLACES: usize = 1 << GROUP_BITS;
const LEVELS: usize = 9;

#[derive(Debug)]
pub(crate) struct Wheel {
    now: Cell<u64>,
    occupied: [Cell<u64>; LEVELS],
    heads: [[Cell<*const Slot>; PLACES]; LEVELS],
    len: Cell<u32>,
}

/// The first tick that is not before a moment.
fn tick_up(ns: u64) -> u64 {
    ns.div_ceil(1 << TICK_BITS)
}

fn timer(slot: &Slot) -> TimerBody {
    // SAFETY: WHEEL-1: the slot is a timer, touched by the worker's thread alone.
    unsafe { (*slot.body.get()).assume_init_ref().timer }
}

fn set_timer(slot: &Slot, timer: TimerBody) {
    // SAFETY: WHEEL-1.
    unsafe { (*slot.body.get()).write(SlotBody { timer }) };
}

fn set_back(slot: &Slot, back: *const Slot) {
    set_timer(slot, TimerBody { back, ..timer(slot) });
}

impl Wheel {
    pub const fn new() -> Self {
        Self {
            now: Cell::new(0),
            occupied: [const { Cell::new(0) }; LEVELS],
            heads: [const { [const { Cell::new(ptr::null()) }; PLACES] }; LEVELS],
            len: Cell::new(0),
        }
    }

    /// Sets the clock of an empty wheel.
    pub fn start(&self, now_ns: u64) {
        debug_assert_eq!(self.len.get(), 0);
        self.now.set(now_ns >> TICK_BITS);
    }

    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len.get() == 0
    }

    /// Adds a timer; one that is due already fires at the next [`fire`](Self::fire).
    pub fn insert(&self, slot: &'static Slot, deadline_ns: u64) {
        let deadline = tick_up(deadline_ns).max(self.now.get() + 1);
        set_timer(slot, TimerBody { deadline, back: ptr::null(), place: 0 });
        self.len.set(self.len.get() + 1);
        self.link(slot);
    }

    fn link(&self, slot: &'static Slot) {
        let tick = timer(slot).deadline;
        let differs = tick ^ self.now.get();
        let level = (63 - (differs | 1).leading_zeros()) as usize / GROUP_BITS as usize;
        let level = level.min(LEVELS - 1);
        let place = (tick >> (GROUP_BITS as usize * level)) as usize % PLACES;
        let head = &self.heads[level][place];
        let first = head.replace(slot);
        slot.link.set(first);
        let place_number = (level * PLACES + place) as u16;
        set_timer(slot, TimerBody { deadline: tick, back: ptr::null(), place: place_number });
        // SAFETY: SLOT-3.
        if let Some(first) = unsafe { first.as_ref() } {
            set_back(first, slot);
        }
        let bits = &self.occupied[level];
        bits.set(bits.get() | 1 << place);
    }

    /// Takes a timer out.
    pub fn remove(&self, slot: &'static Slot) {
        self.len.set(self.len.get() - 1);
        let TimerBody { back, place, .. } = timer(slot);
        let (level, place) = (place as usize / PLACES, place as usize % PLACES);
        let next = slot.link.replace(ptr::null());
        // SAFETY: SLOT-3.
        if let Some(next) = unsafe { next.as_ref() } {
            set_back(next, back);
        }
        // SAFETY: SLOT-3.
        match unsafe { back.as_ref() } {
            Some(back) => back.link.set(next),
            None => {
                self.heads[level][place].set(next);
                if next.is_null() {
                    let bits = &self.occupied[level];
                    bits.set(bits.get() & !(1 << place));
                }
            }
        }
    }

    /// The moment at which something is to be done: a timer, or a group to move down. Not after the first
    /// timer.
    pub fn next_deadline(&self) -> Option<u64> {
        if self.is_empty() {
            return None;
        }
        let tick = self.next_tick()?;
        Some(tick.saturating_mul(1 << TICK_BITS))
    }

    fn next_tick(&self) -> Option<u64> {
        let now = self.now.get();
        (0..LEVELS).find_map(|level| {
            let bits = self.occupied[level].get();
            let shift = GROUP_BITS as usize * level;
            let here = (now >> shift) as u32 % PLACES as u32;
            (bits != 0).then(|| {
                let ahead = u64::from(bits.rotate_right(here).trailing_zeros());
                ((now >> shift) + ahead) << shift
            })
        })
    }

    /// Fires what is due. `fired` answers whether it can take another one.
    pub fn fire(&self, now_ns: u64, mut fired: impl FnMut(&'static Slot) -> bool) {
        let end = now_ns >> TICK_BITS;
        while let Some(tick) = self.next_tick().filter(|&tick| tick <= end) {
            if !self.turn_to(tick, &mut fired) {
                return;
            }
        }
        self.now.set(self.now.get().max(end));
    }

    /// Moves the clock to `tick`, the next one that holds something.
    fn turn_to(&self, tick: u64, fired: &mut impl FnMut(&'static Slot) -> bool) -> bool {
        self.now.set(tick);
        for level in (1..LEVELS).rev() {
            let shift = GROUP_BITS as usize * level;
            if tick & ((1 << shift) - 1) == 0 {
                self.move_down(level, (tick >> shift) as usize % PLACES);
            }
        }
        let head = &self.heads[0][tick as usize % PLACES];
        // SAFETY: SLOT-3.
        while let Some(slot) = unsafe { head.get().as_ref() } {
            self.remove(slot);
            if !fired(slot) {
                return false;
            }
        }
        true
    }

    fn move_down(&self, level: usize, place: usize) {
        let mut at = self.heads[level][place].replace(ptr::null());
        let bits = &self.occupied[level];
        bits.set(bits.get() & !(1 << place));
        // SAFETY: SLOT-3.
        while let Some(slot) = unsafe { at.as_ref() } {
            at = slot.link.get();
            self.link(slot);
        }
    }
}

impl Worker {
    /// A timer's slot goes onto the wheel.
    pub(crate) fn begin_timer(&self, slot: &'static Slot, deadline_ns: u64) {
        self.in_flight.set(self.in_flight.get() + 1);
        count(&self.stats.submitted);
        let now = self.event_loop().now();
        if self.wheel.is_empty() {
            self.wheel.start(now);
        }
        self.wheel.insert(slot, deadline_ns);
    }
}
