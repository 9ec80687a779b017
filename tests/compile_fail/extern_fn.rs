#[unboxed::task]
async extern "C" fn from_c() {}

fn main() {}
