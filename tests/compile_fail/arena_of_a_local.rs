use unboxed::storage::{Bump, Heap, TaskTable};

static TABLE: TaskTable<1, 0> = TaskTable::new();

fn main() {
    let region = Bump::<1024>::new();
    // The task may outlive the region.
    let _ = TABLE.spawn(&region, async {});
    let text = String::new();
    // The task may outlive what it borrows.
    let _ = TABLE.spawn(Heap, async { text.len() });
}
