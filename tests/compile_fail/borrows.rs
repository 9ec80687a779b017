#[unboxed::task]
async fn borrows(text: &str) {
    drop(text);
}

fn main() {}
