#[unboxed::task(ops = 65)]
async fn greedy() {}

fn main() {}
