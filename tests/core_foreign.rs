//! Bodies that are not Rust, on the scripted loop.

use std::ffi::c_int;
use std::future::Future;
use std::pin::Pin;
use std::ptr::{NonNull, addr_of};
use std::task::{Context, Poll, Waker};
use unboxed::storage::{ForeignBody, TaskTable};
use unboxed_tests::{lab, settle};

#[repr(C)]
struct Pusher {
    body: ForeignBody,
    state: c_int,
    drops: c_int,
    released: c_int,
}

#[repr(C)]
struct Reader {
    body: ForeignBody,
    count: c_int,
    wanted: c_int,
    sum: c_int,
    wrong: c_int,
    released: c_int,
}

#[link(name = "unboxed_c_queue", kind = "static")]
unsafe extern "C" {
    static mut the_pusher: Pusher;
    static mut the_reader: Reader;
}

#[test]
fn two_state_machines_in_c_run_the_notes_queue() {
    static TABLE: TaskTable<2, 0> = TaskTable::new();
    lab!(ex, _script, run, pool = 1, ops = 0);
    let _ = run::memory();
    // SAFETY: the C statics live for ever, and only the executor of this thread touches them while it runs.
    let [pusher, mut reader] = unsafe {
        [&raw mut the_pusher.body, &raw mut the_reader.body]
            .map(|body| ex.enter(|| TABLE.spawn_foreign(NonNull::new(body).unwrap())).unwrap())
    };
    settle(&mut ex);
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(Pin::new(&mut reader).poll(&mut cx), Poll::Ready(Ok(())));
    pusher.abort();
    ex.enter(|| ());
    // A drop that says "not yet" is called again at each later start, and poll never is.
    for _ in 0..5 {
        settle(&mut ex);
        pusher.abort();
    }
    assert!(pusher.is_finished());
    drop((pusher, reader));
    // SAFETY: the tasks have ended.
    unsafe {
        let reader = addr_of!(the_reader).read();
        assert_eq!((reader.count, reader.sum, reader.wrong, reader.released), (3000, 6000, 0, 1));
        let pusher = addr_of!(the_pusher).read();
        assert_eq!((pusher.drops, pusher.released), (3, 1));
    }
    assert_eq!(TABLE.memory().used, 0);
}
