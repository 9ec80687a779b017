//! The event loop: a table of operations that interrupts complete, a clock that the timer counts, and a processor that
//! stops while there is nothing to do.
//!
//! LOOP-1: the table is touched in critical sections only; so interrupts may complete what lies in it. LOOP-2: memory
//! that an operation lends is written while its entry is `Read`, and never after the step that makes it `Done`.
//! LOOP-3: an entry is `Done` until its completion is reported, by `turn` alone, which the program calls: interrupts
//! call nothing of the core but wakes. LOOP-4: the processor stops only if, with interrupts off, nothing is done and the
//! bell has not rung; interrupts are let in by the instruction before the stop, so none comes between look and stop.

use crate::interrupt::TICKS_PER_SECOND;
use crate::serial::{self, CONSOLE};
use core::arch::asm;
use core::cell::{Cell, RefCell};
use core::sync::atomic::{AtomicBool, Ordering};
use critical_section::{CriticalSection, Mutex};
use unboxed_core::event_loop::{
    Completion, Descriptor, Doorbell, EventLoop, Full, OpToken, RawFile, Reaper, Wait,
};
use unboxed_core::op::{Custom, custom};

/// Operations in flight at once.
const OPERATIONS: usize = 8;
const CODE_ALARM: u32 = 1;
const CANCELLED: i32 = -125;
const NOT_HERE: i32 = -38;

#[derive(Clone, Copy)]
enum Entry {
    Free,
    /// Ends with the tick that it names, from the timer's interrupt.
    Alarm {
        token: OpToken,
        tick: u64,
    },
    /// Ends with a line or a full buffer, from the serial port's interrupt.
    Read {
        token: OpToken,
        data: *mut u8,
        len: usize,
        count: usize,
    },
    Done {
        token: OpToken,
        result: i32,
    },
}

// SAFETY: LOOP-2.
unsafe impl Send for Entry {}

pub struct BareLoop {
    entries: Mutex<RefCell<[Entry; OPERATIONS]>>,
    ticks: Mutex<Cell<u64>>,
    rung: AtomicBool,
    attached: AtomicBool,
}

pub static LOOP: BareLoop = BareLoop {
    entries: Mutex::new(RefCell::new([Entry::Free; OPERATIONS])),
    ticks: Mutex::new(Cell::new(0)),
    rung: AtomicBool::new(false),
    attached: AtomicBool::new(false),
};

/// Ends with the first tick of the timer that is `ticks` from now or later; the output is that tick's number, as far as 31
/// bits hold it.
pub fn alarm(ticks: u64) -> Custom {
    // SAFETY: the arguments name no memory.
    unsafe { custom(CODE_ALARM, [ticks, 0, 0, 0]) }
}

impl BareLoop {
    /// From the timer's interrupt: counts, and completes what was due; returns the tick.
    pub fn tick(&self) -> u64 {
        critical_section::with(|cs| {
            let now = self.ticks.borrow(cs).get() + 1;
            self.ticks.borrow(cs).set(now);
            for entry in self.entries.borrow_ref_mut(cs).iter_mut() {
                if let Entry::Alarm { token, tick } = *entry
                    && tick <= now
                {
                    *entry = Entry::Done { token, result: (now & i32::MAX as u64) as i32 };
                }
            }
            now
        })
    }

    fn ticks(&self) -> u64 {
        critical_section::with(|cs| self.ticks.borrow(cs).get())
    }

    fn take_done(&self) -> Option<(OpToken, i32)> {
        critical_section::with(|cs| {
            let mut entries = self.entries.borrow_ref_mut(cs);
            let entry = entries.iter_mut().find(|entry| matches!(entry, Entry::Done { .. }))?;
            let Entry::Done { token, result } = core::mem::replace(entry, Entry::Free) else { return None };
            Some((token, result))
        })
    }

    fn has_done(&self, cs: CriticalSection<'_>) -> bool {
        self.entries.borrow_ref(cs).iter().any(|entry| matches!(entry, Entry::Done { .. }))
    }

