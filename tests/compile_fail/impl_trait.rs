#[unboxed::task]
async fn shows(value: impl std::fmt::Debug) {
    drop(value);
}

fn main() {}
