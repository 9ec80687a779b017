//! Requests, wherever the network cuts them, are those that an obvious parser finds in the whole.

mod support;

use support::{Conn, Rng, assert_same, for_seeds, naive, request};
use unboxed_kv::Db;

const CAPACITY: usize = 2100;

/// A word: now and then empty, binary, or larger than the read buffer.
fn word(rng: &mut Rng, large: bool) -> Vec<u8> {
    let len = match rng.below(12) {
        0 => 0,
        1 => rng.below(200),
        2 if large => rng.below(6000),
        _ => 1 + rng.below(12),
    };
    match rng.below(3) {
        0 => rng.bytes(len),
        1 => (0..len).map(|_| *rng.of(&[b"\r", b"\n", b"$", b"*", b"1"]).first().unwrap()).collect(),
        _ => (0..len).map(|_| b'a' + rng.below(26) as u8).collect(),
    }
}

fn words(rng: &mut Rng, large: bool) -> Vec<Vec<u8>> {
    let name: &[u8] = rng.of(&[b"ECHO", b"echo", b"PING", b"nothing", b""]);
    let name = if rng.one_in(10) { word(rng, large) } else { name.to_vec() };
    let count = match rng.below(10) {
        0 => rng.below(40),
        n => n % 3,
    };
    let mut words = vec![name];
    words.extend((0..count).map(|_| word(rng, large)));
    words
}

/// A word as it may stand in a line.
fn quoted(rng: &mut Rng, word: &[u8]) -> Vec<u8> {
    let plain = !word.is_empty() && word.iter().all(|b| b.is_ascii_alphanumeric());
    if plain && !rng.one_in(3) {
        return word.to_vec();
    }
    let mut text = vec![b'"'];
    for byte in word {
        match byte {
            b'\n' if rng.one_in(2) => text.extend(b"\\n"),
            b'\r' if rng.one_in(2) => text.extend(b"\\r"),
            b'"' | b'\\' => text.extend([b'\\', *byte]),
            b'\n' | 0x80.. => text.extend(format!("\\x{byte:02x}").bytes()),
            _ => text.push(*byte),
        }
    }
    text.push(b'"');
    text
}

fn line(rng: &mut Rng) -> Vec<u8> {
    let mut line = Vec::new();
    for word in words(rng, false).iter().take(5) {
        line.extend(quoted(rng, word));
        line.extend(rng.of::<[u8]>(&[b" ", b"  ", b"\t", b" \r "]));
    }
    line.truncate(if rng.one_in(10) { line.len() } else { 2000 });
    line.extend(rng.of::<[u8]>(&[b"\r\n", b"\n"]));
    line
}

/// Some requests, one after the other.
fn stream(rng: &mut Rng, large: bool) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + rng.below(4) {
        match rng.below(8) {
            0 => {
                bytes.extend(rng.of::<[u8]>(&[b"*0\r\n", b"*-1\r\n", b"*-7\r\n", b"\r\n", b"\n", b"  \r\n"]))
            }
            1..=3 => bytes.extend(line(rng)),
            _ => bytes.extend(request(&words(rng, large))),
        }
    }
    bytes
}

/// Something goes wrong with them.
fn mutate(rng: &mut Rng, bytes: &mut Vec<u8>) {
    if bytes.is_empty() {
        return;
    }
    let at = rng.below(bytes.len());
    match rng.below(6) {
        0 => bytes[at] ^= 1 << rng.below(8),
        1 => bytes.truncate(at + 1),
        2 => drop(bytes.remove(at)),
        3 => bytes.insert(at, rng.draw() as u8),
        4 => {
            let odd: &[u8] =
                rng.of::<[u8]>(&[b"\"", b"'", b"\\", b"\r", b"\n", b"-", b"+", b"0", b" ", b"\x0b"]);
            drop(bytes.splice(at..at, odd.iter().copied()));
        }
        _ => lengthen(rng, bytes),
    }
}

/// A wrong or a huge length in a header.
fn lengthen(rng: &mut Rng, bytes: &mut Vec<u8>) {
    let marks: Vec<_> = (0..bytes.len()).filter(|at| matches!(bytes[*at], b'*' | b'$')).collect();
    if marks.is_empty() {
        return;
    }
    let start = marks[rng.below(marks.len())] + 1;
    let end = start + bytes[start..].iter().position(|byte| *byte == b'\r').unwrap_or(0);
    let lengths: [&[u8]; 12] = [
        b"1048576",
        b"1048577",
        b"-1",
        b"-0",
        b"",
        b"9223372036854775807",
        b"-9223372036854775808",
        b"9223372036854775808",
        b"100000000000000000000000000000",
        b"3",
        b"01",
        b"4294967297",
    ];
    drop(bytes.splice(start..end, rng.of(&lengths).iter().copied()));
}

