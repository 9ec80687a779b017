//! What the attributes must take, without a word from any lint. The bodies on one line are meant so.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, unused_qualifications)]

use std::rc::Rc;
use unboxed::task::Bytes;

/// The user's own names, which must not be mistaken for the expansion's.
static POOL: u8 = 1;
static RUNTIME: u8 = 1;
const CONNECTIONS: usize = 2;

#[unboxed::task(pool = CONNECTIONS, max_size = 16 * 64)]
async fn one_line(args: u8, token: u8) -> u8 { POOL + args + token }

#[unboxed::task(bytes = CONNECTIONS * 8)]
async fn one_line_of_bytes(args: u8, mut bytes: Bytes<'_>) -> u8 { bytes[0] = args; POOL }

#[unboxed::task(bytes = 8)]
async fn r#type(bytes: Bytes<'_>) {
    drop(bytes);
}

#[unboxed::task]
async fn patterns((_a, _b): (u8, u8), argument_0: u8, _: u8) -> u8 {
    argument_0
}

#[unboxed::task(local, pool = 2, ops = 0)]
async fn forever(mut rc: Rc<u8>) -> ! {
    loop {
        rc = Rc::new(*rc);
        unboxed::yield_now().await;
    }
}

#[unboxed::task(bytes = 8)]
async fn forever_with_bytes(bytes: Bytes<'_>) -> ! {
    let _bytes = bytes;
    std::future::pending().await
}

#[unboxed::task]
async fn starts_itself(again: u8) {
    if again > 0 {
        starts_itself::spawn(again - 1).unwrap().detach();
    }
}

#[unboxed::task]
async fn never_started() {}

#[unboxed::task]
#[deprecated]
#[cfg(not(windows))]
#[expect(unused_variables)]
async fn with_attributes(unused: u8, #[allow(unused_mut)] mut other: u8) {
    #![allow(unreachable_code)]
    return;
    let _ = other;
}

#[unboxed::task]
#[cfg(windows)]
async fn left_out(no: Such) {}

#[unboxed::task]
async fn statics(_a: &'static str, _b: fn(&u8) -> &u8, _c: Box<dyn Fn(&u8) -> &u8 + Send>) -> &'static str {
    "static"
}

macro_rules! tasks {
    ($name:ident, $vis:vis, $number:expr, $arg:ty, $bytes:ty, $crate_:path) => {
        #[unboxed::task(bytes = $number, crate = $crate_)]
        $vis async fn $name(arg: $arg, mut bytes: $bytes) {
            bytes[0] = arg;
        }
    };
}

tasks!(by_a_macro, pub(crate), 64, u8, Bytes<'_>, ::unboxed);

/// Documentation stays.
pub mod public {
    /// So does this.
    #[unboxed::task]
    pub async fn task() {}
}

/// The output's type reaches into the body.
#[unboxed::main(entries = 8, spares = 1)]
#[allow(dead_code)]
async fn coerces() -> Result<u8, Box<dyn std::error::Error>> {
    if one_line::memory().blocks == 0 || RUNTIME == r#type::memory().blocks as u8 + 1 {
        return Err(Box::new(std::fmt::Error));
    }
    Ok("1".parse()?)
}

fn main() {
    #[unboxed::task]
    async fn within_a_function(_local: Local) {}
    struct Local;

    assert_eq!(one_line::memory().name, "one_line");
    assert_eq!(one_line::memory().blocks, 2);
    assert_eq!(within_a_function::memory().blocks, 1);
    assert_eq!(by_a_macro::memory().used, 0);
    let _ = (one_line_of_bytes::memory(), patterns::memory(), forever::memory(), forever_with_bytes::memory());
    let _ = (starts_itself::memory(), statics::memory(), public::task::memory());
}
