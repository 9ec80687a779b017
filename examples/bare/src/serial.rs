//! The first serial port (a 16550): text out, and bytes in by interrupt.

use crate::port;
use core::fmt;

const BASE: u16 = 0x3F8;
const INTERRUPTS: u16 = BASE + 1;
const LINE_STATUS: u16 = BASE + 5;
const RECEIVED: u8 = 1;
const ROOM_TO_SEND: u8 = 1 << 5;

/// Its number as a file of this machine.
pub const CONSOLE: i32 = 0;

/// Eight bits, no parity, and the interrupt line connected but no interrupt asked for.
pub fn init() {
    // SAFETY: PORT-1: the serial port is ours alone.
    unsafe {
        port::write(INTERRUPTS, 0);
        port::write(BASE + 3, 0x03);
        port::write(BASE + 4, 0x0B);
    }
}

/// Sends bytes, and waits while the device has no room.
pub fn send(bytes: &[u8]) {
    for byte in bytes {
        // SAFETY: PORT-1: as above.
        unsafe {
            while port::read(LINE_STATUS) & ROOM_TO_SEND == 0 {}
            port::write(BASE, *byte);
        }
    }
}

/// Asks for an interrupt while there is a received byte, or for none: then it waits in the device.
pub fn listen(on: bool) {
    // SAFETY: PORT-1: as above.
    unsafe { port::write(INTERRUPTS, u8::from(on)) };
}

/// A received byte, if there is one.
pub fn receive() -> Option<u8> {
    // SAFETY: PORT-1: as above.
    unsafe { (port::read(LINE_STATUS) & RECEIVED != 0).then(|| port::read(BASE)) }
}

/// For `write!`.
pub struct Text;

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        send(text.as_bytes());
        Ok(())
    }
}

/// Prints a line on the serial port.
#[macro_export]
macro_rules! say {
    ($($arg:tt)*) => {{
        use core::fmt::Write;
        let _ = writeln!($crate::serial::Text, $($arg)*);
    }};
}
