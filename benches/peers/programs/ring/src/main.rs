//! The bare loop on the `io-uring` crate: no tasks, no wakers. What any runtime on a ring can at best do.

mod echo;
mod files;
mod nops;

use io_uring::IoUring;

/// The setup flags that suit one thread best, as the runtimes on a ring have them too.
fn ring() -> IoUring {
    let mut builder = IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_no_sqarray();
    builder.build(1024).expect("a ring")
}

fn main() {
    peer_support::run(&[
        ("nop-1", |work| nops::at_once(work, 1)),
        ("nop-32", |work| nops::at_once(work, 32)),
        ("nop-128", |work| nops::at_once(work, 128)),
        ("file-reads", files::file_reads),
        ("echo", |work| echo::serve(work.number("buffer") as usize)),
        ("idle", |_| echo::serve(64)),
    ]);
}