/// The answers when the stream comes in these pieces.
fn in_pieces(db: &mut Db<'_>, pieces: &[&[u8]], capacity: usize, out: usize) -> (Vec<u8>, bool) {
    let mut conn = Conn::new(1, capacity, out);
    for piece in pieces {
        conn.push(piece);
        conn.settle(db, 0);
    }
    let answers = (std::mem::take(&mut conn.got), conn.closed);
    conn.end(db);
    assert_eq!(db.store.cells.used(), 0, "cells are lost");
    answers
}

fn check(db: &mut Db<'_>, rng: &mut Rng, bytes: &[u8], every: usize) {
    let (wanted, closed) = naive::answers(bytes);
    let mut compare = |pieces: &[&[u8]], capacity, out| {
        let (got, is_closed) = in_pieces(db, pieces, capacity, out);
        let ends: Vec<_> = pieces.iter().map(|piece| piece.len()).collect();
        let what = format!("pieces {ends:?} of {}", bytes.escape_ascii());
        assert_same(&got, &wanted, &what);
        assert_eq!(is_closed, closed, "{what}");
    };
    compare(&[bytes], 16 << 10, 16 << 10);
    for at in (0..=bytes.len()).step_by(every) {
        let (a, b) = bytes.split_at(at);
        compare(&[a, b], CAPACITY, 4096);
    }
    for _ in 0..5 {
        let mut pieces = Vec::new();
        let mut rest = bytes;
        let longest = rng.of(&[&1, &7, &100, &3000]);
        while !rest.is_empty() {
            let (piece, after) = rest.split_at(rest.len().min(1 + rng.below(*longest)));
            pieces.push(piece);
            rest = after;
        }
        compare(&pieces, CAPACITY + rng.below(3), 1024);
    }
}

fn property(seed: u64, large: bool, mutated: bool, every: usize) {
    let mut memory = vec![0; 256 << 10];
    let mut db = Db::new(&mut memory, 1);
    let mut rng = Rng::new(seed);
    let mut bytes = stream(&mut rng, large);
    if mutated {
        (0..1 + rng.below(3)).for_each(|_| mutate(&mut rng, &mut bytes));
    }
    check(&mut db, &mut rng, &bytes, every);
}

#[test]
fn valid_requests_cut_anywhere() {
    for_seeds(120, |seed| property(seed, false, false, 1));
}

#[test]
fn requests_beyond_the_buffer_cut_anywhere() {
    for_seeds(60, |seed| property(seed, true, false, 37));
}

#[test]
fn broken_requests_cut_anywhere() {
    for_seeds(250, |seed| property(seed, false, true, 1));
}

#[test]
fn broken_large_requests() {
    for_seeds(100, |seed| property(seed, true, true, 53));
}

#[test]
fn the_longest_inline_request() {
    let mut memory = vec![0; 64 << 10];
    let mut db = Db::new(&mut memory, 1);
    for len in [2046, 2047, 2048, 2049, 2050] {
        for end in ["\n", "\r\n", ""] {
            let bytes = format!("ECHO {}{end}", "x".repeat(len - 5)).into_bytes();
            check(&mut db, &mut Rng::new(1), &bytes, 1);
            let bytes = format!("ECHO '{}'{end}", "x".repeat(len - 7)).into_bytes();
            check(&mut db, &mut Rng::new(1), &bytes, 97);
        }
    }
}

#[test]
fn the_largest_argument() {
    let mut memory = vec![0; 4 << 20];
    let mut db = Db::new(&mut memory, 1);
    let mut bytes = request(&[&b"ECHO"[..], &vec![b'v'; 1 << 20]]);
    bytes.extend(b"PING\r\n");
    let (wanted, _) = naive::answers(&bytes);
    let (got, _) = in_pieces(&mut db, &[&bytes], 16 << 10, 16 << 10);
    assert_same(&got, &wanted, "the largest argument");
    let got = in_pieces(&mut db, &[b"*2\r\n$4\r\nECHO\r\n$1048577\r\n"], 16 << 10, 16 << 10);
    assert_eq!(got, (b"-ERR Protocol error: invalid bulk length\r\n".to_vec(), true));
}
