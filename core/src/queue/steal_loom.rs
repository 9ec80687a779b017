//! Models of the ring that others take from: every node comes out once, with what its pusher wrote, whoever takes
//! beside whom.

use super::steal::{Least, StealQueue};
use crate::atomics::{Count, Ordering};
use crate::support_loom::{Plain, explore};
use loom::sync::Arc;
use loom::thread;

type Ring<const N: usize> = StealQueue<Plain, N>;
/// How a thief takes: from the victim, into its own.
type Steal<const N: usize> = fn(&Ring<N>, &Ring<N>) -> usize;
/// How the owner takes.
type Pop<const N: usize> = fn(&Ring<N>) -> Option<*const Plain>;

/// A victim's ring of two or four places, and the nodes.
struct Shared<const N: usize> {
    ring: Ring<N>,
    nodes: [Plain; 6],
}

impl<const N: usize> Shared<N> {
    fn new() -> Arc<Self> {
        Arc::new(Self { ring: Ring::new(), nodes: [0; 6].map(Plain::new) })
    }

    /// The owner's; false when the ring is full.
    fn push(&self, index: usize) -> bool {
        self.nodes[index].set(index as u32 + 1);
        self.ring.push(&self.nodes[index]).is_ok()
    }

    fn pop_all(&self, pop: Pop<N>) -> Vec<u32> {
        std::iter::from_fn(|| pop(&self.ring)).map(value).collect()
    }
}

fn value(node: *const Plain) -> u32 {
    // SAFETY: the nodes outlive the model's threads.
    unsafe { &*node }.get()
}

/// A thread that steals once into a ring of its own, and empties that.
fn thief<const N: usize>(shared: &Arc<Shared<N>>, steal: Steal<N>) -> thread::JoinHandle<Vec<u32>> {
    let shared = shared.clone();
    thread::spawn(move || {
        let mine = Ring::new();
        let came = steal(&mine, &shared.ring);
        let taken: Vec<_> = std::iter::from_fn(|| mine.pop()).map(value).collect();
        assert_eq!(taken.len(), came);
        taken
    })
}

fn all_once(mut taken: Vec<u32>, count: u32) {
    taken.sort_unstable();
    let expected: Vec<_> = (1..=count).collect();
    assert_eq!(taken, expected, "lost, or taken twice");
}

fn steal<const N: usize>(mine: &Ring<N>, victim: &Ring<N>) -> usize {
    mine.steal_from(victim, Least::One)
}

fn two_or_more<const N: usize>(mine: &Ring<N>, victim: &Ring<N>) -> usize {
    mine.steal_from(victim, Least::Two)
}

fn against_pop(steal: Steal<4>, pop: Pop<4>) {
    explore(move || {
        let shared = Shared::<4>::new();
        (0..2).for_each(|node| assert!(shared.push(node)));
        let thief = thief(&shared, steal);
        assert!(shared.push(2));
        let mut taken = shared.pop_all(pop);
        taken.extend(thief.join().unwrap());
        all_once(taken, 3);
    });
}

#[test]
fn a_steal_beside_pops_takes_each_node_once() {
    against_pop(steal, Ring::pop);
}

#[test]
fn a_thief_who_wants_two_takes_no_last_one() {
    against_pop(two_or_more, Ring::pop);
}

/// STEAL-2 broken: the owner believes that the head is its own.
#[test]
#[should_panic(expected = "taken twice")]
fn an_owner_that_pops_by_store_takes_what_was_stolen() {
    against_pop(steal, |ring| {
        let head = ring.head.load(Ordering::Acquire);
        (head != ring.tail.load(Ordering::Relaxed)).then(|| {
            let node = ring.place(head).load(Ordering::Relaxed);
            ring.head.store(head + 1, Ordering::Release);
            node.cast_const()
        })
    });
}

/// A full ring gives half of itself away, and takes new nodes into the same places.
fn against_overflow(steal: Steal<4>) {
    explore(move || {
        let shared = Shared::<4>::new();
        (0..4).for_each(|node| assert!(shared.push(node)));
        let thief = thief(&shared, steal);
        let mut taken = Vec::new();
        for node in 4..6 {
            if !shared.push(node) {
                shared.ring.spill(|node| taken.push(value(node)));
                assert!(shared.push(node), "a ring is full after it gave half away");
            }
        }
        taken.extend(shared.pop_all(Ring::pop));
        taken.extend(thief.join().unwrap());
        all_once(taken, 6);
    });
}

#[test]
fn a_steal_beside_an_overflow_takes_each_node_once() {
    against_overflow(steal);
}

