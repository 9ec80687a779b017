#[unboxed::task(pol = 4)]
async fn misspelt() {}

fn main() {}
