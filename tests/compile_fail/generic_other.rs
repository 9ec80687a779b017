#[unboxed::task]
async fn of_a_lifetime<'a>(text: &'a str) {
    let _ = text;
}

#[unboxed::task]
async fn of_a_number<const N: usize>(array: [u8; N]) {
    let _ = array;
}

fn main() {}
