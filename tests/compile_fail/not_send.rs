#[unboxed::task]
async fn holds_an_rc(value: std::rc::Rc<u8>) {
    unboxed::yield_now().await;
    drop(value);
}

fn main() {}
