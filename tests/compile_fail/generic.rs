#[unboxed::task]
async fn generic<T: Send + 'static>(value: T) {
    drop(value);
}

fn main() {}
