//! A store with hardly any memory: it refuses, and loses nothing.

mod support;

use std::collections::HashMap;
use support::{Conn, Rng, assert_same, bulk, for_seeds, given, request};
use unboxed_kv::Db;

const MEMORY: usize = 64 << 10;
const FULL: &[u8] = b"-OOM command not allowed when used memory > 'maxmemory'.\r\n";

fn key(at: usize) -> Vec<u8> {
    format!("key:{at}").into_bytes()
}

/// Sets keys until one is refused; the values.
fn fill(db: &mut Db<'_>, conn: &mut Conn, len: usize) -> Vec<Vec<u8>> {
    let mut values = Vec::new();
    loop {
        let value = vec![b'a' + (values.len() % 26) as u8; len];
        let got = conn.ask(db, 0, &request(&[b"SET", &key(values.len())[..], &value]));
        match got.as_slice() {
            b"+OK\r\n" => values.push(value),
            FULL => return values,
            other => panic!("{}", other.escape_ascii()),
        }
    }
}

/// Takes the last cells with keys of one cell each.
fn top_up(db: &mut Db<'_>, conn: &mut Conn) {
    let set = |at| request(&[b"SET", format!("small:{at}").as_bytes(), b"v"]);
    let taken = (0..).take_while(|at| conn.ask(db, 0, &set(*at)) == b"+OK\r\n").count();
    assert!(taken < 100, "hardly filled: {taken} cells were left");
}

fn all_there(db: &mut Db<'_>, conn: &mut Conn, values: &[Vec<u8>]) {
    for (at, value) in values.iter().enumerate() {
        let got = conn.ask(db, 0, &request(&[b"GET", &key(at)[..]]));
        assert_same(&got, &bulk(value), &format!("key {at}"));
    }
}

/// With nothing stored and no connection, no cell is in use.
fn nothing_left(db: &mut Db<'_>, mut conn: Conn) {
    assert_eq!(conn.ask(db, 0, b"FLUSHALL\r\n"), b"+OK\r\n");
    conn.end(db);
    assert_eq!(db.store.cells.used(), 0, "cells are lost");
}

#[test]
fn a_full_store_is_read_and_emptied() {
    for len in [0, 10, 70, 300, 5000] {
        let mut memory = vec![0; MEMORY];
        let mut db = Db::new(&mut memory, 1);
        let mut conn = Conn::new(1, 16 << 10, 1024);
        let mut values = fill(&mut db, &mut conn, len);
        assert!(values.len() * (len + 128) > MEMORY / 2, "{} values of {len} bytes", values.len());
        top_up(&mut db, &mut conn);
        all_there(&mut db, &mut conn, &values);
        for refused in [&["SET", "more", "v"][..], &["APPEND", "more", "v"], &["INCR", "more"]] {
            assert_eq!(conn.ask(&mut db, 0, &request(refused)), FULL, "{refused:?}");
        }
        // A value of another size in place of one, of the same size, and what needs no memory.
        let grown = vec![b'x'; len + 20_000];
        assert_eq!(conn.ask(&mut db, 0, &request(&[b"SET", &key(0)[..], &grown])), FULL);
        assert_eq!(conn.ask(&mut db, 0, &request(&[b"APPEND", &key(0)[..], &grown])), FULL);
        assert_eq!(conn.ask(&mut db, 0, b"EXPIRE key:0 100\r\nPERSIST key:0\r\n"), b":1\r\n:1\r\n");
        all_there(&mut db, &mut conn, &values);
        values[0] = vec![b'0'; len];
        assert_eq!(conn.ask(&mut db, 0, &request(&[b"SET", &key(0)[..], &values[0]])), b"+OK\r\n");
        all_there(&mut db, &mut conn, &values);
        assert_eq!(conn.ask(&mut db, 0, &request(&[b"DEL", &key(values.len() - 1)[..]])), b":1\r\n");
        values.pop();
        let again = fill_one(&mut db, &mut conn, values.len(), len);
        values.push(again);
        all_there(&mut db, &mut conn, &values);
        nothing_left(&mut db, conn);
    }
}

