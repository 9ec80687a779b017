//! A Redis-protocol store in one slice of memory. It does no I/O and never allocates: bytes in, bytes out.
//!
//! [`Session::advance`] takes what a connection has read and gives what is to be written. Keys, values,
//! requests larger than a read buffer and replies larger than a write buffer all lie in cells of the one
//! slice given to [`Db::new`]; when it is full, a write is answered with `-OOM` and nothing is lost.
//!
//! ```
//! use unboxed_kv::{Db, Session, Step};
//!
//! let mut memory = vec![0; 1 << 20];
//! let mut db = Db::new(&mut memory, 16);
//! let mut session = Session::new(1, 4096);
//! let mut out = [0; 4096];
//! let advance = session.advance(&mut db, 0, b"SET k v\r\nGET k\r\n", &mut out);
//! assert_eq!(&out[..advance.produced], b"+OK\r\n$1\r\nv\r\n");
//! assert_eq!((advance.consumed, advance.step), (16, Step::NeedInput));
//! session.end(&mut db);
//! ```
#![forbid(unsafe_code)]

mod command;
mod db;
mod glob;
pub mod limits;
mod number;
pub mod resp;
mod session;
pub mod store;

pub use db::{Db, Stats};
pub use session::{Advance, Session, Step};
