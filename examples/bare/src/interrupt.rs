//! The timer's and the serial port's interrupts, and what the core needs to know of interrupts at all.
//!
//! IRQ-1: a handler runs on a stack of its own (the interrupt stack table), saves every register that Rust code may
//! use, and runs with interrupts off, so handlers do not nest. IRQ-2: what both a handler and the program touch is
//! touched in a critical section, which turns interrupts off. IRQ-3: a handler is not the program: while one runs,
//! the thread's current worker is nobody (see `current_cell`), so a wake goes through the worker's inbox, as one from
//! another thread would, and never into a run queue in whose middle the program was interrupted.

use crate::event_loop::{self, LOOP};
use crate::{port, say};
use core::arch::{asm, naked_asm};
use core::cell::{Cell, UnsafeCell};
use core::ptr::{self, addr_of};
use core::sync::atomic::{AtomicBool, Ordering};
use unboxed_core::exec::Worker;

/// How often the timer interrupts.
pub const TICKS_PER_SECOND: u32 = 1000;

const TIMER: usize = 32;
const SERIAL: usize = 36;

/// Memory that is written before the first interrupt, or by handlers alone.
#[repr(C, align(16))]
struct Early<T>(UnsafeCell<T>);

// SAFETY: BOOT-1, then IRQ-1.
unsafe impl<T> Sync for Early<T> {}

#[repr(C, packed)]
#[derive(Clone, Copy)]
struct Gate {
    low: u16,
    segment: u16,
    stack: u8,
    kind: u8,
    middle: u16,
    high: u32,
    zero: u32,
}

const NO_GATE: Gate = Gate { low: 0, segment: 0, stack: 0, kind: 0, middle: 0, high: 0, zero: 0 };
static GATES: Early<[Gate; 48]> = Early(UnsafeCell::new([NO_GATE; 48]));
static STACK: Early<[u8; 16384]> = Early(UnsafeCell::new([0; 16384]));
/// The task state segment: 26 words of 4 bytes, of which only the first interrupt stack matters (word 9).
static TASK_STATE: Early<[u32; 26]> = Early(UnsafeCell::new([0; 26]));

#[repr(C, packed)]
struct Table {
    limit: u16,
    base: u64,
}

unsafe extern "C" {
    static mut gdt: [u64; 5];
}

/// Sets up tables, controllers and the timer, and lets interrupts come.
pub fn init() {
    let stack = STACK.0.get().addr() as u64 + size_of::<[u8; 16384]>() as u64;
    let state = TASK_STATE.0.get().addr() as u64;
    // SAFETY: BOOT-1: nobody else runs yet; the tables are static and stay.
    unsafe {
        let words = TASK_STATE.0.get().cast::<u32>();
        words.add(9).write(stack as u32);
        words.add(10).write((stack >> 32) as u32);
        words.add(25).write(104 << 16);
        let entry = ptr::addr_of_mut!(gdt).cast::<u64>();
        entry.add(3).write(103 | (state & 0xFF_FFFF) << 16 | 0x89 << 40 | (state >> 24 & 0xFF) << 56);
        entry.add(4).write(state >> 32);
        for vector in 0..TIMER {
            set_gate(vector, fault_entry);
        }
        set_gate(TIMER, timer_entry);
        set_gate(SERIAL, serial_entry);
        let table = Table { limit: size_of::<[Gate; 48]>() as u16 - 1, base: GATES.0.get().addr() as u64 };
        asm!("lidt [{}]", in(reg) addr_of!(table), options(readonly, nostack, preserves_flags));
        asm!("ltr {:x}", in(reg) 24_u16, options(nomem, nostack, preserves_flags));
    }
    start_controllers();
    // SAFETY: IRQ-1: every vector that can come has its gate.
    unsafe { asm!("sti", options(nostack)) };
}

/// # Safety
/// BOOT-1.
unsafe fn set_gate(vector: usize, entry: extern "C" fn()) {
    let address = entry as *const () as u64;
    let gate = Gate {
        low: address as u16,
        segment: 8,
        stack: 1,
        kind: 0x8E,
        middle: (address >> 16) as u16,
        high: (address >> 32) as u32,
        zero: 0,
    };
    // SAFETY: BOOT-1; the vector is below 48.
    unsafe { GATES.0.get().cast::<Gate>().add(vector).write(gate) };
}

