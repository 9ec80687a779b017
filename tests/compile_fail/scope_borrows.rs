use std::pin::pin;
use unboxed::exec::Executor;
use unboxed::storage::{StackBody, TaskTable, scope};

static TABLE: TaskTable<2, 0> = TaskTable::new();

fn taken_within(executor: &mut Executor) {
    let mut body = pin!(StackBody::new(async {}));
    scope(executor, |s| {
        let _ = s.spawn(&TABLE, body.as_mut());
        // The task may still run.
        let _ = body.as_mut().take();
    });
}

fn one_body_twice(executor: &mut Executor) {
    let mut body = pin!(StackBody::new(async {}));
    scope(executor, |s| {
        let _ = s.spawn(&TABLE, body.as_mut());
        let _ = s.spawn(&TABLE, body.as_mut());
    });
}

fn written_while_borrowed(executor: &mut Executor) {
    let mut count = 0;
    let mut body = pin!(StackBody::new(async { count += 1 }));
    scope(executor, |s| {
        let _ = s.spawn(&TABLE, body.as_mut());
        count += 1;
    });
    let _ = body.take();
}

fn main() {}
