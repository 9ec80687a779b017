//! The Redis serialization protocol (<https://redis.io/docs/latest/develop/reference/protocol-spec/>).

mod args;
mod inline;
mod reply;
mod scan;

pub use args::{Arg, Args, Frame};
pub use inline::{Quotes, split};
pub use reply::{Protocol, Reply, Spill};
pub use scan::{Kind, ProtocolError, Scanned, Scanner};
