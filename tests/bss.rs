//! A pool is in `.bss`: it takes no place in the program's file, and no page before it is used.

use std::fs;
use unboxed::blocking::CpuPool;
use unboxed::buf::BufPool;
use unboxed::rt::RuntimeCell;
use unboxed::storage::{Bump, Slab, TaskTable};

/// A task with much memory.
#[unboxed::task(pool = 1000, ops = 4, bytes = 4096)]
async fn large(mut bytes: unboxed::Bytes<'_>) {
    bytes.fill(1);
}

fn word(file: &[u8], at: usize) -> usize {
    usize::from_le_bytes(file[at..at + 8].try_into().unwrap())
}

fn half(file: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes(file[at..at + 2].try_into().unwrap()))
}

/// The address and size of the section, from the ELF64 section headers.
fn section(file: &[u8], name: &str) -> (usize, usize) {
    let (table, size, count) = (word(file, 40), half(file, 58), half(file, 60));
    let names = word(file, table + half(file, 62) * size + 24);
    let header = (0..count).map(|index| table + index * size).find(|header| {
        let at = names + u32::from_le_bytes(file[*header..header + 4].try_into().unwrap()) as usize;
        file[at..].starts_with(name.as_bytes()) && file[at + name.len()] == 0
    });
    let header = header.expect("the section");
    (word(file, header + 16), word(file, header + 32))
}

/// Where the program's file is mapped.
fn base() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    usize::from_str_radix(maps.split('-').next().unwrap(), 16).unwrap()
}

static RUNTIME: RuntimeCell = RuntimeCell::new();
static BUFFERS: BufPool<16, 4096> = BufPool::new();
static TABLE: TaskTable<1000, 4> = TaskTable::new();
static CPU: CpuPool<4, 64, 1024> = CpuPool::new();
static BUMP: Bump<65536> = Bump::new();
static SLAB: Slab<256, 256> = Slab::new();

/// Whether the bytes are in `.bss`; true where the program is of no known kind.
fn in_bss(address: usize, bytes: usize) -> bool {
    let file = fs::read("/proc/self/exe").unwrap();
    if !file.starts_with(b"\x7fELF\x02\x01") {
        println!("skipped: not a little-endian ELF64 program");
        return true;
    }
    let (start, size) = section(&file, ".bss");
    let offset = address - base();
    println!("{offset:x}, {bytes} bytes; .bss: {start:x}, {size} bytes");
    start <= offset && offset + bytes <= start + size
}

fn all_of<T>(place: &'static T) -> bool {
    in_bss(std::ptr::from_ref(place).addr(), size_of::<T>())
}

#[test]
fn every_kind_of_storage_is_in_bss() {
    assert!(all_of(&RUNTIME), "the runtime");
    assert!(all_of(&BUFFERS), "buffers");
    assert!(all_of(&TABLE), "a task table");
    assert!(all_of(&CPU), "a pool of threads");
    assert!(all_of(&BUMP), "a region");
    assert!(all_of(&SLAB), "a slab");
}

#[test]
fn a_thousand_blocks_are_in_bss() {
    let memory = large::memory();
    assert_eq!(memory.blocks, 1000);
    assert!(memory.block_bytes > 4096 + 64 + 4 * 128);
    let bytes = memory.blocks as usize * memory.block_bytes;
    assert!(in_bss(memory.address, bytes));
    assert_eq!(memory.address % 128, 0);
}
