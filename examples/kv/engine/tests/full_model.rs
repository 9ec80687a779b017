//! A full store, compared with a map: what is refused has changed nothing, whatever slow readers hold.

mod support;

use support::model::{Expect, Model};
use support::{Conn, Rng, assert_same, bulk, for_seeds, given, request};
use unboxed_kv::Db;

const FULL: &[u8] = b"-OOM command not allowed when used memory > 'maxmemory'.\r\n";

fn key(rng: &mut Rng) -> Vec<u8> {
    format!("key:{}", rng.below(80)).into_bytes()
}

fn value(rng: &mut Rng) -> Vec<u8> {
    let longest = *rng.of(&[&5, &130, &1500, &4000]);
    vec![b'a' + rng.below(26) as u8; rng.below(longest)]
}

/// A command that writes.
fn command(rng: &mut Rng) -> Vec<Vec<u8>> {
    let name = |name: &str| name.as_bytes().to_vec();
    match rng.below(12) {
        0..4 => vec![name("SET"), key(rng), value(rng)],
        4 | 5 => vec![name("SET"), key(rng), value(rng), name("GET")],
        6 | 7 => vec![name("append"), key(rng), value(rng)],
        8 => vec![name("INCR"), key(rng)],
        9 => vec![name("DEL"), key(rng)],
        _ => {
            let keys: Vec<_> = (0..1 + rng.below(3)).map(|_| key(rng)).collect();
            // The same key more than once, too.
            let pairs = (0..1 + rng.below(6)).flat_map(|_| [keys[rng.below(keys.len())].clone(), value(rng)]);
            std::iter::once(name("mset")).chain(pairs).collect()
        }
    }
}

/// Runs a command; it is refused as a whole, or does as the model does. Whether it was refused.
fn run(db: &mut Db<'_>, model: &mut Model, conn: &mut Conn, words: &[Vec<u8>]) -> bool {
    let used = db.store.cells.used();
    let got = conn.ask(db, 0, &request(words));
    if got == FULL {
        assert_eq!(
            db.store.cells.used(),
            used,
            "{} was refused, and has taken cells",
            words[0].escape_ascii()
        );
        return true;
    }
    let Expect::Bytes(wanted) = model.run(words, 0, false) else { unreachable!("it only writes") };
    assert_same(&got, &wanted, &words[0].escape_ascii().to_string());
    false
}

/// A reader takes a reply's beginning, so that the values are pinned; or the rest of it; or is gone.
fn read_slowly(db: &mut Db<'_>, rng: &mut Rng, slow: &mut [Conn]) {
    let conn = &mut slow[rng.below(slow.len())];
    match rng.below(8) {
        0 => std::mem::replace(conn, Conn::new(2, 4096, 1024)).end(db),
        1 | 2 => conn.settle(db, 0),
        3 | 4 => drop(conn.step(db, 0)),
        _ => {
            let mut words = vec![b"MGET".to_vec()];
            words.extend((0..1 + rng.below(10)).map(|_| key(rng)));
            conn.push(&request(&words));
            conn.step(db, 0);
        }
    }
}

fn property(seed: u64) -> usize {
    let mut memory = vec![0; 64 << 10];
    let (mut db, mut rng, mut model) = (Db::new(&mut memory, 8), Rng::new(seed), Model::default());
    let mut writer = Conn::new(1, 16 << 10, 1024);
    let mut checker = Conn::new(1, 4096, 64 << 10);
    let mut slow: Vec<_> = (0..4).map(|id| Conn::new(id, 4096, 1024)).collect();
    let mut refused = 0;
    for _ in 0..150 {
        refused += usize::from(run(&mut db, &mut model, &mut writer, &command(&mut rng)));
        if rng.one_in(2) {
            read_slowly(&mut db, &mut rng, &mut slow);
        }
        let keys = model.keys(b"*");
        assert_eq!(db.store.len(), keys.len());
        for key in keys {
            let Expect::Bytes(wanted) = model.run(&[b"get".to_vec(), key.clone()], 0, false) else {
                continue;
            };
            let got = checker.ask(&mut db, 0, &request(&[b"GET".to_vec(), key]));
            assert_same(&got, &wanted, "after a command");
        }
    }
    assert_eq!(checker.ask(&mut db, 0, b"FLUSHALL\r\n"), b"+OK\r\n");
    slow.into_iter().chain([writer, checker]).for_each(|conn| conn.end(&mut db));
    assert_eq!(db.store.cells.used(), 0, "cells are lost");
    refused
}

