// What a guard gives out must be fit for the thread that it goes to.
use std::cell::Cell;
use std::rc::Rc;
use unboxed::sync::{Mutex, OnceCell, RwLock};

fn main() {
    // The value itself would go along with the right to it.
    let mutex = Mutex::new(Rc::new(0));
    let guard = mutex.try_lock();
    std::thread::scope(|scope| {
        scope.spawn(|| drop(guard));
    });
    // Two readers would use one cell.
    let lock = RwLock::new(Cell::new(0));
    let cell = OnceCell::new();
    let _ = cell.set(Cell::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| lock.try_read().map(|guard| guard.set(1)));
        scope.spawn(|| cell.get().map(|cell: &Cell<u8>| cell.set(1)));
    });
}
