#[unboxed::task]
async fn unnamed() -> impl std::fmt::Debug {
    1
}

fn main() {}
