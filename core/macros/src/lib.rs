//! `#[task]` and `#[main]`: thin shells over items of `unboxed-core` and `unboxed`.
//!
//! | file | what |
//! |---|---|
//! | `options` | the options in the attributes' parentheses |
//! | `signature` | what a task's function must look like, and the errors that say so |
//! | `task_fn` | what `#[task]` expands to |
//! | `max_size` | the check behind `max_size` |
//! | `main_fn` | what `#[main]` expands to |
//!
//! Names that the expansion puts beside the user's code start with `__unboxed`, and locals that share a scope
//! with it are hygienic, so neither can be meant by accident. Code that the user did not write has no spans of
//! the user's source, so that lints, among them `forbid(unsafe_code)`, speak of the user's code alone.

mod main_fn;
mod max_size;
mod options;
mod signature;
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
/// | `lane = "..."` | which ready tasks are started first: `"urgent"`, `"normal"`, `"background"` (see `task::Lane`) | `"normal"` |
/// | `crate = path` | where the runtime is, for a crate that renames or re-exports it | `::unboxed` |
///
/// The numbers are constant expressions of type `usize`: a literal, or the name of a `const`.
///
/// ```text
/// #[unboxed::task(pool = 64, ops = 2, bytes = 4096)]
/// async fn echo(mut stream: TcpStream, mut bytes: Bytes<'_>) {
///     while let Ok(count @ 1..) = stream.read(&mut bytes).await {
///         if stream.write_all(&mut bytes).first(count).await.is_err() {
///             break;
///         }
///     }
/// }
///
/// let handle = echo::spawn(stream)?;            // an error that holds the stream when all 64 are in use
/// let block = echo::reserve().await;            // or first a block, then the work
/// let handle = block.spawn((stream,))?;
/// println!("{:?}", echo::memory());             // what the pool takes, and how much of it is in use
/// ```
///
/// (The examples here are not compiled, since the runtime depends on this crate; `examples/echo` is.)
///
/// # The function
/// Its storage is one static, and a task outlives whoever spawns it. So the function is free (no `self`), not
/// generic, and takes owned or `'static` arguments of named types; its output likewise. What differs from task
/// to task is called from it:
///
/// ```text
/// async fn serve<S: Stream>(stream: S) { ... }
///
/// #[unboxed::task(pool = 64)]
/// async fn serve_tcp(stream: TcpStream) { serve(stream).await }
/// ```
///
/// The future must be `Send`, unless the task is `local`. A function that never returns (`-> !`) is joined as
/// `Infallible`.
///
/// # The task's bytes
/// With `bytes = B` the last parameter is of type `Bytes<'_>`, by whatever path. It is no argument of `spawn`:
/// it borrows the block's own bytes for as long as the body runs.
///
/// # Attributes
/// Those below `#[task]` stay with the function's body. Documentation, `cfg` and `deprecated` go to the type.
#[proc_macro_attribute]
pub fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    task_fn::expand(options.into(), item.into()).unwrap_or_else(|e| e.to_compile_error()).into()
}

/// Runs an `async fn main` on the process's main runtime.
///
/// | option | meaning | default |
/// |---|---|---|
/// | `workers = N` | workers with a ring each, of which this thread is one; a constant, at most 32 | 1 |
/// | `entries = N` | entries of the submission queue | that of `rt::Config` |
/// | `spares = N` | spare op slots that one task may take when its own are used up | that of `rt::Config` |
/// | `crate = path` | where the runtime is | `::unboxed` |
///
/// ```text
/// #[unboxed::main(entries = 1024, spares = 16)]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let listener = TcpListener::bind("127.0.0.1:7007".parse()?)?;
///     ...
/// }
/// ```
///
/// The function becomes an ordinary `main` with the same output, which panics when the kernel refuses a ring;
/// the message names the cause and the remedy. Where that is not wanted, start an `rt::RuntimeCell` by hand.
///
/// (The example is not compiled here, since the runtime depends on this crate; `examples/echo` is.)
#[proc_macro_attribute]
pub fn main(options: TokenStream, item: TokenStream) -> TokenStream {
    main_fn::expand(options.into(), item.into()).unwrap_or_else(|e| e.to_compile_error()).into()
}
