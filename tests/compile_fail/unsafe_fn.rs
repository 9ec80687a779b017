#[unboxed::task]
async unsafe fn trusts_its_caller() {}

fn main() {}
