static KEPT: std::sync::Mutex<Option<unboxed::Bytes<'static>>> = std::sync::Mutex::new(None);

#[unboxed::task(bytes = 64)]
async fn escapes(bytes: unboxed::Bytes<'_>) {
    *KEPT.lock().unwrap() = Some(bytes);
}

fn main() {}
