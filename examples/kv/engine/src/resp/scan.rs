//! Where a request ends, found byte by byte, so that it may be cut anywhere.
//!
//! The scanner keeps nothing of a request but its state: what was scanned is not looked at again, and a
//! request that is not stored at all (the memory is full) can still be skipped to its end.

use crate::limits::{MAX_ARGS, MAX_INLINE, MAX_VALUE};
use crate::number;

/// How a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An array of bulk strings.
    Array,
    /// A line of words.
    Inline,
}

/// A request that is none; the connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtocolError {
    /// The number of arguments is none, or too large.
    ArrayLength,
    /// The length of an argument is none, or too large.
    BulkLength,
    /// Another byte than `$` before an argument.
    Expected(u8),
    /// An argument is longer or shorter than it says.
    BulkEnd,
    /// An inline request without end.
    InlineLength,
    /// Quotes of an inline request do not match.
    Quotes,
}

impl core::fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::ArrayLength => f.write_str("invalid multibulk length"),
            Self::BulkLength => f.write_str("invalid bulk length"),
            Self::Expected(byte) if byte.is_ascii_graphic() => {
                write!(f, "expected '$', got '{}'", *byte as char)
            }
            Self::Expected(byte) => write!(f, "expected '$', got byte {byte}"),
            Self::BulkEnd => f.write_str("expected CRLF after a bulk string"),
            Self::InlineLength => f.write_str("too big inline request"),
            Self::Quotes => f.write_str("unbalanced quotes in request"),
        }
    }
}

/// What a scan found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scanned {
    /// The request goes on behind these bytes.
    Partial,
    /// It ends with the last byte that was taken.
    Complete(Kind),
    /// It is none.
    Bad(ProtocolError),
}

/// A header line's number, of at most 20 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Digits {
    text: [u8; 20],
    len: u8,
}

impl Digits {
    const NONE: Self = Self { text: [0; 20], len: 0 };

    fn push(&mut self, byte: u8) -> bool {
        let fits = usize::from(self.len) < self.text.len();
        if fits {
            self.text[usize::from(self.len)] = byte;
            self.len += 1;
        }
        fits
    }

    fn number(&self) -> Option<i64> {
        number::parse(&self.text[..self.len.into()])
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Inline {
        len: usize,
    },
    /// In the line of the array's length, or, with a byte seen, at its line feed.
    Count {
        cr: bool,
    },
    Mark,
    Length {
        cr: bool,
    },
    Data {
        left: usize,
    },
    DataCr,
    DataLf,
}

/// The state of one request's scan.
#[derive(Debug, Clone)]
pub struct Scanner {
    state: State,
    args: usize,
    digits: Digits,
}

impl Default for Scanner {
    fn default() -> Self {
        Self::new()
    }
}

impl Scanner {
    /// Before a request.
    pub const fn new() -> Self {
        Self { state: State::Start, args: 0, digits: Digits::NONE }
    }

    /// Takes bytes up to the request's end; how many were taken.
    pub fn scan(&mut self, bytes: &[u8]) -> (usize, Scanned) {
        let mut at = 0;
        while at < bytes.len() {
            if let State::Data { left } = &mut self.state {
                let count = (*left).min(bytes.len() - at);
                *left -= count;
                at += count;
                if *left == 0 {
                    self.state = State::DataCr;
                }
                continue;
            }
            if let State::Inline { len } = &mut self.state {
                let rest = &bytes[at..];
                let end = rest.iter().position(|byte| *byte == b'\n');
                *len += end.unwrap_or(rest.len());
                at += end.map_or(rest.len(), |end| end + 1);
                if *len > MAX_INLINE {
                    return (at, self.bad(ProtocolError::InlineLength));
                }
                if end.is_some() {
                    return (at, self.complete(Kind::Inline));
                }
                continue;
            }
            let step = self.byte(bytes[at]);
            // The byte that shows a line to be inline belongs to the line.
            at += usize::from(!matches!(self.state, State::Inline { .. }));
            match step {
                Scanned::Partial => {}
                ended => return (at, ended),
            }
        }
        (at, Scanned::Partial)
    }

    fn byte(&mut self, byte: u8) -> Scanned {
        match self.state {
            State::Start if byte == b'*' => self.state = State::Count { cr: false },
            State::Start => self.state = State::Inline { len: 0 },
            State::Count { cr: false } | State::Length { cr: false } => return self.digit(byte),
            State::Count { cr: true } => return self.count(byte),
            State::Mark if byte == b'$' => {
                (self.state, self.digits) = (State::Length { cr: false }, Digits::NONE);
            }
            State::Mark => return self.bad(ProtocolError::Expected(byte)),
            State::Length { cr: true } => return self.length(byte),
            State::DataCr if byte == b'\r' => self.state = State::DataLf,
            State::DataLf if byte == b'\n' => {
                self.args -= 1;
                if self.args == 0 {
                    return self.complete(Kind::Array);
                }
                self.state = State::Mark;
            }
            State::DataCr | State::DataLf => return self.bad(ProtocolError::BulkEnd),
            State::Inline { .. } | State::Data { .. } => unreachable!("taken as a whole"),
        }
        Scanned::Partial
    }

    fn digit(&mut self, byte: u8) -> Scanned {
        let (State::Count { cr } | State::Length { cr }) = &mut self.state else { return Scanned::Partial };
        if byte == b'\r' {
            *cr = true;
            return Scanned::Partial;
        }
        if self.digits.push(byte) {
            return Scanned::Partial;
        }
        let of_array = matches!(self.state, State::Count { .. });
        self.bad(if of_array { ProtocolError::ArrayLength } else { ProtocolError::BulkLength })
    }

    fn count(&mut self, byte: u8) -> Scanned {
        let number = self.digits.number().filter(|n| *n <= MAX_ARGS as i64 && byte == b'\n');
        match number {
            None => self.bad(ProtocolError::ArrayLength),
            // As Redis does: an empty array asks for nothing.
            Some(..=0) => self.complete(Kind::Array),
            Some(count) => {
                self.args = count as usize;
                self.state = State::Mark;
                Scanned::Partial
            }
        }
    }

    fn length(&mut self, byte: u8) -> Scanned {
        let number = self.digits.number().filter(|n| (0..=MAX_VALUE as i64).contains(n) && byte == b'\n');
        match number {
            None => self.bad(ProtocolError::BulkLength),
            Some(0) => self.go(State::DataCr),
            Some(len) => self.go(State::Data { left: len as usize }),
        }
    }

    fn go(&mut self, state: State) -> Scanned {
        self.state = state;
        Scanned::Partial
    }

    fn complete(&mut self, kind: Kind) -> Scanned {
        *self = Self::new();
        Scanned::Complete(kind)
    }

    fn bad(&mut self, error: ProtocolError) -> Scanned {
        *self = Self::new();
        Scanned::Bad(error)
    }
}
