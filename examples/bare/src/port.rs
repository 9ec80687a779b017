//! The processor's input and output ports.
//!
//! PORT-1: a port's address names a device, and touches no memory of the program.

use core::arch::asm;

/// # Safety
/// PORT-1, and what the device does with the value harms nobody.
pub unsafe fn write(port: u16, value: u8) {
    // SAFETY: PORT-1.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack, preserves_flags)) };
}

/// # Safety
/// As [`write`].
pub unsafe fn write_u32(port: u16, value: u32) {
    // SAFETY: PORT-1.
    unsafe { asm!("out dx, eax", in("dx") port, in("eax") value, options(nomem, nostack, preserves_flags)) };
}

/// # Safety
/// PORT-1, and reading the device harms nobody.
pub unsafe fn read(port: u16) -> u8 {
    let value;
    // SAFETY: PORT-1.
    unsafe { asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack, preserves_flags)) };
    value
}
