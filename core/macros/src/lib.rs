//! `#[task]` and `#[main]`: thin shells over items of `unboxed-core` and `unboxed`.

mod main_fn;
mod options;
mod task_fn;

use proc_macro::TokenStream;

/// Gives an `async fn` a static pool of blocks, and makes its name a type with `spawn`, `try_reserve`,
/// `reserve` and `memory`.
///
/// | option | meaning | default |
/// |---|---|---|
/// | `pool = N` | blocks, that is tasks at once | 1 |
/// | `ops = K` | op slots of a block, that is operations in flight at once; at most 64 | 2 |
/// | `bytes = B` | bytes of a block, given to the function's last parameter, `Bytes<'_>` | 0 |
/// | `max_size = M` | fails the build when the future is larger, in bytes | none |
/// | `local` | the future need not be `Send`; the task stays on its thread | off |
/// | `crate = path` | where the runtime is | `::unboxed` |
///
/// ```text
/// #[unboxed::task(pool = 64, ops = 2, bytes = 4096)]
/// async fn echo(mut stream: TcpStream, mut bytes: Bytes<'_>) { ... }
///
/// echo::spawn(stream)?;
/// ```
///
/// (The example is not compiled here, since the runtime depends on this crate; it is in `examples/echo`.)
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    task_fn::expand(options.into(), item.into()).unwrap_or_else(|e| e.to_compile_error()).into()
}

/// Runs an `async fn main` on the process's main runtime.
///
/// Options `entries = N` (submission queue) and `spares = N` (spare slots a task) go to the runtime's
/// configuration.
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    main_fn::expand(options.into(), item.into()).unwrap_or_else(|e| e.to_compile_error()).into()
}
