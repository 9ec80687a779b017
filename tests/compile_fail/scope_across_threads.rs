use unboxed::storage::Scope;

fn shared(_: &impl Sync) {}

// Its tasks stay on the thread that spawns them.
fn sent(scope: &Scope<'_, '_>) {
    shared(scope);
}

fn main() {}
