//! Files: reads and writes at a position, through the ring.
//!
//! Opening is a plain system call, which may wait for the file system; everything that moves bytes goes through the ring.
//! A file is an entry of the runtime's table (R4), as a socket is: its last handle closes it once its operations have
//! ended, and waits for nothing.

use crate::rt::current_table;
use std::fs::OpenOptions;
use std::os::fd::IntoRawFd;
use std::path::Path;
use unboxed_core::event_loop::Descriptor;
use unboxed_core::file::FileHandle;
use unboxed_core::io::{FileOp, IntoLend, Transfer, TransferKind, WriteAll, file_op, transfer, write_all};
use unboxed_core::op::Error;

/// An open file. It has no position: each read and write says its own, so any number may go on at once, also through
/// clones, which are the same file.
///
/// ```
/// use unboxed::fs::File;
///
/// #[unboxed::main]
/// async fn main() {
///     let path = std::env::temp_dir().join(format!("unboxed-doc-{}", std::process::id()));
///     let file = File::create(&path).unwrap();
///     let (written, _) = file.write_all_at(b"in place".to_vec(), 0).await;
///     assert_eq!(written, Ok(8));
///     let (read, text) = file.read_at(Vec::with_capacity(5), 3).await;
///     assert_eq!((read, text.unwrap()), (Ok(5), b"place".to_vec()));
///     std::fs::remove_file(&path).unwrap();
/// }
/// ```
#[derive(Debug, Clone)]
pub struct File {
    file: FileHandle,
}

/// The largest position. The one above it is the system's word for "wherever the file stands".
pub const POSITION_MAX: u64 = i64::MAX as u64;

/// A position beyond the largest becomes the largest, where no file has anything.
fn position(offset: u64) -> u64 {
    offset.min(POSITION_MAX)
}

impl File {
    /// Opens a file that exists, for reading.
    ///
    /// # Errors
    /// The system's (ENOENT, EACCES, ...); [`Error::TableFull`]; [`Error::NoTask`] outside a runtime.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(path, OpenOptions::new().read(true))
    }

    /// Opens a file for reading and writing, makes it if there is none, and empties it.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn create(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::open_with(path, OpenOptions::new().read(true).write(true).create(true).truncate(true))
    }

    /// Opens a file as the standard library's options say.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_with(path: impl AsRef<Path>, options: &OpenOptions) -> Result<Self, Error> {
        let reservation = current_table()?.reserve()?;
        let file =
            options.open(path).map_err(|error| Error::Os(error.raw_os_error().unwrap_or(libc::EINVAL)))?;
        // SAFETY: R4: a new descriptor, which nobody else closes.
        Ok(Self { file: unsafe { reservation.open(file.into_raw_fd()) } })
    }

    /// Reads at a position in bytes into a buffer: `&mut Bytes`, or an owned one, which comes back with the result. May
    /// bring fewer bytes than fit; zero is the end of the file.
    ///
    /// # Cancel safety
    /// Dropping the future loses nothing: the bytes are still in the file.
    pub fn read_at<B: IntoLend>(&self, buffer: B, offset: u64) -> Transfer<'_, B::Lend> {
        transfer(&self.file, TransferKind::ReadAt(position(offset)), buffer)
    }

    /// Writes at a position in bytes; may take fewer bytes than there are.
    ///
    /// # Cancel safety
    /// A dropped one may have written a part.
    pub fn write_at<B: IntoLend>(&self, buffer: B, offset: u64) -> Transfer<'_, B::Lend> {
        transfer(&self.file, TransferKind::WriteAt(position(offset)), buffer)
    }

    /// Writes everything that the buffer holds, or the range that is given with `first` or `range`, from a position on.
    ///
    /// # Cancel safety
    /// A dropped one may have written a part.
    pub fn write_all_at<B: IntoLend>(&self, buffer: B, offset: u64) -> WriteAll<'_, B::Lend> {
        write_all(&self.file, TransferKind::WriteAt(position(offset)), buffer)
    }

    /// Waits until all that was written is on the storage.
    ///
    /// # Cancel safety
    /// Dropping it does not stop the system's work.
    pub fn sync(&self) -> FileOp<'_> {
        // SAFETY: the descriptor names the given file.
        unsafe { file_op(&self.file, |file| Descriptor::Fsync { file }) }
    }
}
