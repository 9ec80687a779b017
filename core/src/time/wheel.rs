//! A hierarchical timing wheel over slots (G. Varghese, T. Lauck, "Hashed and hierarchical timing wheels",
//! SOSP 1987): eight levels, enough for every moment, and a tick of 2^14 ns; insert and remove in constant time.
//! The two lowest levels have 256 places, so that a timer of up to a second moves down once, and one of a minute
//! twice: with many timers each move is a miss of the caches. Timers of one tick fire in no particular order.
//!
//! WHEEL-1: a timer in the wheel is IN_FLIGHT and linked by its `link` (forward) and its body's `back`, which the first
//! of a list has not kept up; `place` says in which list. Only the worker's thread touches it. WHEEL-2: a timer lies
//! at the level of the highest bit group in which its tick differs from `now`; crossing into a group moves its timers
//! down. So in each level no place before that of `now` is occupied.

use crate::ahead;
use crate::exec::{Worker, count};
use crate::op::{Slot, SlotBody, TimerBody};
use core::cell::Cell;
use core::ptr;

const TICK_BITS: u32 = 14;
const LEVELS: usize = 8;
/// Where a level's group of bits begins in a tick; behind the last, where all end.
const SHIFTS: [u32; LEVELS + 1] = [0, 8, 16, 22, 28, 34, 40, 46, 52];
const PLACES: usize = BASES[LEVELS];
const WORDS: usize = PLACES / 64;
/// The first place of each level.
const BASES: [usize; LEVELS + 1] = {
    let mut bases = [0; LEVELS + 1];
    let mut level = 0;
    while level < LEVELS {
        bases[level + 1] = bases[level] + (1 << (SHIFTS[level + 1] - SHIFTS[level]));
        level += 1;
    }
    bases
};
/// The level of the highest bit in which a tick differs from `now`.
const LEVEL_OF_BIT: [u8; 64] = {
    let mut levels = [0; 64];
    let (mut bit, mut level) = (0, 0);
    while bit < 64 {
        if level + 1 < LEVELS && bit as u32 >= SHIFTS[level + 1] {
            level += 1;
        }
        levels[bit] = level as u8;
        bit += 1;
    }
    levels
};

const _: () = assert!(tick_up(u64::MAX) >> SHIFTS[LEVELS] == 0, "every moment has a place");

#[derive(Debug)]
pub(crate) struct Wheel {
    now: Cell<u64>,
    len: Cell<u32>,
    /// A bit for each place with a timer.
    occupied: [Cell<u64>; WORDS],
    heads: [Cell<*const Slot>; PLACES],
}

/// The first tick that is not before a moment.
const fn tick_up(ns: u64) -> u64 {
    ns.div_ceil(1 << TICK_BITS)
}

fn timer(slot: &Slot) -> *mut TimerBody {
    slot.body.get().cast::<TimerBody>()
}

/// The place of a tick in a level.
#[inline]
fn place_of(level: usize, tick: u64) -> usize {
    let places = BASES[level + 1] - BASES[level];
    BASES[level] + ((tick >> SHIFTS[level]) as usize & (places - 1))
}

/// Asks for what a walk along a list looks at.
#[inline]
fn fetch_ahead(slot: *const Slot) {
    ahead::fetch(slot);
    ahead::fetch(slot.wrapping_byte_add(64));
}

