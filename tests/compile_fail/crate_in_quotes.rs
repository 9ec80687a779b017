#[unboxed::task(crate = "unboxed")]
async fn quoted() {}

fn main() {}
