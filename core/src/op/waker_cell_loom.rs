//! Models of the waker cell: nothing lost, nothing twice, and what it is not.

use super::waker_cell::WakerCell;
use crate::support_loom::{Plain, explore};
use core::task::Waker;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use loom::thread;
use std::task::Wake;

/// Counts what is left of its wakers by its references.
struct Counted;

impl Wake for Counted {
    fn wake(self: std::sync::Arc<Self>) {}
}

fn wakers() -> (std::sync::Arc<Counted>, Waker) {
    let counted = std::sync::Arc::new(Counted);
    (counted.clone(), Waker::from(counted))
}

#[test]
fn every_waker_comes_out_once() {
    explore(|| {
        let cell = Arc::new(WakerCell::new());
        let (counted, waker) = wakers();
        let putters = [waker.clone(), waker].map(|waker| {
            let cell = cell.clone();
            thread::spawn(move || u32::from(cell.put(waker).is_some()))
        });
        let taken = u32::from(cell.take().is_some());
        let replaced: u32 = putters.map(|p| p.join().unwrap()).iter().sum();
        let left = u32::from(cell.take().is_some());
        assert_eq!(replaced + taken + left, 2);
        assert!(cell.take().is_none());
        assert_eq!(std::sync::Arc::strong_count(&counted), 1, "a waker leaked");
    });
}

#[test]
fn of_two_takers_one_gets_it() {
    explore(|| {
        let cell = Arc::new(WakerCell::new());
        let (counted, waker) = wakers();
        assert!(cell.put(waker).is_none());
        let other = {
            let cell = cell.clone();
            thread::spawn(move || u32::from(cell.take().is_some()))
        };
        let own = u32::from(cell.take().is_some());
        assert_eq!(own + other.join().unwrap(), 1);
        assert_eq!(std::sync::Arc::strong_count(&counted), 1);
    });
}

/// CELL-1 broken: BUSY set by a look and a store.
#[test]
#[should_panic(expected = "Causality violation")]
fn a_cell_locked_by_load_and_store_has_two_writers() {
    const BUSY: u8 = 2;
    explore(|| {
        let cell = Arc::new((AtomicU8::new(0), Plain::new(0)));
        let put = |(state, waker): &(AtomicU8, Plain), number| {
            while state.load(Ordering::Acquire) == BUSY {
                thread::yield_now();
            }
            state.store(BUSY, Ordering::Release);
            waker.set(number);
            state.store(1, Ordering::Release);
        };
        let other = {
            let cell = cell.clone();
            thread::spawn(move || put(&cell, 1))
        };
        put(&cell, 2);
        other.join().unwrap();
    });
}

/// A holder elsewhere leaves its waker and a message; whoever takes the message finds the waker.
#[test]
fn a_waker_left_before_a_message_is_found_after_it() {
    explore(|| {
        let cell = Arc::new((WakerCell::new(), AtomicU32::new(0)));
        let holder = {
            let cell = cell.clone();
            thread::spawn(move || {
                let (_, waker) = wakers();
                drop(cell.0.put(waker));
                cell.1.fetch_or(1, Ordering::AcqRel);
            })
        };
        if cell.1.swap(0, Ordering::AcqRel) != 0 {
            assert!(cell.0.take().is_some(), "the message came without its waker");
        }
        holder.join().unwrap();
        drop(cell.0.take());
    });
}

/// Not an `AtomicWaker`: beside a plain flag both sides may look too early. The flag must be a message,
/// or lie under a lock.
#[test]
#[should_panic(expected = "lost wake")]
fn a_waker_beside_a_plain_flag_is_lost() {
    explore(|| {
        let cell = Arc::new((WakerCell::new(), AtomicU32::new(0)));
        let holder = {
            let cell = cell.clone();
            thread::spawn(move || {
                let (_, waker) = wakers();
                drop(cell.0.put(waker));
                cell.1.load(Ordering::Acquire) != 0
            })
        };
        cell.1.store(1, Ordering::Release);
        let woken = cell.0.take().is_some();
        let seen = holder.join().unwrap();
        drop(cell.0.take());
        assert!(seen || woken, "lost wake");
    });
}
