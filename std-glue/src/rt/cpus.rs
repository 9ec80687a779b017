//! Which processors the process may use, and binding workers to them.

use super::StartError;
use std::cell::Cell;
use std::io;
use std::mem::{MaybeUninit, size_of, size_of_val};
use std::sync::atomic::{AtomicU16, Ordering};
use unboxed_core::exec::WORKERS_MAX;

thread_local! {
    /// Where this thread might run before it was bound.
    static BEFORE: Cell<Option<libc::cpu_set_t>> = const { Cell::new(None) };
}

/// How many runtimes have left each processor to a thread of the kernel's.
static KEPT: [AtomicU16; libc::CPU_SETSIZE as usize] =
    [const { AtomicU16::new(0) }; libc::CPU_SETSIZE as usize];

/// While it lives, threads for computing that start keep off a processor.
#[derive(Debug)]
pub(super) struct Kept(u32);

impl Kept {
    pub fn new(cpu: u32) -> Option<Self> {
        KEPT.get(cpu as usize)?.fetch_add(1, Ordering::Relaxed);
        Some(Self(cpu))
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        KEPT[self.0 as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

/// Where the workers run.
#[derive(Clone, Copy, Debug)]
pub(super) enum Affinity {
    /// Wherever the system puts them.
    Any,
    /// Each on one of its own, in turn through those that the process may use.
    InTurn,
    /// Each on one of these, in turn.
    Listed(List),
}

/// Numbers of processors, as many as there can be workers.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    cpus: [u32; WORKERS_MAX],
    len: usize,
}

impl List {
    /// # Panics
    /// When there are none, or more than there can be workers.
    pub const fn new(cpus: &[u32]) -> Self {
        assert!(!cpus.is_empty(), "unboxed: workers need at least one processor");
        assert!(
            cpus.len() <= WORKERS_MAX,
            "unboxed: a runtime has at most 32 workers, so no more processors"
        );
        let mut list = Self { cpus: [0; WORKERS_MAX], len: cpus.len() };
        let mut index = 0;
        while index < cpus.len() {
            list.cpus[index] = cpus[index];
            index += 1;
        }
        list
    }

    fn names(&self, cpu: usize) -> bool {
        self.cpus[..self.len].iter().any(|&named| named as usize == cpu)
    }

    fn of(&self, worker: usize) -> usize {
        self.cpus[worker % self.len] as usize
    }
}

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

fn has(set: &libc::cpu_set_t, cpu: usize) -> bool {
    // SAFETY: the number is below the set's size.
    cpu < libc::CPU_SETSIZE as usize && unsafe { libc::CPU_ISSET(cpu, set) }
}

fn each(set: &libc::cpu_set_t) -> impl Iterator<Item = usize> + Clone + '_ {
    (0..libc::CPU_SETSIZE as usize).filter(|&cpu| has(set, cpu))
}

/// How many; one where the kernel does not say.
pub(super) fn allowed_count() -> usize {
    allowed().map_or(1, |set| each(&set).count().max(1))
}

/// The last processor that the process may use and that no worker was given by name; `None` if there is no such.
pub(super) fn last_free(affinity: &Affinity) -> io::Result<Option<u32>> {
    let allowed = allowed()?;
    let taken = |cpu: usize| matches!(affinity, Affinity::Listed(list) if list.names(cpu));
    Ok(each(&allowed).filter(|&cpu| !taken(cpu)).last().map(|cpu| cpu as u32))
}

/// The set without one processor, unless nothing would be left.
fn without(set: &libc::cpu_set_t, cpu: u32) -> libc::cpu_set_t {
    let mut rest = *set;
    if has(set, cpu as usize) {
        // SAFETY: the number is below the set's size.
        unsafe { libc::CPU_CLR(cpu as usize, &mut rest) };
    }
    if each(&rest).next().is_some() { rest } else { *set }
}

fn bind_to(set: &libc::cpu_set_t) -> io::Result<()> {
    // SAFETY: a live set of this size.
    let bound = unsafe { libc::sched_setaffinity(0, size_of_val(set), set) };
    if bound == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The processors of one start. They are those of the thread that starts it, so that all its workers choose
/// from the same ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cpus {
    /// What the starting thread might use before.
    before: libc::cpu_set_t,
    /// The same without what is kept from the workers.
    allowed: libc::cpu_set_t,
    way: Way,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    /// Each worker runs on any of them.
    Whole,
    InTurn,
    Listed(List),
}

impl Cpus {
    /// None where the workers are bound to nothing. Those that are not placed by name stay off `kept`.
    ///
    /// # Errors
    /// Before any worker has started, when one of them may not run where it should.
    pub fn of(affinity: Affinity, workers: usize, kept: Option<u32>) -> Result<Option<Self>, StartError> {
        let way = match (affinity, kept) {
            (Affinity::Any, None) => return Ok(None),
            (Affinity::Any, Some(_)) => Way::Whole,
            (Affinity::InTurn, _) => Way::InTurn,
            (Affinity::Listed(list), _) => Way::Listed(list),
        };
        let before = allowed().map_err(StartError::Thread)?;
        let allowed = match (way, kept) {
            (Way::Whole | Way::InTurn, Some(cpu)) => without(&before, cpu),
            _ => before,
        };
        let cpus = Self { before, allowed, way };
        match (0..workers).map(|worker| (worker, cpus.of_worker(worker))).find(|&(_, cpu)| !cpus.allows(cpu))
        {
            Some((worker, cpu)) => Err(StartError::Cpu { worker, cpu }),
            None => Ok(Some(cpus)),
        }
    }

