#[unboxed::task]
fn not_async() {}

fn main() {}
