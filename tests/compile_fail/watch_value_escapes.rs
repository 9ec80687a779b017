use unboxed::channel::Watch;

fn main() {
    let watch = Watch::new(String::new());
    // A later value takes the place of the one that is read.
    let seen: &str = watch.read(|text| text.as_str());
    println!("{seen}");
}
