use unboxed::sync::{Lock, Mutex};

#[unboxed::task]
async fn waits(lock: Lock<'static, u32>) {
    *lock.await += 1;
}

fn main() {
    let mutex = Mutex::new(0);
    // The task may outlive the frame in which the mutex lies.
    let _ = waits::spawn(mutex.lock());
}
