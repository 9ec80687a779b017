#[unboxed::task]
async fn gives_a_borrow(text: &'static str) -> &str {
    text
}

fn main() {}
