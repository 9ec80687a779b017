//! One task on six storages, each telling where its body lies.

use std::alloc::{GlobalAlloc, Layout, System};
use std::pin::pin;
use std::ptr::NonNull;
use unboxed::rt::{Config, RuntimeCell};
use unboxed::storage::{Arena, BodyAlloc, Bump, Exhausted, Heap, Slab, StackBody, TaskTable, scope};
use unboxed::task::JoinHandle;
use unboxed::yield_now;
use unboxed_examples::Args;

const USAGE: &str = "\
Runs one task on six storages, and prints where its body lies on each.

usage: allocators";

/// Holds 64 bytes across a wait, as a session would, and says where they are.
async fn session() -> usize {
    let held = [7u8; 64];
    yield_now().await;
    std::hint::black_box(&held).as_ptr().addr()
}

/// In a pool: header, slots and body in one static block.
#[unboxed::task(ops = 0)]
async fn pooled() -> usize {
    session().await
}

static TABLE: TaskTable<4, 1> = TaskTable::new();
static REGION: Bump<4096> = Bump::new();
static ROOMS: Slab<512, 4> = Slab::new();
/// Counts what the user's allocator gives, and gives it a row in the memory map.
static TALKATIVE: Arena<Talkative> = Arena::new("the user's", Talkative);

/// An allocator of the user's own: here the system's, with a word to say.
#[derive(Clone, Copy)]
struct Talkative;

// SAFETY: the system allocator's contract.
unsafe impl BodyAlloc for Talkative {
    fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        println!("  (the user's allocator is asked for {} bytes)", layout.size());
        // SAFETY: a body's layout is never of size zero.
        NonNull::new(unsafe { System.alloc(layout) })
    }

    unsafe fn give(&self, data: NonNull<u8>, layout: Layout) {
        println!("  (and gets them back)");
        // SAFETY: passed on.
        unsafe { System.dealloc(data.as_ptr(), layout) };
    }
}

/// Where a task's body lay.
async fn tell<F>(storage: &str, task: Result<JoinHandle<usize>, Exhausted<F>>) {
    match task {
        Ok(task) => println!("{storage:<22} {:#x}", task.await.expect("no panic")),
        Err(error) => println!("{storage:<22} {error}"),
    }
}

async fn on_all() {
    REGION.name("for sessions");
    let address = pooled::spawn().expect("a block").await.expect("no panic");
    println!("{:<22} {address:#x}", "static pool");
    tell("bump region, static", TABLE.spawn(&REGION, session())).await;
    tell("slab, static", TABLE.spawn(&ROOMS, session())).await;
    tell("the user's allocator", TABLE.spawn(&TALKATIVE, session())).await;
    tell("the heap", TABLE.spawn(Heap, session())).await;
    REGION.seal();
    tell("a sealed arena", TABLE.spawn(&REGION, session())).await;
}

static RUNTIME: RuntimeCell<4> = RuntimeCell::new();

fn main() {
    Args::parse(USAGE).finish();
    let mut runtime = RUNTIME.start(Config::new()).unwrap_or_else(|error| panic!("no runtime: {error}"));
    runtime.block_on(on_all());
    let mut body = pin!(StackBody::new(session()));
    scope(&mut runtime, |s| {
        s.spawn(&TABLE, body.as_mut()).expect("a header");
    });
    println!("{:<22} {:#x}", "the stack, in a scope", body.take().expect("it ran").expect("no panic"));
    println!("\n{}", unboxed::memory::text());
}