    fn allows(&self, cpu: usize) -> bool {
        has(&self.allowed, cpu)
    }

    /// In turn, and from the start again after the last.
    fn of_worker(&self, worker: usize) -> usize {
        match self.way {
            Way::Listed(list) => list.of(worker),
            Way::Whole | Way::InTurn => each(&self.allowed).cycle().nth(worker).unwrap_or(0),
        }
    }

    /// Binds the calling thread to its worker's processors.
    pub fn bind(&self, worker: usize) -> io::Result<()> {
        BEFORE.set(Some(self.before));
        if matches!(self.way, Way::Whole) {
            return bind_to(&self.allowed);
        }
        // SAFETY: zeroed is the empty set.
        let mut one: libc::cpu_set_t = unsafe { MaybeUninit::zeroed().assume_init() };
        // SAFETY: the number is one of those allowed, so below the set's size.
        unsafe { libc::CPU_SET(self.of_worker(worker), &mut one) };
        bind_to(&one)
    }

    /// Lets the calling thread run again wherever it might before.
    pub fn unbind(&self) {
        // A refusal would mean that the process has lost all of these meanwhile.
        let _ = bind_to(&self.before);
        BEFORE.set(None);
    }
}

/// Where a thread of a pool runs: it would inherit the processors of the worker that happens to start it.
#[derive(Clone, Copy)]
pub(crate) struct PoolCpus(Option<libc::cpu_set_t>);

impl PoolCpus {
    /// Wherever this thread might run before it was bound.
    pub fn any() -> Self {
        Self(BEFORE.get())
    }

    /// The same without the processors of kernel threads that take submissions, if others are left.
    pub fn for_computing() -> Self {
        let Some(mut set) = BEFORE.get().or_else(|| allowed().ok()) else { return Self(None) };
        for (cpu, kept) in KEPT.iter().enumerate() {
            if kept.load(Ordering::Relaxed) > 0 {
                set = without(&set, cpu as u32);
            }
        }
        Self(Some(set))
    }

    /// For the calling thread. A refusal means that the process has lost all of these meanwhile, and changes nothing.
    pub fn bind(&self) {
        if let Some(set) = &self.0 {
            let _ = bind_to(set);
        }
    }
}
