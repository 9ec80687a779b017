//! Random commands on some connections, compared reply by reply with a map.

mod support;

use std::collections::{HashSet, VecDeque};
use support::model::{Expect, Model};
use support::{Conn, Rng, assert_same, commands, for_seeds, request};
use unboxed_kv::Db;

/// A connection, the commands that it has yet to run, and the answers that are due.
struct Talk {
    conn: Conn,
    queue: VecDeque<Vec<Vec<u8>>>,
    due: Vec<(String, Expect)>,
    resp3: bool,
}

impl Talk {
    fn new(rng: &mut Rng, db: &mut Db<'_>) -> Self {
        let capacity = *rng.of(&[&2049, &4096, &(16 << 10)]);
        let mut conn = Conn::new(7, capacity, *rng.of(&[&1024, &1024, &5000]));
        let resp3 = rng.one_in(2);
        if resp3 {
            conn.ask(db, 0, b"HELLO 3\r\n");
        }
        Self { conn, queue: VecDeque::new(), due: Vec::new(), resp3 }
    }

    fn push(&mut self, rng: &mut Rng) {
        let plain = |byte: &u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'');
        let words = commands::command(rng);
        let short = words.iter().all(|word| word.len() < 20 && word.iter().all(plain));
        if short && words.iter().all(|word| !word.is_empty()) && rng.one_in(4) {
            self.conn.push(&[words.join(&b' '), b"\r\n".to_vec()].concat());
        } else {
            self.conn.push(&request(&words));
        }
        self.queue.push_back(words);
    }

    /// One step of the engine, and of the model as many commands as the engine has run.
    fn step(&mut self, db: &mut Db<'_>, model: &mut Model, now: u64) -> bool {
        let before = db.stats.commands;
        let more = self.conn.step(db, now);
        for _ in before..db.stats.commands {
            let words = self.queue.pop_front().expect("no more commands are run than were sent");
            let shown: Vec<_> = words.iter().map(|word| show(word)).collect();
            self.due.push((shown.join(" "), model.run(&words, now, self.resp3)));
        }
        if !more {
            self.check();
        }
        more
    }

    /// Everything that was answered is what was due.
    fn check(&mut self) {
        assert!(!self.conn.closed && self.queue.is_empty(), "a command was not run");
        let got = std::mem::take(&mut self.conn.got);
        let mut rest = &got[..];
        for (what, expect) in self.due.drain(..) {
            rest = check(rest, &what, expect);
        }
        assert!(rest.is_empty(), "more than was asked for: {}", show(rest));
    }
}

fn show(bytes: &[u8]) -> String {
    match bytes.len() {
        0..60 => bytes.escape_ascii().to_string(),
        len => format!("{}…({len})", bytes[..40].escape_ascii()),
    }
}

/// Checks one answer; what follows it.
fn check<'a>(got: &'a [u8], what: &str, expect: Expect) -> &'a [u8] {
    match expect {
        Expect::Bytes(wanted) => {
            let len = wanted.len().min(got.len());
            assert_same(&got[..len], &wanted, what);
            &got[len..]
        }
        Expect::Between(least, most) => {
            let (line, rest) = line(got);
            let number: usize = line[1..].parse().unwrap();
            assert!(
                line.starts_with(':') && (least..=most).contains(&number),
                "{what}: {line}, {least}..={most}"
            );
            rest
        }
        Expect::Keys(wanted) => {
            let (keys, rest) = keys(got);
            assert_eq!(keys, wanted, "{what}");
            rest
        }
        Expect::Scan(wanted, from_start) => {
            let (cursor, keys, rest) = scanned(got);
            assert!(keys.is_subset(&wanted), "{what}");
            assert!(!from_start || cursor != 0 || keys == wanted, "{what}: not all");
            rest
        }
    }
}

fn line(got: &[u8]) -> (&str, &[u8]) {
    let end = got.iter().position(|byte| *byte == b'\r').expect("a line");
    (std::str::from_utf8(&got[..end]).unwrap(), &got[end + 2..])
}

fn bulk(got: &[u8]) -> (&[u8], &[u8]) {
    let (head, rest) = line(got);
    let len: usize = head.strip_prefix('$').expect("a bulk string").parse().unwrap();
    (&rest[..len], &rest[len + 2..])
}

