//! How urgent the workers' threads are to the system: a real-time priority, a nice level.

use super::StartError;
use std::io;

/// What each worker's thread asks for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Urgency {
    /// SCHED_FIFO with this priority, 1 to 99.
    pub realtime: Option<u8>,
    /// -20 to 19.
    pub nice: Option<i8>,
}

/// What a thread had before.
#[derive(Debug)]
pub(super) struct Before {
    policy: i32,
    priority: i32,
    nice: i32,
    asked: Urgency,
}

impl Urgency {
    /// For the calling thread. Threads that it starts do not have the priority, whatever starts them.
    ///
    /// # Errors
    /// [`StartError::Nice`], [`StartError::Realtime`]; then the thread is as it was.
    pub fn apply(self) -> Result<Before, StartError> {
        // Dropped on the way, it undoes the first step.
        let before = Before::now(self);
        if let Some(level) = self.nice
            && let Err(error) = set_nice(i32::from(level))
        {
            return Err(StartError::Nice { level, limit: soft_limit(libc::RLIMIT_NICE), error });
        }
        if let Some(priority) = self.realtime
            && let Err(error) = set_policy(libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK, i32::from(priority))
        {
            return Err(StartError::Realtime { priority, limit: soft_limit(libc::RLIMIT_RTPRIO), error });
        }
        Ok(before)
    }
}

impl Before {
    fn now(asked: Urgency) -> Self {
        let mut param = libc::sched_param { sched_priority: 0 };
        // SAFETY: numbers, and a record of our own that the second call writes. Zero is the calling thread, which
        // exists and may be asked about.
        unsafe {
            let policy = libc::syscall(libc::SYS_sched_getscheduler, 0) as i32;
            libc::syscall(libc::SYS_sched_getparam, 0, &raw mut param);
            // -1 is a level like others here: it cannot fail.
            let nice = libc::getpriority(libc::PRIO_PROCESS, 0);
            Self { policy, priority: param.sched_priority, nice, asked }
        }
    }

    /// For a thread that ends with its runtime.
    pub fn keep(self) {
        std::mem::forget(self);
    }

    /// Gives the calling thread back what it had, as far as the system allows: who may make himself less urgent
    /// may not always undo it.
    fn restore(&self) {
        if self.asked.realtime.is_some() && set_policy(self.policy, self.priority).is_err() {
            // To take the flag back is a privilege.
            let _ = set_policy(self.policy | libc::SCHED_RESET_ON_FORK, self.priority);
        }
        self.restore_nice();
    }

    fn restore_nice(&self) {
        if self.asked.nice.is_some() {
            let _ = set_nice(self.nice);
        }
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        self.restore();
    }
}

/// The calling thread's alone: the system's threads have a level each, in spite of POSIX.
fn set_nice(level: i32) -> io::Result<()> {
    // SAFETY: numbers.
    match unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, level) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn set_policy(policy: i32, priority: i32) -> io::Result<()> {
    let param = libc::sched_param { sched_priority: priority };
    // SAFETY: numbers, and a live record that is read.
    match unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const param) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A limit of the process as it is now; the largest number where there is none.
pub(super) fn soft_limit(which: libc::__rlimit_resource_t) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes a record of our own; the number is one of the system's.
    unsafe { libc::getrlimit(which, &raw mut limit) };
    limit.rlim_cur
}
