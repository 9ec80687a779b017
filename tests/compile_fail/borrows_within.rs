#[unboxed::task]
async fn a_lifetime(text: std::borrow::Cow<'_, str>) {
    drop(text);
}

#[unboxed::task]
async fn deep(texts: Vec<(u8, &str)>) {
    drop(texts);
}

#[unboxed::task]
async fn an_object(shown: Box<dyn std::fmt::Debug + '_>) {
    drop(shown);
}

fn main() {}
