#[unboxed::task(pool = "4")]
async fn text() {}

#[unboxed::task(max_size = 16u8)]
async fn small() {}

fn main() {}
