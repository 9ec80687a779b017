#[unboxed::task]
async fn variadic(format: *const u8, _: ...) {
    let _ = format;
}

fn main() {}
