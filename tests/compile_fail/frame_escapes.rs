use std::future::Future;
use unboxed::recursion::{FrameStack, Frames};

static STACK: FrameStack<1024> = FrameStack::new();

// A call is over before its level is.
fn call_returned() -> impl Future<Output = ()> {
    let mut frames = STACK.frames().unwrap();
    let call = frames.call(|_| async {});
    async move {
        let _ = call.await;
    }
}

// The room above a frame is its own only.
async fn room_kept(mut frames: Frames<'_>) {
    let mut kept = None;
    let _ = frames
        .call(|above| {
            kept = Some(above);
            async {}
        })
        .await;
    let _ = frames.call(|_| async {}).await;
    drop(kept);
}

// A frame's output does not borrow from a level that ends.
async fn borrow_returned(mut frames: Frames<'_>) -> Option<&str> {
    let text = String::from("a local");
    frames.call(|_| async { text.as_str() }).await.ok()
}

fn main() {}
