use unboxed::sync::{Local, Mutex};

fn main() {
    let mutex: Mutex<u32, Local> = Mutex::with_domain(0);
    std::thread::scope(|scope| {
        scope.spawn(|| drop(mutex.try_lock()));
    });
}
