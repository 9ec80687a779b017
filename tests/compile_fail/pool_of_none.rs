#[unboxed::task(pool = 0)]
async fn none() {}

fn main() {}
