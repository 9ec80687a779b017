#[unboxed::task(bytes = 64)]
async fn no_parameter() {}

fn main() {}
