use unboxed::recursion::FrameStack;
use unboxed::storage::{Arena, Bump, Heap, Slab, TaskTable};

static TABLE: TaskTable<1, 0> = TaskTable::new();

fn main() {
    let region = Bump::<1024>::new();
    // The task may outlive the region.
    let _ = TABLE.spawn(&region, async {});
    let rooms = Slab::<64, 4>::new();
    let _ = TABLE.spawn(&rooms, async {});
    let arena = Arena::new("local", Heap);
    let _ = TABLE.spawn(&arena, async {});
    let table = TaskTable::<1, 0>::new();
    let _ = table.spawn(Heap, async {});
    // A leaked frame would outlive its stack.
    let stack = FrameStack::<64>::new();
    let _ = stack.frames();
    let text = String::new();
    // The task may outlive what it borrows.
    let _ = TABLE.spawn(Heap, async { text.len() });
}
