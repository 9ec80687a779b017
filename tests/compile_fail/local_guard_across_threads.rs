use unboxed::sync::{Local, Mutex};

#[unboxed::task]
async fn holds_a_local_guard(mutex: &'static std::thread::LocalKey<&'static Mutex<u32, Local>>) {
    let mutex: &'static Mutex<u32, Local> = mutex.with(|mutex| *mutex);
    let guard = mutex.lock().await;
    unboxed::yield_now().await;
    drop(guard);
}

fn main() {}
