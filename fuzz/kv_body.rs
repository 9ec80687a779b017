//! What the fuzzer and the smoke test do with bytes: they drive kv's engine, which must not panic, must always
//! go on, must not care how its input is cut, and must lose no cell.

use unboxed_kv::{Db, Session, Step};

const CAPACITY: usize = 2049;

/// A connection with its buffers.
struct Conn {
    session: Session,
    input: Vec<u8>,
    out: Vec<u8>,
    got: Vec<u8>,
    closed: bool,
}

impl Conn {
    fn new(out: usize) -> Self {
        let session = Session::new(1, CAPACITY);
        Self { session, input: Vec::new(), out: vec![0; out], got: Vec::new(), closed: false }
    }

    /// One call of the engine; whether there is more to do.
    fn step(&mut self, db: &mut Db<'_>, now: u64) -> bool {
        if self.closed {
            return false;
        }
        let done = self.session.advance(db, now, &self.input, &mut self.out);
        self.got.extend_from_slice(&self.out[..done.produced]);
        self.input.drain(..done.consumed);
        self.closed = done.step == Step::Close;
        assert!(done.step != Step::OutputFull || done.produced > 0, "it does not go on");
        assert!(
            done.step != Step::NeedInput || self.input.len() < CAPACITY,
            "there is no room for what it needs"
        );
        done.step == Step::OutputFull
    }

    /// Everything, as fast as it goes.
    fn feed(&mut self, db: &mut Db<'_>, now: u64, mut bytes: &[u8]) {
        loop {
            let (now_in, later) = bytes.split_at(bytes.len().min(CAPACITY - self.input.len()));
            self.input.extend_from_slice(now_in);
            bytes = later;
            let more = self.step(db, now);
            if self.closed || !more && bytes.is_empty() {
                return;
            }
        }
    }
}

/// Runs one input.
pub fn run(data: &[u8]) {
    match data {
        [mode, rest @ ..] if mode % 2 == 0 => two_connections(*mode, rest),
        [mode, rest @ ..] => cuts(*mode, rest),
        [] => {}
    }
}

/// Two connections in hardly any memory: each round is a byte that says what is done, a length, and bytes.
fn two_connections(mode: u8, mut data: &[u8]) {
    let mut memory = vec![0; 4096 << (mode / 2 % 5)];
    let mut db = Db::new(&mut memory, 2);
    let mut conns = [Conn::new(1024), Conn::new(1024)];
    let mut now = 0;
    while let [what, len, rest @ ..] = data {
        // Pieces of up to 8 KiB, of which the data that is there may be repeated.
        let (piece, after) = rest.split_at(rest.len().min(usize::from(*len)));
        data = after;
        let conn = &mut conns[usize::from(what % 2)];
        match what / 2 % 8 {
            0 => now += u64::from(*len) * 10,
            1 => db.sweep(now, usize::from(*len)),
            2 => std::mem::replace(conn, Conn::new(1024)).session.end(&mut db),
            3 => drop(conn.step(&mut db, now)),
            4 => conn.feed(&mut db, now, &piece.repeat(32)),
            5 if conn.input.len() + piece.len() <= CAPACITY => {
                conn.input.extend_from_slice(piece);
                conn.step(&mut db, now);
            }
            _ => conn.feed(&mut db, now, piece),
        }
    }
    finish(db, conns, now);
}

/// Nothing is left when all are gone.
fn finish(mut db: Db<'_>, conns: [Conn; 2], now: u64) {
    for conn in conns {
        conn.session.end(&mut db);
    }
    let mut last = Conn::new(1024);
    last.feed(&mut db, now, b"FLUSHALL\r\n");
    assert_eq!(last.got, b"+OK\r\n");
    last.session.end(&mut db);
    assert_eq!((db.store.cells.used(), db.store.len(), db.store.with_expiry()), (0, 0, 0));
}

/// The same bytes in one piece and in many.
fn cuts(mode: u8, data: &[u8]) {
    let whole = answers(std::iter::once(data));
    let pieces = answers(data.chunks(1 + usize::from(mode / 2)));
    // Keys come in the order of their hashes, which are others in each store.
    let has = |word: &[u8]| data.windows(4).any(|four| four.eq_ignore_ascii_case(word));
    let same = whole == pieces || has(b"keys") || has(b"scan");
    assert!(same, "cut otherwise, answered otherwise");
}

fn answers<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<u8>, bool) {
    let mut memory = vec![0; 128 << 10];
    let mut db = Db::new(&mut memory, 2);
    let mut conn = Conn::new(2048);
    pieces.for_each(|piece| conn.feed(&mut db, 0, piece));
    let answers = (std::mem::take(&mut conn.got), conn.closed);
    finish(db, [conn, Conn::new(1024)], 0);
    answers
}
