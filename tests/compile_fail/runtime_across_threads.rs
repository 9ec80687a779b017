static CELL: unboxed::rt::RuntimeCell = unboxed::rt::RuntimeCell::new();

fn main() {
    let mut runtime = CELL.start(unboxed::rt::Config::new()).unwrap();
    std::thread::spawn(move || runtime.block_on(async {}));
}
