#[unboxed::main]
fn not_async() {}

#[unboxed::main]
async fn with_arguments(count: usize) {
    let _ = count;
}

#[unboxed::main]
async fn generic<T>() {}

#[unboxed::main]
async unsafe fn trusting() {}

#[unboxed::main(thread = 4)]
async fn unknown_option() {}

fn main() {}
