#[unboxed::task(bytes = 64)]
async fn without_a_lifetime(bytes: unboxed::Bytes) {
    drop(bytes);
}

fn main() {}
