#[unboxed::task(bytes = 64)]
async fn names_the_token(bytes: unboxed::Bytes<'_>) {
    drop(bytes);
    drop(token);
}

fn main() {}