/// An array of keys, none of them twice.
fn keys(got: &[u8]) -> (HashSet<Vec<u8>>, &[u8]) {
    let (head, mut rest) = line(got);
    let count: usize = head.strip_prefix('*').expect("an array").parse().unwrap();
    let mut keys = HashSet::new();
    for _ in 0..count {
        let (key, after) = bulk(rest);
        assert!(keys.insert(key.to_vec()), "twice: {}", show(key));
        rest = after;
    }
    (keys, rest)
}

fn scanned(got: &[u8]) -> (usize, HashSet<Vec<u8>>, &[u8]) {
    let rest = got.strip_prefix(b"*2\r\n").expect("a pair");
    let (cursor, rest) = bulk(rest);
    let (keys, rest) = keys(rest);
    (std::str::from_utf8(cursor).unwrap().parse().unwrap(), keys, rest)
}

fn property(seed: u64, steps: usize) {
    let mut memory = vec![0; 32 << 20];
    let mut db = Db::new(&mut memory, 8);
    let (mut rng, mut model) = (Rng::new(seed), Model::default());
    let mut now = if rng.one_in(2) { 0 } else { 1_700_000_000_000 };
    let mut talks: Vec<_> = (0..1 + rng.below(4)).map(|_| Talk::new(&mut rng, &mut db)).collect();
    for _ in 0..steps {
        let at = rng.below(talks.len());
        if rng.one_in(400) {
            std::mem::replace(&mut talks[at], Talk::new(&mut rng, &mut db)).conn.end(&mut db);
        }
        if talks[at].queue.is_empty() && rng.one_in(2) {
            (0..1 + rng.below(3)).for_each(|_| talks[at].push(&mut rng));
        }
        talks[at].step(&mut db, &mut model, now);
        if rng.one_in(5) {
            now += rng.below(7) as u64 * 100;
            db.sweep(now, if rng.one_in(50) { usize::MAX } else { rng.below(1000) });
        }
        assert_eq!(db.stats.full, 0, "the memory is too small for this test");
    }
    for talk in &mut talks {
        while talk.step(&mut db, &mut model, now) {}
    }
    finish(&mut db, &mut model, talks, now);
}

/// What is there in the end is there, and all cells come back.
fn finish(db: &mut Db<'_>, model: &mut Model, mut talks: Vec<Talk>, now: u64) {
    let talk = &mut talks[0];
    for key in model.keys(b"*") {
        let words = vec![b"get".to_vec(), key];
        talk.conn.push(&request(&words));
        talk.queue.push_back(words);
        while talk.step(db, model, now) {}
    }
    talk.conn.ask(db, now, b"FLUSHALL\r\n");
    talks.into_iter().for_each(|talk| talk.conn.end(db));
    assert_eq!(db.store.cells.used(), 0, "cells are lost");
    assert!(db.store.is_empty() && db.store.with_expiry() == 0);
}

#[test]
fn as_the_model() {
    for_seeds(16, |seed| property(seed, 1500));
}

/// Every key that is there all the time is found exactly once, whatever is written meanwhile.
#[test]
fn a_scan_finds_what_stays() {
    for_seeds(20, |seed| {
        let mut memory = vec![0; 256 << 10];
        let mut db = Db::new(&mut memory, 1);
        let mut rng = Rng::new(seed);
        let mut conn = Conn::new(1, 4096, 1024);
        let mut set = |db: &mut Db<'_>, conn: &mut Conn, name: &str, at: usize| {
            let value = vec![b'v'; rng.below(400)];
            conn.ask(db, 0, &request(&[b"SET", format!("{name}:{at}").as_bytes(), &value]));
        };
        let stays = 1 + seed as usize % 40 * 10;
        (0..stays).for_each(|at| set(&mut db, &mut conn, "stays", at));
        let (mut cursor, mut found) = (0, Vec::new());
        for round in 0.. {
            let ask = format!("SCAN {cursor} MATCH stays:* COUNT {}\r\n", 1 + seed % 100);
            let got = conn.ask(&mut db, 0, ask.as_bytes());
            let (next, keys, _) = scanned(&got);
            found.extend(keys);
            set(&mut db, &mut conn, "stays", round % stays);
            set(&mut db, &mut conn, "goes", round);
            conn.ask(&mut db, 0, format!("DEL goes:{}\r\n", round / 2).as_bytes());
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        let once: HashSet<_> = found.iter().collect();
        assert_eq!((once.len(), found.len()), (stays, stays));
        conn.end(&mut db);
    });
}
