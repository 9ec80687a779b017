use std::pin::pin;
use unboxed::exec::Executor;
use unboxed::storage::{StackBody, TaskTable, scope};

static TABLE: TaskTable<1, 0> = TaskTable::new();

fn handle(executor: &mut Executor) {
    let mut body = pin!(StackBody::new(async {}));
    let mut kept = None;
    scope(executor, |s| kept = Some(s.spawn(&TABLE, body.as_mut()).unwrap()));
    drop(kept);
}

fn body_within(executor: &mut Executor) {
    scope(executor, |s| {
        // It would be gone before the scope waits for it.
        let mut body = pin!(StackBody::new(async {}));
        let _ = s.spawn(&TABLE, body.as_mut());
    });
}

fn scope_itself(executor: &mut Executor) {
    let mut kept = None;
    scope(executor, |s| kept = Some(s));
    drop(kept);
}

fn main() {}
