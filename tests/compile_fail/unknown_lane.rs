#[unboxed::task(lane = "urgnt")]
async fn misspelt() {}

#[unboxed::task(lane = urgent)]
async fn without_quotes() {}

#[unboxed::task(lane)]
async fn without_a_value() {}

fn main() {}
