use unboxed::sync::{Blocking, Mutex};

static TOTAL: Mutex<u32> = Mutex::new(0);

fn main() {
    *TOTAL.lock().blocking() += 1;
}