/// STEAL-1 broken: the places are the owner's again as soon as the head has passed them.
#[test]
#[should_panic]
fn a_thief_that_moves_the_head_first_reads_what_came_later() {
    against_overflow(|mine, victim| {
        let head = victim.head.load(Ordering::Acquire);
        let len = victim.tail.load(Ordering::Acquire).wrapping_sub(head);
        let take = len - len / 2;
        if victim.head.compare_exchange(head, head + take, Ordering::AcqRel, Ordering::Relaxed).is_err() {
            return 0;
        }
        move_nodes(mine, victim, head, take)
    });
}

/// Copies places of `victim` behind the tail of `mine`, and shows them.
fn move_nodes<const N: usize>(mine: &Ring<N>, victim: &Ring<N>, head: Count, take: Count) -> usize {
    let tail = mine.tail.load(Ordering::Relaxed);
    for step in 0..take {
        let node = victim.place(head + step).load(Ordering::Relaxed);
        mine.place(tail + step).store(node, Ordering::Relaxed);
    }
    mine.tail.store(tail + take, Ordering::Release);
    take as usize
}

fn two_thieves(steal: Steal<4>) {
    explore(move || {
        let shared = Shared::<4>::new();
        (0..3).for_each(|node| assert!(shared.push(node)));
        let thieves = [thief(&shared, steal), thief(&shared, steal)];
        let mut taken: Vec<_> = Ring::pop(&shared.ring).map(value).into_iter().collect();
        for thief in thieves {
            taken.extend(thief.join().unwrap());
        }
        taken.extend(shared.pop_all(Ring::pop));
        all_once(taken, 3);
    });
}

#[test]
fn two_thieves_and_the_owner_take_each_node_once() {
    two_thieves(steal);
}

#[test]
#[should_panic(expected = "taken twice")]
fn thieves_that_move_the_head_by_store_take_the_same_nodes() {
    two_thieves(|mine, victim| {
        let head = victim.head.load(Ordering::Acquire);
        let len = victim.tail.load(Ordering::Acquire).wrapping_sub(head);
        if len == 0 || len > 4 {
            return 0;
        }
        let take = len - len / 2;
        let came = move_nodes(mine, victim, head, take);
        victim.head.store(head + take, Ordering::Release);
        came
    });
}

/// STEAL-3: the ring goes round between a thief's look and its step.
fn goes_round(steal: Steal<2>) {
    explore(move || {
        let shared = Shared::<2>::new();
        (0..2).for_each(|node| assert!(shared.push(node)));
        let thief = thief(&shared, steal);
        let mut taken = Vec::new();
        for node in 2..6 {
            taken.extend(Ring::pop(&shared.ring).map(value));
            assert!(shared.push(node), "a ring is full after a pop");
        }
        taken.extend(thief.join().unwrap());
        taken.extend(shared.pop_all(Ring::pop));
        all_once(taken, 6);
    });
}

#[test]
fn a_ring_that_goes_round_under_a_thief_loses_nothing() {
    goes_round(steal);
}

#[test]
#[should_panic(expected = "taken twice")]
fn a_head_that_comes_back_to_its_number_gives_a_thief_an_old_place() {
    goes_round(|mine, victim| {
        let head = victim.head.load(Ordering::Acquire);
        let node = victim.place(head).load(Ordering::Relaxed);
        // Two bits of the head, as if it had no more.
        let now = victim.head.load(Ordering::Acquire);
        if now % 4 != head % 4
            || now == victim.tail.load(Ordering::Acquire)
            || victim.head.compare_exchange(now, now + 1, Ordering::AcqRel, Ordering::Relaxed).is_err()
        {
            return 0;
        }
        let tail = mine.tail.load(Ordering::Relaxed);
        mine.place(tail).store(node, Ordering::Relaxed);
        mine.tail.store(tail + 1, Ordering::Release);
        1
    });
}

/// STEAL-4: a ring that holds something takes no more than it has room for.
#[test]
fn a_thief_that_is_not_empty_loses_nothing_of_its_own() {
    explore(|| {
        let shared = Shared::<4>::new();
        (0..3).for_each(|node| assert!(shared.push(node)));
        let mine = Ring::<4>::new();
        let own = [4, 5, 6].map(Plain::new);
        own.iter().for_each(|node| assert!(mine.push(node).is_ok()));
        let came = mine.steal_from(&shared.ring, Least::One);
        assert_eq!(came, 1);
        let mut taken: Vec<_> = std::iter::from_fn(|| mine.pop()).map(value).collect();
        taken.extend(shared.pop_all(Ring::pop));
        all_once(taken, 6);
    });
}