    /// What becomes of an operation when it comes.
    fn begin(&self, cs: CriticalSection<'_>, token: OpToken, op: &Descriptor) -> Entry {
        let done = |result| Entry::Done { token, result };
        match *op {
            Descriptor::Nop => done(0),
            Descriptor::Custom { code: CODE_ALARM, args: [ticks, ..] } => {
                Entry::Alarm { token, tick: self.ticks.borrow(cs).get().saturating_add(ticks.max(1)) }
            }
            Descriptor::Recv { file: CONSOLE, len: 0, .. } => done(0),
            Descriptor::Recv { file: CONSOLE, data, len } => {
                serial::listen(true);
                Entry::Read { token, data, len: len as usize, count: 0 }
            }
            Descriptor::Send { file: CONSOLE, data, len } => {
                // SAFETY: R0: valid until the terminal completion, which comes later.
                serial::send(unsafe { core::slice::from_raw_parts(data, len as usize) });
                done(len as i32)
            }
            // Every operation ends, also one that this machine cannot do.
            _ => done(NOT_HERE),
        }
    }
}

/// From the serial port's interrupt: the bytes go where the oldest read wants them, straight into its task's block.
pub fn on_received() {
    critical_section::with(|cs| {
        let mut entries = LOOP.entries.borrow_ref_mut(cs);
        let Some(entry) = entries.iter_mut().find(|entry| matches!(entry, Entry::Read { .. })) else {
            return serial::listen(false);
        };
        let Entry::Read { token, data, len, count } = entry else { return };
        while let Some(byte) = serial::receive() {
            // SAFETY: LOOP-2 and R0: inside the lent memory, which is ours until the completion.
            unsafe { data.add(*count).write(byte) };
            *count += 1;
            if byte == b'\n' || count == len {
                *entry = Entry::Done { token: *token, result: *count as i32 };
                let more = entries.iter().any(|entry| matches!(entry, Entry::Read { .. }));
                // What comes next waits in the device until somebody reads again.
                return serial::listen(more);
            }
        }
    });
}

// SAFETY: an entry is made by `submit` and ends with one completion, by `turn` (LOOP-3); lent memory is not touched
// after that (LOOP-2); `submit`, `cancel` and `turn` call nothing foreign; `attach` lets one worker in.
unsafe impl EventLoop for BareLoop {
    fn attach(&self) -> bool {
        !self.attached.swap(true, Ordering::Acquire)
    }

    unsafe fn submit(&self, token: OpToken, op: &Descriptor) -> Result<(), Full> {
        critical_section::with(|cs| {
            let mut entries = self.entries.borrow_ref_mut(cs);
            let room = entries.iter_mut().find(|entry| matches!(entry, Entry::Free)).ok_or(Full)?;
            *room = self.begin(cs, token, op);
            Ok(())
        })
    }

    fn cancel(&self, wanted: OpToken) -> Result<(), Full> {
        critical_section::with(|cs| {
            for entry in self.entries.borrow_ref_mut(cs).iter_mut() {
                match *entry {
                    Entry::Alarm { token, .. } | Entry::Read { token, .. } if token == wanted => {
                        *entry = Entry::Done { token, result: CANCELLED };
                    }
                    _ => {}
                }
            }
        });
        Ok(())
    }

    fn turn(&self, wait: Wait, reaper: &mut Reaper<'_>) {
        loop {
            while !reaper.is_full()
                && let Some((token, result)) = self.take_done()
            {
                reaper.complete(token, result, Completion::Last);
            }
            let over = match wait {
                Wait::No => true,
                Wait::Forever => false,
                Wait::Until(deadline) => self.now() >= deadline,
            };
            if over || reaper.reaped() > 0 || self.rung.swap(false, Ordering::Acquire) {
                return;
            }
            self.stop_until_an_interrupt();
        }
    }

    /// To the tick: the wheel above never fires early, and a tick late at most.
    fn now(&self) -> u64 {
        self.ticks() * u64::from(1_000_000_000 / TICKS_PER_SECOND)
    }

    fn doorbell(&self) -> &'static dyn Doorbell {
        &LOOP
    }

    fn close_file(&self, _: RawFile) {
        serial::listen(false);
    }

    fn close(&self) {
        self.attached.store(false, Ordering::Release);
    }
}

impl BareLoop {
    fn stop_until_an_interrupt(&self) {
        critical_section::with(|cs| {
            if !self.has_done(cs) && !self.rung.load(Ordering::Relaxed) {
                // SAFETY: LOOP-4. Interrupts come after the instruction that follows `sti`; off again afterwards, as
                // the section expects.
                unsafe { asm!("sti", "hlt", "cli", options(nostack)) };
            }
        });
    }
}

impl Doorbell for BareLoop {
    fn ring(&self) {
        self.rung.store(true, Ordering::Release);
    }
}