fn fill_one(db: &mut Db<'_>, conn: &mut Conn, at: usize, len: usize) -> Vec<u8> {
    let value = vec![b'n'; len];
    assert_eq!(conn.ask(db, 0, &request(&[b"SET", &key(at)[..], &value])), b"+OK\r\n", "{at} {len}");
    value
}

#[test]
fn mset_is_all_or_nothing() {
    let mut refused = 0;
    for_seeds(12, |seed| {
        let mut memory = vec![0; MEMORY];
        let (mut db, mut rng) = (Db::new(&mut memory, 1), Rng::new(seed));
        let mut conn = Conn::new(1, 16 << 10, 1024);
        let mut known: HashMap<Vec<u8>, Vec<u8>> = HashMap::new();
        for _ in 0..60 {
            let mut words = vec![b"MSET".to_vec()];
            for _ in 0..1 + rng.below(12) {
                let len = *rng.of(&[&3, &60, &200, &1200]);
                let value = vec![b'a' + rng.below(26) as u8; rng.below(len)];
                words.extend([key(rng.below(400)), value]);
            }
            let got = conn.ask(&mut db, 0, &request(&words));
            if got == b"+OK\r\n" {
                known.extend(words[1..].chunks(2).map(|pair| (pair[0].clone(), pair[1].clone())));
            } else {
                assert_eq!(got, FULL);
                refused += 1;
            }
            for (key, value) in &known {
                let got = conn.ask(&mut db, 0, &request(&[&b"GET"[..], key]));
                assert_same(&got, &bulk(value), "after an MSET");
            }
            assert_eq!(db.store.len(), known.len());
        }
        nothing_left(&mut db, conn);
    });
    assert!(refused > 0 || given("SEED").is_some(), "it never was full");
}

#[test]
fn requests_larger_than_memory_are_skipped() {
    let mut memory = vec![0; MEMORY];
    let mut db = Db::new(&mut memory, 1);
    let mut conn = Conn::new(1, 2049, 1024);
    let values = fill(&mut db, &mut conn, 300);
    for len in [2000, 30_000, 100_000, 1 << 20] {
        let mut bytes = request(&[b"SET", &b"large"[..], &vec![b'\n'; len]]);
        bytes.extend(b"PING\r\n");
        assert_eq!(conn.ask(&mut db, 0, &bytes), [FULL, b"+PONG\r\n"].concat(), "{len}");
    }
    // Many words, each of them small; and one that is none behind much that was skipped.
    let words = vec![&b"key:1"[..]; 30_000];
    assert_eq!(conn.ask(&mut db, 0, &request(&words)), FULL);
    all_there(&mut db, &mut conn, &values);
    let mut other = Conn::new(2, 2049, 1024);
    let bytes = [b"*3\r\n$3\r\nSET\r\n$70000\r\n", &vec![b'x'; 70_000][..], b"\r\nSET"].concat();
    let got = other.ask(&mut db, 0, &bytes);
    assert_eq!(got.escape_ascii().to_string(), r"-ERR Protocol error: expected \'$\', got \'S\'\r\n");
    assert!(other.closed);
    other.end(&mut db);
    nothing_left(&mut db, conn);
}

#[test]
fn a_request_beyond_the_read_buffer_frees_memory_when_full() {
    let mut memory = vec![0; 1 << 20];
    let mut db = Db::new(&mut memory, 1);
    let mut conn = Conn::new(1, 2049, 1024);
    let keys = fill(&mut db, &mut conn, 10).len();
    let mut words = vec![b"DEL".to_vec()];
    words.extend((0..1000).map(key));
    assert!(request(&words).len() > 2049 * 5);
    let gone = 1000.min(keys);
    assert_eq!(conn.ask(&mut db, 0, &request(&words)), format!(":{gone}\r\n").as_bytes());
    nothing_left(&mut db, conn);
}

