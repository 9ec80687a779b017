//! Buffers that operations may borrow: owned ones as raw parts, and a static pool of equal ones.

mod iobuf;
mod pool;

pub use iobuf::IoBuf;
pub use pool::{BufPool, BufPoolMemory, Lease};
