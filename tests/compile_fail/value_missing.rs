#[unboxed::task(pool)]
async fn how_many() {}

#[unboxed::task(local = true)]
async fn a_flag() {}

#[unboxed::task(pool = 1, pool = 2)]
async fn which() {}

fn main() {}
