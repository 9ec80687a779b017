//! Which processors the process may use, and binding a thread to one.

use std::io;
use std::mem::{MaybeUninit, size_of};

fn allowed() -> io::Result<libc::cpu_set_t> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: the kernel writes the set, which is ours and of this size.
    let got = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), set.as_mut_ptr()) };
    if got != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: zeroed, and then written.
    Ok(unsafe { set.assume_init() })
}

fn each(set: &libc::cpu_set_t) -> impl Iterator<Item = usize> + Clone + '_ {
    // SAFETY: the number is below the set's size.
    (0..libc::CPU_SETSIZE as usize).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, set) })
}

/// How many; one where the kernel does not say.
pub(super) fn allowed_count() -> usize {
    allowed().map_or(1, |set| each(&set).count().max(1))
}

/// Binds the calling thread to the `index`th of `set`, from the start again after the last.
fn bind_within(index: usize, set: &libc::cpu_set_t) -> io::Result<()> {
    let count = each(set).count().max(1);
    let cpu = each(set).nth(index % count).ok_or(io::ErrorKind::NotFound)?;
    let mut one = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: zeroed is the empty set; the number came out of a set of the same size.
    let set = unsafe {
        libc::CPU_SET(cpu, &mut *one.as_mut_ptr());
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), one.as_ptr())
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The processors of the thread that starts a runtime, so that all its workers choose from the same ones.
#[derive(Clone, Copy)]
pub(super) struct Cpus(libc::cpu_set_t);

impl Cpus {
    pub fn of_this_thread() -> io::Result<Self> {
        allowed().map(Self)
    }

    /// Binds the calling thread to the `index`th.
    pub fn bind(&self, index: usize) -> io::Result<()> {
        bind_within(index, &self.0)
    }
}
