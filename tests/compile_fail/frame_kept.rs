use unboxed::recursion::Frames;

async fn twice(mut frames: Frames<'_>) {
    let first = frames.call(|_| async {});
    // The first frame lies where the second would.
    let second = frames.call(|_| async {});
    let _ = (first.await, second.await);
}

fn main() {}
