//! What `#[task]` expands to; not for direct use.
//!
//! SUPPORT-1: a pool's storage has exactly the size of its blocks, because both come from the same function
//! item, and one static belongs to one function, so its blocks have one type for ever.

use super::block::Block;
pub use super::bytes::BytesToken;
use super::header::{Header, TaskRef};
pub use super::lane::Lane;
use super::pool::{PoolControl, PoolInfo};
use super::registry;
pub use super::spawn::Pool;
use core::cell::UnsafeCell;
use core::future::Future;
use core::marker::PhantomData;
use core::mem::MaybeUninit;

/// A task's function: from its arguments and its token to its future.
pub trait TaskFn<A>: Copy + 'static {
    /// What it builds.
    type Fut: Future<Output = Self::Out> + 'static;
    /// What that ends with.
    type Out: 'static;
    /// Builds it.
    fn build(self, args: A, token: BytesToken) -> Self::Fut;
}

impl<A, F, Fut> TaskFn<A> for F
where
    F: Fn(A, BytesToken) -> Fut + Copy + 'static,
    Fut: Future + 'static,
    Fut::Output: 'static,
{
    type Fut = Fut;
    type Out = Fut::Output;

    fn build(self, args: A, token: BytesToken) -> Fut {
        self(args, token)
    }
}

/// Bytes of the pool's blocks.
pub const fn blocks_size<A, F: TaskFn<A>, const N: usize, const K: usize, const B: usize>(_: F) -> usize {
    assert!(
        align_of::<Block<F::Fut, K, B>>() <= ALIGN,
        "a task's future is aligned to more than 128 bytes, which a pool does not offer"
    );
    size_of::<[Block<F::Fut, K, B>; N]>()
}

/// Bytes of the task's future.
pub const fn future_size<A, F: TaskFn<A>>(_: F) -> usize {
    size_of::<F::Fut>()
}

/// The limits that hold for every pool.
pub const fn check_limits<const N: usize, const K: usize, const B: usize>() {
    assert!(N > 0, "a pool needs at least one block");
    assert!(N <= u32::MAX as usize, "a pool has at most 2^32 - 1 blocks");
    assert!(K <= 64, "a task has at most 64 slots of its own");
    assert!(B <= u32::MAX as usize, "a task has at most 2^32 - 1 bytes");
}

/// Fails to compile for a future that is not Send, or whose output is not.
pub const fn require_send<A, F: TaskFn<A>>(_: F)
where
    F::Fut: Send,
    F::Out: Send,
{
}

/// The same for `#[task(local)]`, which needs nothing.
pub const fn require_any<A, F: TaskFn<A>>(_: F) {}

const ALIGN: usize = 128;

/// The static behind one task function: zero, hence in `.bss`.
#[repr(C, align(128))]
pub struct PoolStorage<const SIZE: usize> {
    blocks: UnsafeCell<MaybeUninit<[u8; SIZE]>>,
    control: PoolControl,
}

// SAFETY: blocks follow the rules of their headers, the control its lock.
unsafe impl<const SIZE: usize> Sync for PoolStorage<SIZE> {}

impl<const SIZE: usize> core::fmt::Debug for PoolStorage<SIZE> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "PoolStorage({SIZE} bytes)")
    }
}

impl<const SIZE: usize> PoolStorage<SIZE> {
    /// Storage for a pool: all zeros, so that it lies in `.bss`; even its name comes later.
    pub const fn new() -> Self {
        Self { blocks: UnsafeCell::new(MaybeUninit::zeroed()), control: PoolControl::new() }
    }
}

impl<const SIZE: usize> Default for PoolStorage<SIZE> {
    fn default() -> Self {
        Self::new()
    }
}

/// The pool in a storage.
///
/// # Safety
/// SUPPORT-1: `storage` is this function's own, and `SIZE` came from [`blocks_size`] of the same function
/// with the same numbers.
#[inline]
pub unsafe fn pool_of<A, F: TaskFn<A>, const N: usize, const K: usize, const B: usize, const SIZE: usize>(
    storage: &'static PoolStorage<SIZE>,
    name: &'static str,
    pinned: bool,
    lane: Lane,
    _: F,
) -> Pool<A, F::Out> {
    const {
        assert!(size_of::<F>() == 0, "a task is built by a function item");
        check_limits::<N, K, B>();
    }
    let info = registry::register(&storage.control, move || {
        assert_eq!(SIZE, size_of::<[Block<F::Fut, K, B>; N]>());
        PoolInfo {
            blocks: storage.blocks.get().cast(),
            stride: size_of::<Block<F::Fut, K, B>>(),
            count: N as u32,
            beside: size_of::<PoolStorage<SIZE>>() - SIZE,
            body_offset: Block::<F::Fut, K, B>::BODY_OFFSET,
            pinned,
            kind: lane.kind(pinned),
            vtable: Block::<F::Fut, K, B>::vtable(name, core::ptr::from_ref(&storage.control).cast()),
        }
    });
    Pool { control: &storage.control, info, write: write::<A, F, K, B>, types: PhantomData }
}

/// Builds the future in a claimed block.
///
/// # Safety
/// `header` is of a `Block<F::Fut, K, B>` that the caller has claimed.
unsafe fn write<A, F: TaskFn<A>, const K: usize, const B: usize>(header: *const Header, args: A) {
    // SAFETY: `F` is a zero-sized function item (checked where the pool is made).
    let function: F = unsafe { core::ptr::NonNull::<F>::dangling().read() };
    // SAFETY: the block is claimed; this is the activation's one token.
    let token = unsafe { BytesToken::new(TaskRef(header)) };
    let future = function.build(args, token);
    // SAFETY: passed on.
    unsafe { Block::<F::Fut, K, B>::write_future(header, future) };
}
