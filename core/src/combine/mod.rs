//! Several futures of one task, side by side, in the memory of the task.
//!
//! | I want | | the others |
//! |---|---|---|
//! | all of them | [`join2`], [`join3`], [`join4`] | |
//! | the first of some operations, and to lose nothing | [`select2`], [`select3`], [`select4`] | cancelled and awaited |
//! | the first of some plain futures | [`race2`], [`race3`], [`race4`] | dropped |
//! | a time limit, or a select, for a plain future | [`plain`], which makes an operation of it | dropped |
//!
//! All poll in the order of the arguments, each time every future that has not ended; there is no lottery. A
//! future that is always ready first wins every race, so the one that must not be passed over comes first. A
//! `select` begins all its operations, and delivers what the losers brought, so its order starves nobody.
//!
//! Each operation in flight uses an op slot of the task.
//!
//! BRANCH-1: a future is polled where it lies, and dropped there before its output takes the place.

mod branch;
mod join;
mod plain;
mod race;
mod select;

pub use join::{Join2, Join3, Join4, join2, join3, join4};
pub use plain::{Plain, plain};
pub use race::{Race2, Race3, Race4, race2, race3, race4};
pub use select::{Select2, Select3, Select4, Selected, select2, select3, select4};
