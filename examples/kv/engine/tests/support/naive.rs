//! The protocol once more, the obvious way: over everything that was sent, with vectors.

use super::bulk;

const MAX_ARGS: i64 = 1 << 20;
const MAX_VALUE: i64 = 1 << 20;
const MAX_INLINE: usize = 2048;

/// A request's words, and how many bytes it had.
type Request = (Vec<Vec<u8>>, usize);

/// A request, or the protocol error that it is.
pub type Parsed = Result<Request, String>;

/// The first request; none while it has no end.
pub fn first(bytes: &[u8]) -> Option<Parsed> {
    match bytes.first()? {
        b'*' => array(bytes).transpose(),
        _ => line(bytes),
    }
}

fn array(bytes: &[u8]) -> Result<Option<Request>, String> {
    let Some((count, mut at)) = header(bytes, i64::MIN..=MAX_ARGS).ok_or("invalid multibulk length")? else {
        return Ok(None);
    };
    let mut words = Vec::new();
    while (words.len() as i64) < count {
        match bytes.get(at) {
            None => return Ok(None),
            Some(b'$') => {}
            Some(b) if b.is_ascii_graphic() => return Err(format!("expected '$', got '{}'", *b as char)),
            Some(b) => return Err(format!("expected '$', got byte {b}")),
        }
        let Some((len, used)) = header(&bytes[at..], 0..=MAX_VALUE).ok_or("invalid bulk length")? else {
            return Ok(None);
        };
        let rest = &bytes[at + used..];
        let len = len as usize;
        for (place, wanted) in [(len, b'\r'), (len + 1, b'\n')] {
            match rest.get(place) {
                None => return Ok(None),
                Some(byte) if *byte == wanted => {}
                Some(_) => return Err("expected CRLF after a bulk string".into()),
            }
        }
        words.push(rest[..len].to_vec());
        at += used + len + 2;
    }
    Ok(Some((words, at)))
}

/// The number in a header line, and the line's length. The outer `None` is an error, the inner one no end.
fn header(bytes: &[u8], range: std::ops::RangeInclusive<i64>) -> Option<Option<(i64, usize)>> {
    let text = &bytes[1..];
    let Some(end) = text.iter().take(21).position(|byte| *byte == b'\r') else {
        return if text.len() > 20 { None } else { Some(None) };
    };
    match text.get(end + 1) {
        None => return Some(None),
        Some(b'\n') => {}
        Some(_) => return None,
    }
    let text = std::str::from_utf8(&text[..end]).ok()?;
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text && range.contains(&number)).then_some(Some((number, end + 3)))
}

fn line(bytes: &[u8]) -> Option<Parsed> {
    let end = bytes.iter().position(|byte| *byte == b'\n');
    if end.unwrap_or(bytes.len()) > MAX_INLINE {
        return Some(Err("too big inline request".into()));
    }
    let end = end?;
    let words = words(&bytes[..end]).ok_or("unbalanced quotes in request".into());
    Some(words.map(|words| (words, end + 1)))
}

/// The words of an inline request; none when its quotes do not match.
fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let at = |place: usize| line.get(place).copied();
    let space = |byte: Option<u8>| byte.is_none_or(|byte| byte.is_ascii_whitespace());
    let mut words = Vec::new();
    let mut i = 0;
    loop {
        while i < line.len() && space(at(i)) {
            i += 1;
        }
        if i == line.len() {
            return Some(words);
        }
        let mut word = Vec::new();
        while !space(at(i)) {
            let quote = line[i];
            if quote != b'"' && quote != b'\'' {
                word.push(quote);
                i += 1;
                continue;
            }
            i = quoted(line, i + 1, quote, &mut word)?;
            if !space(at(i)) {
                return None;
            }
        }
        words.push(word);
    }
}

/// What is behind an opening quote; the place behind the closing one.
fn quoted(line: &[u8], mut i: usize, quote: u8, word: &mut Vec<u8>) -> Option<usize> {
    loop {
        let byte = *line.get(i)?;
        let next = line.get(i + 1).copied();
        if byte == quote {
            return Some(i + 1);
        }
        let (meant, used) = match (quote, byte, next) {
            (b'"', b'\\', Some(next)) => escaped(line, i + 1, next),
            (b'\'', b'\\', Some(b'\'')) => (b'\'', 2),
            _ => (byte, 1),
        };
        word.push(meant);
        i += used;
    }
}

fn escaped(line: &[u8], i: usize, next: u8) -> (u8, usize) {
    let hex = line.get(i + 1..i + 3).and_then(|two| std::str::from_utf8(two).ok());
    let hex = hex.filter(|two| two.bytes().all(|b| b.is_ascii_hexdigit()));
    match (next, hex) {
        (b'x', Some(two)) => (u8::from_str_radix(two, 16).unwrap(), 4),
        (b'n', _) => (b'\n', 2),
        (b'r', _) => (b'\r', 2),
        (b't', _) => (b'\t', 2),
        (b'b', _) => (8, 2),
        (b'a', _) => (7, 2),
        (other, _) => (other, 2),
    }
}

/// All answers to a stream of ECHO, PING and names that are no command's; whether the connection is closed.
pub fn answers(mut bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut all = Vec::new();
    while let Some(parsed) = first(bytes) {
        match parsed {
            Ok((words, used)) => {
                all.extend(answer(&words));
                bytes = &bytes[used..];
            }
            Err(error) => {
                all.extend(format!("-ERR Protocol error: {error}\r\n").bytes());
                return (all, true);
            }
        }
    }
    (all, false)
}

fn answer(words: &[Vec<u8>]) -> Vec<u8> {
    let Some((name, args)) = words.split_first() else { return Vec::new() };
    match (name.to_ascii_lowercase().as_slice(), args) {
        (b"echo" | b"ping", [text]) => bulk(text),
        (b"ping", []) => b"+PONG\r\n".to_vec(),
        (name @ (b"echo" | b"ping"), _) => {
            [b"-ERR wrong number of arguments for '", name, b"' command\r\n"].concat()
        }
        _ => unknown(name, args),
    }
}

/// A command that there is not.
fn unknown(name: &[u8], args: &[Vec<u8>]) -> Vec<u8> {
    let shown = |text: &[u8]| text.iter().map(|b| if (32..127).contains(b) { *b } else { b' ' }).collect();
    let part = |text: &[u8], len: usize| -> Vec<u8> { shown(&text[..len.min(text.len())]) };
    let mut told =
        [b"-ERR unknown command '", &part(name, 128)[..], b"', with args beginning with: "].concat();
    let mut room = 128;
    for arg in args {
        if room == 0 {
            break;
        }
        let text = part(arg, room);
        room = room.saturating_sub(text.len() + 3);
        told.extend([b"'", &text[..], b"' "].concat());
    }
    told.extend(b"\r\n");
    told
}
