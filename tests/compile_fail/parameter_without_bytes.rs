#[unboxed::task]
async fn no_bytes(bytes: unboxed::Bytes<'_>) {
    drop(bytes);
}

fn main() {}
