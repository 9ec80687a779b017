//! A request as a line of words, as a person types it.

use super::scan::ProtocolError;

/// The first word of a line, and what follows it. Words are parted by white space.
pub fn split(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.trim_ascii_start();
    let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
    line.split_at(end)
}

/// The words of a line with quotes: `"a b\n\x00"` with escapes, `'a b'` with `\'` alone.
#[derive(Debug, Clone)]
pub struct Quotes<'a> {
    rest: &'a [u8],
}

impl<'a> Quotes<'a> {
    /// The words of `line`.
    pub fn new(line: &'a [u8]) -> Self {
        Self { rest: line.trim_ascii() }
    }

    /// Whether a line needs this.
    pub fn are_in(line: &[u8]) -> bool {
        line.iter().any(|byte| matches!(byte, b'"' | b'\''))
    }

    /// Gives the next word to `put`, byte by byte; whether there was one.
    ///
    /// # Errors
    /// [`ProtocolError::Quotes`].
    pub fn next(&mut self, mut put: impl FnMut(u8)) -> Result<bool, ProtocolError> {
        self.rest = self.rest.trim_ascii_start();
        let mut quote = None;
        let mut any = false;
        while let [byte, rest @ ..] = self.rest {
            any = true;
            let mut used = 1;
            match (quote, *byte) {
                (None, space) if space.is_ascii_whitespace() => break,
                (None, mark @ (b'"' | b'\'')) => quote = Some(mark),
                (Some(mark), byte) if byte == mark => {
                    // A closing quote ends the word.
                    if rest.first().is_some_and(|next| !next.is_ascii_whitespace()) {
                        return Err(ProtocolError::Quotes);
                    }
                    quote = None;
                }
                (Some(b'"'), b'\\') => {
                    let (byte, len) = escape(rest);
                    put(byte);
                    used += len;
                }
                (Some(b'\''), b'\\') if rest.first() == Some(&b'\'') => {
                    put(b'\'');
                    used += 1;
                }
                (_, byte) => put(byte),
            }
            self.rest = &self.rest[used..];
        }
        if quote.is_some() { Err(ProtocolError::Quotes) } else { Ok(any) }
    }
}

/// What an escape stands for, and its length behind the backslash.
fn escape(rest: &[u8]) -> (u8, usize) {
    let hex = |byte: u8| (byte as char).to_digit(16).map(|digit| digit as u8);
    match rest {
        [b'x', high, low, ..] if hex(*high).is_some() && hex(*low).is_some() => {
            (hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0), 3)
        }
        [b'n', ..] => (b'\n', 1),
        [b'r', ..] => (b'\r', 1),
        [b't', ..] => (b'\t', 1),
        [b'b', ..] => (8, 1),
        [b'a', ..] => (7, 1),
        [other, ..] => (*other, 1),
        [] => (b'\\', 0),
    }
}
