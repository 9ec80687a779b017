//! Memory that is there before it is used: the statics of the program, taken from the system and locked at the start.
//!
//! Every pool, table, worker and queue of a program lies in its statics, so this takes the writable parts of the
//! program, or the library, that the runtime's cell lies in: whatever they are called, used already or not. No byte of it
//! is written: other threads may use it meanwhile.

use super::StartError;
use super::urgency::soft_limit;
use std::io;
use std::ops::Range;

#[cfg(target_pointer_width = "32")]
use libc::Elf32_Phdr as Phdr;
#[cfg(target_pointer_width = "64")]
use libc::Elf64_Phdr as Phdr;

/// What a start does about memory.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Resident {
    /// Pages are there before they are used.
    pub prefault: bool,
    /// Pages that are there stay.
    pub lock: bool,
}

/// More writable parts than any linker makes of one program.
const PARTS: usize = 8;

/// Addresses, rounded to pages.
#[derive(Debug, Clone)]
struct Parts {
    around: usize,
    page: usize,
    found: [Range<usize>; PARTS],
    len: usize,
}

impl Resident {
    /// Takes the statics of the object that the address lies in.
    ///
    /// # Errors
    /// [`StartError::Lock`] and [`StartError::Prefault`].
    pub fn take_statics(self, around: *const u8) -> Result<(), StartError> {
        if !self.prefault && !self.lock {
            return Ok(());
        }
        let parts = Parts::of(around.addr());
        let wanted = parts.bytes();
        for part in parts.iter() {
            if self.lock {
                lock(part).map_err(|error| {
                    parts.iter().for_each(unlock);
                    StartError::Lock { wanted, limit: soft_limit(libc::RLIMIT_MEMLOCK), error }
                })?;
            }
            if self.prefault {
                populate(part).map_err(|error| StartError::Prefault { wanted, error })?;
            }
        }
        Ok(())
    }
}

/// Pages of the range that are there stay, and those that come later; none is made to come.
fn lock(part: &Range<usize>) -> io::Result<()> {
    // SAFETY: changes nothing that the program can see but speed. The range is mapped.
    let done = unsafe { libc::syscall(libc::SYS_mlock2, part.start, part.len(), libc::MLOCK_ONFAULT) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn unlock(part: &Range<usize>) {
    // SAFETY: as for `lock`.
    unsafe { libc::syscall(libc::SYS_munlock, part.start, part.len()) };
}

/// As if each page had been written, without a write (Linux 5.14).
fn populate(part: &Range<usize>) -> io::Result<()> {
    const MADV_POPULATE_WRITE: libc::c_int = 23;
    loop {
        // SAFETY: changes nothing that the program can see but speed. The range is mapped and writable.
        let done = unsafe { libc::syscall(libc::SYS_madvise, part.start, part.len(), MADV_POPULATE_WRITE) };
        match io::Error::last_os_error() {
            _ if done == 0 => return Ok(()),
            error if error.kind() == io::ErrorKind::Interrupted => {}
            error => return Err(error),
        }
    }
}

impl Parts {
    fn of(around: usize) -> Self {
        // SAFETY: a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let mut parts = Self { around, page, found: [const { 0..0 }; PARTS], len: 0 };
        // SAFETY: the callback gets what `dl_iterate_phdr` promises it, and this value, which outlives the call.
        unsafe { libc::dl_iterate_phdr(Some(Self::visit), (&raw mut parts).cast()) };
        parts
    }

    fn iter(&self) -> impl Iterator<Item = &Range<usize>> {
        self.found[..self.len].iter()
    }

    fn bytes(&self) -> usize {
        self.iter().map(Range::len).sum()
    }

    fn push(&mut self, part: Range<usize>) {
        if !part.is_empty() && self.len < PARTS {
            self.found[self.len] = part;
            self.len += 1;
        }
    }

    /// One loaded object.
    unsafe extern "C" fn visit(
        object: *mut libc::dl_phdr_info,
        _bytes: libc::size_t,
        parts: *mut libc::c_void,
    ) -> libc::c_int {
        // SAFETY: by the contract of `dl_iterate_phdr`: a live record with a table of so many headers, and our value.
        let (base, headers, parts) = unsafe {
            let object = &*object;
            let headers = std::slice::from_raw_parts(object.dlpi_phdr, usize::from(object.dlpi_phnum));
            (object.dlpi_addr as usize, headers, &mut *parts.cast::<Self>())
        };
        parts.add_object(base, headers)
    }

    /// 1, which ends the search, when it was the right one.
    fn add_object(&mut self, base: usize, headers: &[Phdr]) -> libc::c_int {
        let range = |header: &Phdr| {
            let start = base.wrapping_add(header.p_vaddr as usize);
            start..start.wrapping_add(header.p_memsz as usize)
        };
        let loaded = || headers.iter().filter(|header| header.p_type == libc::PT_LOAD);
        if !loaded().any(|header| range(header).contains(&self.around)) {
            return 0;
        }
        // What the loader writes once, and then protects.
        let down = self.page - 1;
        let relro = headers.iter().find(|header| header.p_type == libc::PT_GNU_RELRO);
        let protected = relro.map_or(0..0, range);
        let protected = protected.start & !down..protected.end & !down;
        for header in loaded().filter(|header| header.p_flags & libc::PF_W != 0) {
            let part = range(header);
            let part = part.start & !down..part.end.next_multiple_of(self.page);
            if protected.is_empty() || protected.end <= part.start || part.end <= protected.start {
                self.push(part);
            } else {
                self.push(part.start..protected.start.max(part.start));
                self.push(protected.end.min(part.end)..part.end);
            }
        }
        1
    }
}
