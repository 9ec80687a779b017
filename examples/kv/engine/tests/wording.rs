//! The exact bytes of replies.

mod support;
#[path = "support/wording.rs"]
mod table;

use std::collections::HashMap;
use support::{Conn, bulk, request};
use unboxed_kv::Db;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The answer of an empty store, and whether it closes the connection.
fn answer(before: &str, bytes: &[u8]) -> (String, bool) {
    let mut memory = vec![0; 1 << 20];
    let mut db = Db::new(&mut memory, 10);
    let mut conn = Conn::new(5, 16 << 10, 16 << 10);
    conn.ask(&mut db, 1000, before.as_bytes());
    let got = conn.ask(&mut db, 1000, bytes);
    let closed = conn.closed;
    conn.end(&mut db);
    (String::from_utf8_lossy(&got).into_owned(), closed)
}

fn lines(requests: &str) -> Vec<u8> {
    requests.split(';').flat_map(|line| [line, "\r\n"]).collect::<String>().into_bytes()
}

fn rows() -> impl Iterator<Item = &'static (&'static str, &'static str)> {
    [table::VALUES, table::KEYS, table::CONNECTION].into_iter().flatten()
}

#[test]
fn resp2() {
    for (requests, wanted) in rows() {
        let (got, closed) = answer("", &lines(requests));
        assert_eq!(got, *wanted, "{requests}");
        assert_eq!(closed, requests.starts_with("QUIT"), "{requests}");
    }
}

#[test]
fn resp3() {
    let otherwise: HashMap<_, _> = table::OTHERWISE.iter().copied().collect();
    let mut told = 0;
    for (requests, wanted) in rows() {
        let wanted = otherwise.get(requests).inspect(|_| told += 1).unwrap_or(wanted);
        assert_eq!(answer("HELLO 3\r\n", &lines(requests)).0, *wanted, "{requests}");
    }
    assert_eq!(told, table::OTHERWISE.len(), "a request that is not in the other tables");
}

#[test]
fn hello() {
    let parts = |protocol| {
        let texts =
            |words: &[&str]| words.iter().map(|word| bulk(word.as_bytes())).collect::<Vec<_>>().concat();
        let head = texts(&["server", "unboxed-kv", "version", VERSION, "proto"]);
        let id = [texts(&["id"]), b":5\r\n".to_vec()].concat();
        let tail = [texts(&["mode", "standalone", "role", "master", "modules"]), b"*0\r\n".to_vec()].concat();
        let all = [head, format!(":{protocol}\r\n").into_bytes(), id, tail].concat();
        String::from_utf8(all).unwrap()
    };
    for (before, request, head, protocol) in [
        ("", "HELLO", "*14", 2),
        ("", "HELLO 2", "*14", 2),
        ("", "HELLO 3", "%7", 3),
        ("HELLO 3\r\n", "HELLO", "%7", 3),
        ("HELLO 3\r\n", "HELLO 2 SETNAME x", "*14", 2),
    ] {
        let (got, _) = answer(before, &lines(request));
        assert_eq!(got, format!("{head}\r\n{}", parts(protocol)), "{before:?} {request}");
    }
    let (got, _) = answer("HELLO 3 SETNAME me\r\n", b"CLIENT GETNAME\r\nCLIENT ID\r\nGET x\r\n");
    assert_eq!(got, "$2\r\nme\r\n:5\r\n_\r\n");
    let (got, _) = answer("HELLO 3 SETNAME 'a b'\r\n", b"CLIENT GETNAME\r\n");
    assert_eq!(got, "$-1\r\n", "a HELLO that failed has changed nothing");
}

#[test]
fn protocol_errors() {
    for (bytes, error) in [
        ("*abc\r\n", "invalid multibulk length"),
        ("*\r\n", "invalid multibulk length"),
        ("*+1\r\n", "invalid multibulk length"),
        ("*01\r\n", "invalid multibulk length"),
        ("*99999999999\r\n", "invalid multibulk length"),
        ("*9999999999999999999999\r\n", "invalid multibulk length"),
        ("*1\r\nPING\r\n", "expected '$', got 'P'"),
        ("*1\r\n:4\r\n", "expected '$', got ':'"),
        ("*1\r\n\x01\r\n", "expected '$', got byte 1"),
        ("*1\r\n$abc\r\n", "invalid bulk length"),
        ("*1\r\n$-1\r\n", "invalid bulk length"),
        ("*1\r\n$\r\n", "invalid bulk length"),
        ("*1\r\n$99999999999\r\n", "invalid bulk length"),
        ("*1\r\n$4\r\nPINGPING\r\n", "expected CRLF after a bulk string"),
        ("GET \"a\r\n", "unbalanced quotes in request"),
        ("GET 'a\r\n", "unbalanced quotes in request"),
        ("GET \"a\"b\r\n", "unbalanced quotes in request"),
        (&"x".repeat(3000), "too big inline request"),
    ] {
        for before in ["", "HELLO 3\r\n"] {
            // What was asked for before is answered, and nothing behind it.
            let bytes = ["PING\r\n", bytes, "PING\r\n"].concat();
            let (got, closed) = answer(before, bytes.as_bytes());
            assert_eq!(got, format!("+PONG\r\n-ERR Protocol error: {error}\r\n"), "{bytes:?}");
            assert!(closed, "{bytes:?}");
        }
    }
}