#[test]
fn what_is_refused_has_changed_nothing() {
    let mut refused = 0;
    for_seeds(25, |seed| refused += property(seed));
    assert!(refused > 0 || given("SEED").is_some(), "it never was full");
}

/// A store with these keys of 700 bytes, all read by somebody slow, and then filled but for so many cells.
fn pinned(db: &mut Db<'_>, conn: &mut Conn, keys: &[&str], cells: usize) -> Conn {
    let mut slow = Conn::new(2, 4096, 1024);
    for key in keys {
        conn.ask(db, 0, &request(&[b"SET", key.as_bytes(), &[b'o'; 700]]));
        slow.push(format!("MGET {key} {key} {key}\r\n").as_bytes());
    }
    let free: Vec<_> = (0..cells).map(|at| format!("free:{at}")).collect();
    free.iter().for_each(|key| drop(conn.ask(db, 0, &request(&["SET", key, "v"]))));
    slow.step(db, 0);
    while conn.ask(db, 0, &request(&[&b"APPEND"[..], b"filler", &[b'f'; 100]])) != FULL {}
    free.iter().for_each(|key| drop(conn.ask(db, 0, &request(&["DEL", key]))));
    slow
}

/// A write beside a reader needs cells for all of the new value: too few of them change nothing.
#[test]
fn pinned_values_and_few_cells() {
    for cells in 0..16 {
        let mut memory = vec![0; 64 << 10];
        let mut db = Db::new(&mut memory, 8);
        let mut conn = Conn::new(1, 16 << 10, 16 << 10);
        let slow = pinned(&mut db, &mut conn, &["k"], cells);
        let used = db.store.cells.used();
        let more = [b'm'; 700];
        for words in [&[&b"APPEND"[..], b"k", &more][..], &[b"MSET", b"k", &more, b"new", &more]] {
            let got = conn.ask(&mut db, 0, &request(words));
            if cells < 12 {
                assert_eq!((got.as_slice(), db.store.cells.used()), (FULL, used), "{cells}");
                assert_same(&conn.ask(&mut db, 0, b"GET k\r\n"), &bulk(&[b'o'; 700]), "the old value");
            }
        }
        slow.end(&mut db);
        conn.ask(&mut db, 0, b"FLUSHALL\r\n");
        conn.end(&mut db);
        assert_eq!(db.store.cells.used(), 0);
    }
}

/// SET with GET, where the old value finds no room in the reply, and the new one would in place of the old.
#[test]
fn a_reply_that_is_refused_keeps_the_value() {
    let mut memory = vec![0; 64 << 10];
    let mut db = Db::new(&mut memory, 80);
    let mut conn = Conn::new(1, 16 << 10, 1024);
    let old = vec![b'o'; 3000];
    conn.ask(&mut db, 0, &request(&[&b"SET"[..], b"k", &old]));
    while conn.ask(&mut db, 0, &request(&[&b"APPEND"[..], b"filler", &[b'f'; 100]])) != FULL {}
    let mut slow: Vec<_> = (0..80).map(|id| Conn::new(id, 4096, 1024)).collect();
    for conn in &mut slow {
        // It needs one cell beside the buffer.
        conn.push(&request(&[&b"ECHO"[..], &[b'e'; 1020]]));
        conn.step(&mut db, 0);
    }
    let set = request(&[&b"SET"[..], b"k", &[b'n'; 3000], b"GET"]);
    assert_eq!(conn.ask(&mut db, 0, &set), FULL);
    slow.into_iter().for_each(|conn| conn.end(&mut db));
    assert_same(&conn.ask(&mut db, 0, b"GET k\r\n"), &bulk(&old), "the old value");
    conn.end(&mut db);
}
