#[unboxed::task(bytes = 64)]
async fn swapped(bytes: unboxed::Bytes<'_>, count: usize) {
    let _ = (bytes, count);
}

fn main() {}
