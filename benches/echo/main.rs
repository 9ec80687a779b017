//! `cargo bench -p unboxed-benches --bench echo`: an echo of 64 bytes against a bare loop over the `io-uring` crate.

// `calls` enters the system and reads the time stamp counter in the words of this processor.
#[cfg(target_arch = "x86_64")]
mod bare;
#[cfg(target_arch = "x86_64")]
mod calls;
#[cfg(target_arch = "x86_64")]
mod compare;

fn main() {
    #[cfg(target_arch = "x86_64")]
    compare::main();
    #[cfg(not(target_arch = "x86_64"))]
    println!("skipped: it counts the servers' system calls on x86-64 only");
}
