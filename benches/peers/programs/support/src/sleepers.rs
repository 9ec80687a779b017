//! Tasks of one thread that sleep: how many have begun, and how many are gone.

use std::cell::Cell;
use std::rc::Rc;

/// Both counts. A cancelled task is gone when its future is, not when whoever cancelled it goes on.
#[derive(Debug, Default)]
pub struct Sleepers {
    begun: Cell<u64>,
    gone: Cell<u64>,
}

/// One of them. It lies in the task's future, and is gone with it.
#[derive(Debug)]
pub struct Sleeper(Rc<Sleepers>);

impl Sleepers {
    pub fn begin(self: Rc<Self>) -> Sleeper {
        self.begun.set(self.begun.get() + 1);
        Sleeper(self)
    }

    pub fn begun(&self) -> u64 {
        self.begun.get()
    }

    pub fn gone(&self) -> u64 {
        self.gone.get()
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        self.0.gone.set(self.0.gone.get() + 1);
    }
}
