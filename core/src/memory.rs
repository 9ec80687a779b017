//! Where the memory is: every pool, table, arena and set of buffers that has been used.
//!
//! A static appears here at its first use, and stays (MAP-1). Nothing here allocates. Memory of one's own appears too, with
//! a [`MapNode`].
//!
//! ```
//! # use unboxed_core as unboxed;
//! println!("{}", unboxed::memory::text());
//! println!("{}", unboxed::memory::json());
//! ```
//!
//! | kind | what |
//! |---|---|
//! | tasks | a task's pool, or the headers and slots of a task table |
//! | workers, spares | what schedulers and workers have |
//! | files | a file table |
//! | buffers | a pool of buffers |
//! | region, slab, arena | bodies of tasks |
//! | frames | a stack of frames |
//! | jobs | the places of a pool of threads, `unboxed::blocking` |
//! | runtime, bells, queues, parking | what the `unboxed` crate adds: a runtime's cell, its rings, blocking threads |
//!
//! What a program keeps in statics of its own (locks, channels, completions) has no row: those work wherever they lie, so
//! they do not know that they are static.

use crate::atomics::{AtomicPtr, Ordering};
use core::fmt;
use core::ptr;
use spin::once::Once;

/// One static.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// What kind; see the module's table.
    pub kind: &'static str,
    /// Its name, where it has one.
    pub name: &'static str,
    /// Where it lies.
    pub address: usize,
    /// How many pieces it has; 1 for a region.
    pub pieces: usize,
    /// Bytes of a piece; for a region, of all of it, 0 where that is not known.
    pub piece_bytes: usize,
    /// Bytes beside the pieces: what they are managed by.
    pub beside: usize,
    /// In use now: pieces, or bytes of a region.
    pub used: usize,
    /// The most that was in use at once.
    pub used_max: usize,
}

impl Row {
    /// Bytes of the whole.
    pub const fn bytes(&self) -> usize {
        self.pieces * self.piece_bytes + self.beside
    }
}

/// A static that tells of itself.
pub trait Mapped: Sync {
    /// Calls `tell` with each row. No lock may be held around it that `tell`, which prints, could want.
    fn rows(&self, tell: &mut dyn FnMut(Row));
}

/// What links a static into the map.
///
/// ```
/// # use unboxed_core as unboxed;
/// use unboxed::memory::{self, MapNode, Mapped, Row};
///
/// /// A table of my own.
/// struct Table {
///     node: MapNode,
///     places: [u64; 100],
/// }
///
/// impl Mapped for Table {
///     fn rows(&self, tell: &mut dyn FnMut(Row)) {
///         let (kind, name, address) = ("mine", "places", self.places.as_ptr().addr());
///         let beside = size_of::<Self>() - size_of_val(&self.places);
///         tell(Row { kind, name, address, pieces: 100, piece_bytes: 8, beside, used: 0, used_max: 0 });
///     }
/// }
///
/// static TABLE: Table = Table { node: MapNode::new(), places: [0; 100] };
///
/// TABLE.node.show(&TABLE);
/// assert!(memory::text().to_string().contains("places"));
/// ```
#[derive(Debug)]
pub struct MapNode {
    what: Once<Known>,
    next: AtomicPtr<MapNode>,
}

struct Known(&'static dyn Mapped);

impl fmt::Debug for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = f.debug_list();
        self.0.rows(&mut |row| {
            list.entry(&row);
        });
        list.finish()
    }
}

// SAFETY: `Mapped` is Sync, and a shared reference to it may be sent.
unsafe impl Send for Known {}

/// MAP-1: a list that only grows: a node is pushed once, and is static.
static MAP: AtomicPtr<MapNode> = AtomicPtr::new(ptr::null_mut());

impl Default for MapNode {
    fn default() -> Self {
        Self::new()
    }
}

impl MapNode {
    /// Not linked yet: all zeros.
    pub const fn new() -> Self {
        Self { what: Once::new(), next: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Makes `what` known, once. The node is usually a part of it.
    #[inline]
    pub fn show(&'static self, what: &'static dyn Mapped) {
        if !self.what.is_completed() {
            self.show_first(what);
        }
    }

    #[cold]
    fn show_first(&'static self, what: &'static dyn Mapped) {
        self.what.call_once(|| {
            let mut head = MAP.load(Ordering::Relaxed);
            loop {
                self.next.store(head, Ordering::Relaxed);
                let this = ptr::from_ref(self).cast_mut();
                match MAP.compare_exchange_weak(head, this, Ordering::Release, Ordering::Relaxed) {
                    Ok(_) => return Known(what),
                    Err(seen) => head = seen,
                }
            }
        });
    }
}

/// Every static that has been used.
pub fn for_each(mut f: impl FnMut(Row)) {
    crate::task::for_each_pool(|pool| {
        f(Row {
            kind: "tasks",
            name: pool.name,
            address: pool.address,
            pieces: pool.blocks as usize,
            piece_bytes: pool.block_bytes,
            beside: pool.beside,
            used: pool.used as usize,
            used_max: pool.used_max as usize,
        });
    });
    crate::file::for_each_table(|address, table| {
        f(Row {
            kind: "files",
            name: "",
            address,
            pieces: table.entries as usize,
            piece_bytes: table.entry_bytes,
            beside: table.beside,
            used: table.used as usize,
            used_max: table.used_max as usize,
        });
    });
    let mut at = MAP.load(Ordering::Acquire);
    // SAFETY: MAP-1.
    while let Some(node) = unsafe { at.as_ref() } {
        if let Some(known) = node.what.get() {
            known.0.rows(&mut f);
        }
        at = node.next.load(Ordering::Relaxed);
    }
}

/// The map as a table of text.
#[derive(Debug, Clone, Copy)]
pub struct Text(());

/// The map as JSON: an array of objects.
#[derive(Debug, Clone, Copy)]
pub struct Json(());

/// See [`Text`].
pub fn text() -> Text {
    Text(())
}

/// See [`Json`].
pub fn json() -> Json {
    Json(())
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, bytes, pieces, used, max) = ("kind", "bytes", "pieces", "used", "most");
        writeln!(f, "{kind:<8} {bytes:>12} {pieces:>8} {used:>8} {max:>8}  name")?;
        let (mut total, mut result) = (0, Ok(()));
        for_each(|row| {
            total += row.bytes();
            let Row { kind, name, pieces, used, used_max, .. } = row;
            let line =
                writeln!(f, "{kind:<8} {:>12} {pieces:>8} {used:>8} {used_max:>8}  {name}", row.bytes());
            result = result.and(line);
        });
        result?;
        write!(f, "{:<8} {total:>12}", "all")
    }
}

/// A text within quotes.
pub(crate) struct JsonText<'a>(pub &'a str);

impl fmt::Display for JsonText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            '"' | '\\' => write!(f, "\\{c}"),
            c if c < ' ' => write!(f, "\\u{:04x}", c as u32),
            c => write!(f, "{c}"),
        })
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut comma, mut result) = ("", Ok(()));
        f.write_str("[")?;
        for_each(|row| {
            let Row { kind, name, address, pieces, piece_bytes, beside, used, used_max } = row;
            let line = write!(
                f,
                "{comma}{{\"kind\":\"{}\",\"name\":\"{}\",\"address\":{address},\"bytes\":{},\"pieces\":{pieces},\
                 \"piece_bytes\":{piece_bytes},\"beside\":{beside},\"used\":{used},\"used_max\":{used_max}}}",
                JsonText(kind),
                JsonText(name),
                row.bytes(),
            );
            comma = ",";
            result = result.and(line);
        });
        result?;
        f.write_str("]")
    }
}