impl Wheel {
    pub const fn new() -> Self {
        Self {
            now: Cell::new(0),
            len: Cell::new(0),
            occupied: [const { Cell::new(0) }; WORDS],
            heads: [const { Cell::new(ptr::null()) }; PLACES],
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
    #[inline]
    pub fn insert(&self, slot: &'static Slot, deadline_ns: u64) {
        let deadline = tick_up(deadline_ns).max(self.now.get() + 1);
        // SAFETY: WHEEL-1, from here on.
        unsafe { (*slot.body.get()).write(SlotBody { timer: TimerBody { deadline, ..TimerBody::NEW } }) };
        self.len.set(self.len.get() + 1);
        self.link(slot, deadline);
    }

    #[inline]
    fn link(&self, slot: &'static Slot, tick: u64) {
        let differs = tick ^ self.now.get();
        let level = LEVEL_OF_BIT[(63 - (differs | 1).leading_zeros()) as usize] as usize;
        let place = place_of(level, tick);
        let first = self.heads[place].replace(slot);
        slot.link.set(first);
        // SAFETY: WHEEL-1, both are timers.
        unsafe {
            (*timer(slot)).place = place as u16;
            if let Some(first) = first.as_ref() {
                (*timer(first)).back = slot;
            }
        }
        let word = &self.occupied[place / 64];
        word.set(word.get() | 1 << (place % 64));
    }

    /// Takes a timer out.
    pub fn remove(&self, slot: &'static Slot) {
        self.len.set(self.len.get() - 1);
        // SAFETY: WHEEL-1.
        let TimerBody { back, place, .. } = unsafe { *timer(slot) };
        let next = slot.link.get();
        if ptr::eq(self.heads[place as usize].get(), slot) {
            return self.set_head(place as usize, next);
        }
        // SAFETY: WHEEL-1: neither the slot nor what follows it is the first of its list.
        unsafe {
            (*back).link.set(next);
            if let Some(next) = next.as_ref() {
                (*timer(next)).back = back;
            }
        }
    }

    /// What is left of a list after its first ones.
    #[inline]
    fn set_head(&self, place: usize, head: *const Slot) {
        self.heads[place].set(head);
        if head.is_null() {
            let word = &self.occupied[place / 64];
            word.set(word.get() & !(1 << (place % 64)));
        }
    }

    /// The moment at which something is to be done: a timer, or a group to move down. Not after the first
    /// timer.
    #[inline]
    pub fn next_deadline(&self) -> Option<u64> {
        if self.is_empty() { None } else { self.next_deadline_of_some() }
    }

    /// Not inlined, like [`fire`](Self::fire): a turn without timers does not make room for them.
    #[inline(never)]
    fn next_deadline_of_some(&self) -> Option<u64> {
        self.next_tick().map(|tick| tick.saturating_mul(1 << TICK_BITS))
    }

    #[inline]
    fn next_tick(&self) -> Option<u64> {
        let now = self.now.get();
        (0..LEVELS).find_map(|level| {
            let (shift, group_end) = (SHIFTS[level], SHIFTS[level + 1]);
            let place = self.first_from(place_of(level, now), BASES[level + 1])?;
            Some(now >> group_end << group_end | ((place - BASES[level]) as u64) << shift)
        })
    }

    /// The first occupied place from `place` on and before `end`, where a level ends.
    #[inline]
    fn first_from(&self, place: usize, end: usize) -> Option<usize> {
        let mut bits = self.occupied[place / 64].get() & u64::MAX << (place % 64);
        let mut word = place / 64;
        while bits == 0 {
            word += 1;
            if word * 64 == end {
                return None;
            }
            bits = self.occupied[word].get();
        }
        Some(word * 64 + bits.trailing_zeros() as usize)
    }

    /// Fires what is due. `fired` answers whether it can take another one.
    #[inline(never)]
    pub fn fire(&self, now_ns: u64, mut fired: impl FnMut(&'static Slot) -> bool) {
        let end = now_ns >> TICK_BITS;
        while let Some(tick) = self.next_tick().filter(|&tick| tick <= end) {
            self.turn_to(tick);
            if !self.fire_place(place_of(0, tick), &mut fired) {
                return;
            }
        }
        self.now.set(self.now.get().max(end));
    }

    /// Fires one list of the lowest level, as far as they are taken.
    #[inline]
    fn fire_place(&self, place: usize, fired: &mut impl FnMut(&'static Slot) -> bool) -> bool {
        // SAFETY: SLOT-3.
        while let Some(slot) = unsafe { self.heads[place].get().as_ref() } {
            let next = slot.link.get();
            ahead::fetch(next);
            self.set_head(place, next);
            self.len.set(self.len.get() - 1);
            if !fired(slot) {
                return false;
            }
        }
        true
    }

    /// Moves the clock to `tick`, the next one that holds something, and down what lies in the groups that begin there.
    #[inline]
    fn turn_to(&self, tick: u64) {
        self.now.set(tick);
        let begins = |level: &usize| tick & ((1 << SHIFTS[*level]) - 1) == 0;
        for level in (1..LEVELS).take_while(begins) {
            self.move_down(place_of(level, tick));
        }
    }

    fn move_down(&self, place: usize) {
        let mut at = self.heads[place].get();
        self.set_head(place, ptr::null());
        // SAFETY: SLOT-3.
        while let Some(slot) = unsafe { at.as_ref() } {
            at = slot.link.get();
            fetch_ahead(at);
            // SAFETY: WHEEL-1.
            self.link(slot, unsafe { (*timer(slot)).deadline });
        }
    }
}

impl Worker {
    /// A timer's slot goes onto the wheel; `now_ns` was read just before.
    #[inline]
    pub(crate) fn begin_timer(&self, slot: &'static Slot, now_ns: u64, deadline_ns: u64) {
        self.in_flight.set(self.in_flight.get() + 1);
        count(&self.stats.submitted);
        self.timer_queued(slot);
        if self.wheel.is_empty() {
            self.wheel.start(now_ns);
        }
        self.wheel.insert(slot, deadline_ns);
    }
}
