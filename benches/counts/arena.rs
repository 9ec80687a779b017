//! Tasks whose bodies lie in an arena, a slab.

use super::{BATCH, CALLS};
use std::future::Future;
use unboxed::rt::Runtime;
use unboxed::storage::{Slab, TaskTable};

static TABLE: TaskTable<BATCH, 0> = TaskTable::new();
static ROOMS: Slab<192, BATCH> = Slab::new();

/// Its output is of another type than that of `identity`, so that the compiler sees that one's join alone.
fn body(value: u32) -> impl Future<Output = u64> + Send {
    let words = [u64::from(value); 8];
    async move { words[value as usize % 8] }
}

/// Spawn, run and join, 32 at a time.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_arena(runtime: &mut Runtime) {
    runtime.block_on(async {
        for value in 0..CALLS / BATCH as u32 {
            let handles: [_; BATCH] =
                std::array::from_fn(|_| TABLE.spawn(&ROOMS, body(value)).expect("room"));
            for handle in handles {
                assert_eq!(handle.await, Ok(u64::from(value)));
            }
        }
    });
}

/// The same, one at a time.
#[inline(never)]
#[unsafe(no_mangle)]
extern "Rust" fn count_lone(runtime: &mut Runtime) {
    runtime.block_on(async {
        for value in 0..CALLS {
            assert_eq!(TABLE.spawn(&ROOMS, body(value)).expect("room").await, Ok(u64::from(value)));
        }
    });
}

pub fn count_all(runtime: &mut Runtime) {
    count_arena(runtime);
    count_lone(runtime);
}
