#[unboxed::task]
async fn sometimes(#[cfg(unix)] count: usize) {
    let _ = count;
}

fn main() {}