/// Both interrupt controllers (8259) from vector 32 on, with timer and serial port let through; the timer (8254).
fn start_controllers() {
    let divisor = (1_193_182 / TICKS_PER_SECOND) as u16;
    let writes = [
        (0x20, 0x11),
        (0xA0, 0x11),
        (0x21, TIMER as u8),
        (0xA1, TIMER as u8 + 8),
        (0x21, 4),
        (0xA1, 2),
        (0x21, 1),
        (0xA1, 1),
        (0x21, !(1 << 0 | 1 << 4)),
        (0xA1, 0xFF),
        (0x43, 0x34),
        (0x40, divisor as u8),
        (0x40, (divisor >> 8) as u8),
    ];
    for (to, value) in writes {
        // SAFETY: PORT-1: the controllers and the timer are ours alone.
        unsafe { port::write(to, value) };
    }
}

/// The way into a handler and back (IRQ-1).
macro_rules! entry {
    ($name:ident, $handler:ident) => {
        #[unsafe(naked)]
        extern "C" fn $name() {
            naked_asm!(
                "push rax", "push rcx", "push rdx", "push rsi", "push rdi",
                "push r8", "push r9", "push r10", "push r11",
                // The processor aligns the stack and pushes five words: with these nine it is aligned again.
                "sub rsp, 512",
                "fxsave64 [rsp]",
                "cld",
                "call {handler}",
                "fxrstor64 [rsp]",
                "add rsp, 512",
                "pop r11", "pop r10", "pop r9", "pop r8",
                "pop rdi", "pop rsi", "pop rdx", "pop rcx", "pop rax",
                "iretq",
                handler = sym $handler,
            )
        }
    };
}

entry!(timer_entry, on_timer);
entry!(serial_entry, on_serial);
entry!(fault_entry, on_fault);

static INSIDE: AtomicBool = AtomicBool::new(false);

/// Runs a handler as nobody's program (IRQ-3), and tells the controller that it is done.
fn handle(handler: impl FnOnce()) {
    INSIDE.store(true, Ordering::Relaxed);
    handler();
    INSIDE.store(false, Ordering::Relaxed);
    // SAFETY: PORT-1: the end of an interrupt, to the first controller.
    unsafe { port::write(0x20, 0x20) };
}

extern "C" fn on_timer() {
    handle(|| {
        let tick = LOOP.tick();
        crate::on_tick(tick);
    });
}

extern "C" fn on_serial() {
    handle(event_loop::on_received);
}

extern "C" fn on_fault() {
    say!("a processor fault");
    crate::boot::exit(crate::FAILED);
}

struct CurrentWorker(Cell<*const Worker>);

// SAFETY: BOOT-1 and IRQ-3: one cell is the program's, the other the handlers'.
unsafe impl Sync for CurrentWorker {}

static OF_PROGRAM: CurrentWorker = CurrentWorker(Cell::new(ptr::null()));
static OF_HANDLERS: CurrentWorker = CurrentWorker(Cell::new(ptr::null()));

/// Where the thread of execution that asks keeps its worker; a handler is one of its own, and has none (IRQ-3).
fn current_cell() -> *const Cell<*const Worker> {
    let inside = INSIDE.load(Ordering::Relaxed);
    ptr::from_ref(if inside { &OF_HANDLERS.0 } else { &OF_PROGRAM.0 })
}

unboxed_core::current_worker_cell!(unsafe current_cell());

struct InterruptsOff;
critical_section::set_impl!(InterruptsOff);

// SAFETY: IRQ-2: on the one core nothing comes between while interrupts are off.
unsafe impl critical_section::Impl for InterruptsOff {
    unsafe fn acquire() -> bool {
        let flags: u64;
        // SAFETY: it reads the flags and turns interrupts off; not `nomem`, so no access moves across.
        unsafe { asm!("pushfq", "pop {}", "cli", out(reg) flags) };
        flags & 1 << 9 != 0
    }

    unsafe fn release(were_on: bool) {
        if were_on {
            // SAFETY: as they were before.
            unsafe { asm!("sti", options(nostack)) };
        }
    }
}