#[test]
fn quoted_lines_when_full() {
    let mut memory = vec![0; MEMORY / 2];
    let mut db = Db::new(&mut memory, 1);
    let mut conn = Conn::new(1, 4096, 1024);
    fill(&mut db, &mut conn, 10);
    conn.ask(&mut db, 0, b"DEL key:0\r\n");
    let line = format!("ECHO '{}'\r\n", "x".repeat(2020));
    assert_eq!(conn.ask(&mut db, 0, line.as_bytes()), FULL, "more than requests may take of the reserve");
    assert_eq!(conn.ask(&mut db, 0, b"SET key:0 v\r\n"), b"+OK\r\n", "the cell that was free is free again");
    assert_eq!(conn.ask(&mut db, 0, b"SET \"new\" v\r\n"), FULL, "staged, and refused as a write");
    let got = conn.ask(&mut db, 0, b"GET \"key:1\"\r\n");
    assert!(got.starts_with(b"$"), "a full store is read with quotes, too: {}", got.escape_ascii());
    assert_eq!(conn.ask(&mut db, 0, b"DEL key:1 key:2 key:3\r\nGET \"key:1\"\r\n"), b":3\r\n$-1\r\n");
    nothing_left(&mut db, conn);
}

/// Replies that spill where no cell is left are taken back as a whole.
#[test]
fn replies_without_room() {
    let mut memory = vec![0; MEMORY];
    let mut db = Db::new(&mut memory, 8);
    let mut conn = Conn::new(1, 4096, 1024);
    let values = fill(&mut db, &mut conn, 700);
    let mut words = vec![&b"key:0"[..]; 9];
    words[0] = b"MGET";
    let ask = request(&words);
    let mut idle: Vec<_> = (0..8).map(|id| Conn::new(id, 4096, 1024)).collect();
    for conn in &mut idle {
        conn.push(&ask);
        conn.step(&mut db, 0);
    }
    let wanted = [b"*8\r\n".to_vec(), vec![bulk(&values[0]); 8].concat()].concat();
    // Not even an error's line is cut short then, when the last cells are taken one by one.
    let ask = request(&[&b"ECHO"[..], &[b'e'; 1020]]);
    let mut more: Vec<_> = (0..40).map(|id| Conn::new(id, 4096, 1024)).collect();
    for conn in &mut more {
        conn.push(&ask);
        conn.step(&mut db, 0);
    }
    let bytes = [&b"PING\r\n".repeat(140), &b"GET\r\n"[..]].concat();
    let error = b"-ERR wrong number of arguments for 'get' command\r\n";
    assert_same(&conn.ask(&mut db, 0, &bytes), &[&b"+PONG\r\n".repeat(140), &error[..]].concat(), "an error");
    more.into_iter().for_each(|conn| conn.end(&mut db));
    let mut refused = 0;
    for mut conn in idle {
        let mut got = conn.ask(&mut db, 0, b"");
        refused += usize::from(got == FULL);
        if got != FULL {
            got.truncate(wanted.len());
            assert_same(&got, &wanted, "a reply that spilled");
        }
        conn.end(&mut db);
    }
    assert!((1..8).contains(&refused), "{refused} of 8 refused");
    all_there(&mut db, &mut conn, &values);
    nothing_left(&mut db, conn);
}

/// Connections come and go in the middle of requests and replies.
#[test]
fn ended_at_any_moment() {
    for_seeds(60, |seed| {
        let mut memory = vec![0; MEMORY];
        let (mut db, mut rng) = (Db::new(&mut memory, 8), Rng::new(seed));
        let mut conns: Vec<_> = (0..4).map(|id| Conn::new(id, 2049, 1024)).collect();
        for _ in 0..600 {
            let conn = &mut conns[rng.below(4)];
            match rng.below(8) {
                0 => conn.push(&request(&[b"SET", &key(rng.below(6))[..], &vec![b'v'; rng.below(9000)]])),
                1 => conn.push(&request(&[b"MGET", &key(rng.below(6))[..], &key(rng.below(6))[..]])),
                2 => conn.push(&request(&[b"APPEND", &key(rng.below(6))[..], &vec![b'a'; rng.below(3000)]])),
                3 if rng.one_in(3) => conn.push(b"MGET 'key:1' \"key:2\" key:3\r\nFLUSHALL\r\n"),
                4 if rng.one_in(4) => std::mem::replace(conn, Conn::new(9, 2049, 1024)).end(&mut db),
                _ => drop(conn.step(&mut db, 0)),
            }
        }
        let last = conns.pop().unwrap();
        conns.into_iter().for_each(|conn| conn.end(&mut db));
        last.end(&mut db);
        nothing_left(&mut db, Conn::new(1, 2049, 1024));
    });
}
