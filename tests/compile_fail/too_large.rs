#[unboxed::task(max_size = 256)]
async fn large() {
    let array = [0u8; 1024];
    unboxed::yield_now().await;
    drop(array);
}

fn main() {}