#[test]
fn odd_requests_that_are_fine() {
    for (bytes, wanted) in [
        ("*1\r\n$4\r\nPING\r\n*0\r\n*-1\r\n*1\r\n$4\r\nping\r\n", "+PONG\r\n+PONG\r\n"),
        ("PING\n\r\n  \r\n\nPING\r\n", "+PONG\r\n+PONG\r\n"),
        ("ECHO \"\\x41\\n\\q\"\r\n", "$3\r\nA\nq\r\n"),
        ("ECHO 'a\\'b\\n'\r\n", "$5\r\na'b\\n\r\n"),
        ("ECHO a\"b c\"\r\n", "$4\r\nab c\r\n"),
        ("\"\" a\r\n", "-ERR unknown command '', with args beginning with: 'a' \r\n"),
        (
            "*2\r\n$6\r\nno\r\nsu\r\n$1\r\n\n\r\n",
            "-ERR unknown command 'no  su', with args beginning with: ' ' \r\n",
        ),
    ] {
        assert_eq!(answer("", bytes.as_bytes()), (wanted.into(), false), "{bytes:?}");
    }
}

#[test]
fn limits() {
    let (long, longest) = ([b'k'; 1025], [b'k'; 1024]);
    let too_long = "-ERR key is too long: this server keeps keys of up to 1024 bytes\r\n";
    for words in [&[&b"SET"[..], &long, b"v"][..], &[b"MSET", b"a", b"1", &long, b"2"], &[b"INCR", &long]] {
        assert_eq!(answer("", &request(words)).0, too_long);
    }
    for (name, wanted) in [("GET", "$-1\r\n"), ("DEL", ":0\r\n"), ("TTL", ":-2\r\n"), ("TYPE", "+none\r\n")] {
        assert_eq!(answer("", &request(&[name.as_bytes(), &long])).0, wanted, "{name}");
    }
    let bytes = [request(&[b"SET", &longest[..], b"v"]), request(&[&b"GET"[..], &longest])].concat();
    assert_eq!(answer("", &bytes).0, "+OK\r\n$1\r\nv\r\n");
    let wanted = "-ERR pattern is too long: up to 1024 bytes are taken\r\n";
    assert_eq!(answer("", &request(&[&b"KEYS"[..], &long])).0, wanted);
    let half = vec![b'v'; 600 << 10];
    let bytes = [request(&[&b"SET"[..], b"k", &half]), request(&[&b"APPEND"[..], b"k", &half])].concat();
    let mut memory = vec![0; 4 << 20];
    let mut db = Db::new(&mut memory, 1);
    let got = Conn::new(1, 4096, 4096).ask(&mut db, 0, &bytes);
    let wanted = "+OK\r\n-ERR string exceeds maximum allowed size (proto-max-bulk-len)\r\n";
    assert_eq!(String::from_utf8_lossy(&got), wanted);
    let name = format!("CLIENT SETNAME {}\r\n", "n".repeat(65));
    assert_eq!(answer("", name.as_bytes()).0, "-ERR Client names can have up to 64 characters\r\n");
}

/// What an unknown command's error shows is cut, so that its line fits anywhere.
#[test]
fn long_unknown_commands() {
    let (name, a) = ("n".repeat(200), "a".repeat(200));
    for (words, shown) in [
        (vec!["nosuch", &a, "b"], format!("'nosuch', with args beginning with: '{}' ", &a[..128])),
        (
            vec!["nosuch", &a[..123], "b", "c"],
            format!("'nosuch', with args beginning with: '{}' 'b' ", &a[..123]),
        ),
        (vec![&name, "b"], format!("'{}', with args beginning with: 'b' ", &name[..128])),
    ] {
        assert_eq!(answer("", &request(&words)).0, format!("-ERR unknown command {shown}\r\n"));
    }
    assert!(answer("", &request(&vec![""; 1000])).0.len() < 512);
}

#[test]
fn info() {
    let before = "SET a 1;SET b 2 PX 5;GET a;GET none;MGET a none";
    let mut memory = vec![0; 64 << 10];
    let mut db = Db::new(&mut memory, 10);
    let mut conn = Conn::new(5, 4096, 4096);
    conn.ask(&mut db, 0, &lines(before));
    conn.ask(&mut db, 0, &request(&[&b"SET"[..], b"large", &[b'v'; 100_000]]));
    conn.ask(&mut db, 5, b"GET b\r\n");
    let got = String::from_utf8(conn.ask(&mut db, 5, b"INFO stats keyspace\r\n")).unwrap();
    let wanted = "# Stats\r\ntotal_connections_received:0\r\nrejected_connections:0\r\ntotal_commands_processed:8\r\n\
        keyspace_hits:2\r\nkeyspace_misses:3\r\nexpired_keys:1\r\nrefused_for_memory:1\r\n\r\n\
        # Keyspace\r\ndb0:keys=1,expires=0\r\n";
    assert_eq!(got, format!("${}\r\n{wanted}\r\n", wanted.len()));
    conn.ask(&mut db, 5, b"HELLO 3\r\n");
    let got = String::from_utf8(conn.ask(&mut db, 5, b"INFO keyspace\r\n")).unwrap();
    assert_eq!(got, "=38\r\ntxt:# Keyspace\r\ndb0:keys=1,expires=0\r\n\r\n");
}
