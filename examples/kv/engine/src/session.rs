//! One connection's requests and replies, without its socket.
//!
//! ```text
//!            whole in the buffer -> run in place
//! request -> larger than the buffer -> STAGED in cells -> run from there
//!            no cell left           -> SKIPPED to its end -> -OOM
//! reply   -> write buffer -> spill, drained before the next request
//! ```
//! SES-1: nothing is read of a request before the last reply's spill is drained, so a slow reader holds one
//! command's reply and no more. SES-2: `end` gives all cells back. SES-3: a command that walks over many keys
//! ends its call.

use crate::command::{self, Client};
use crate::db::Db;
use crate::limits::MIN_ROOM;
use crate::resp::{Frame, Kind, ProtocolError, Quotes, Reply, Scanned, Scanner, Spill};
use crate::store::{Cells, Cursor, Full, Tail};

/// What a connection has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Write what was produced, then read more.
    NeedInput,
    /// Write what was produced, let others have a turn, then call again with the rest of the input.
    OutputFull,
    /// Write what was produced, then close.
    Close,
}

/// How far a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Advance {
    /// Bytes of the input that are done with.
    pub consumed: usize,
    /// Bytes of the output that are to be written.
    pub produced: usize,
    /// What comes next.
    pub step: Step,
}

#[derive(Debug)]
enum Gather {
    /// In the read buffer; so many bytes of it are scanned.
    Buffer {
        scanned: usize,
    },
    Staged(Tail),
    Skipped,
}

/// A connection's state. It holds cells of the store: give them back with [`end`](Self::end).
#[derive(Debug)]
pub struct Session {
    client: Client,
    scanner: Scanner,
    gather: Gather,
    spill: Spill,
    capacity: usize,
}

enum Next<'a> {
    Frame(Frame<'a>),
    Skipped,
    Partial,
    Bad(ProtocolError),
}

impl Session {
    /// A new connection's, which reads into a buffer of `capacity` bytes.
    ///
    /// # Panics
    /// When an inline request does not fit into the buffer.
    pub fn new(id: u64, capacity: usize) -> Self {
        assert!(capacity > crate::limits::MAX_INLINE, "kv: a read buffer of {capacity} bytes is too small");
        Self {
            client: Client::new(id),
            scanner: Scanner::new(),
            gather: Gather::Buffer { scanned: 0 },
            spill: Spill::new(),
            capacity,
        }
    }

    /// Runs what is complete in `input`, and writes the replies to `out`.
    ///
    /// The caller keeps what was not consumed, in front of what it reads next. `now_ms` never goes back.
    ///
    /// # Panics
    /// With less than 1 KiB of `out`.
    pub fn advance(&mut self, db: &mut Db<'_>, now_ms: u64, input: &[u8], out: &mut [u8]) -> Advance {
        assert!(out.len() >= 2 * MIN_ROOM, "kv: a write buffer of {} bytes is too small", out.len());
        let (mut consumed, mut produced) = (0, 0);
        let step = loop {
            produced += self.spill.drain(&mut db.store, &mut out[produced..]);
            if !self.spill.is_empty() {
                break Step::OutputFull;
            }
            if self.client.closing {
                break Step::Close;
            }
            // SES-3: a command that walks over many keys is the last of its call, so that others get their turn.
            if std::mem::take(&mut self.client.walked) {
                break Step::OutputFull;
            }
            if out.len() - produced < MIN_ROOM {
                break Step::OutputFull;
            }
            let rest = &input[consumed..];
            let (taken, next) = self.gather(&mut db.store.cells, rest);
            consumed += taken;
            let mut reply = Reply::new(out, produced, &mut self.spill, self.client.protocol);
            match next {
                Next::Frame(frame) => {
                    command::run(db, &mut self.client, now_ms, frame, &mut reply);
                    produced = reply.len();
                    if let Frame::Staged(start) = frame {
                        db.store.cells.give(start.cell);
                    }
                }
                Next::Skipped => {
                    command::refuse_full(db, &mut reply);
                    produced = reply.len();
                }
                Next::Bad(error) => {
                    reply.format(&mut db.store.cells, format_args!("-ERR Protocol error: {error}\r\n"));
                    produced = reply.len();
                    self.client.closing = true;
                }
                Next::Partial => break Step::NeedInput,
            }
        };
        Advance { consumed, produced, step }
    }

    /// Gives back all cells (SES-2).
    pub fn end(mut self, db: &mut Db<'_>) {
        self.spill.clear(&mut db.store);
        if let Gather::Staged(tail) = self.gather {
            db.store.cells.give(tail.head);
        }
    }

    /// Takes the next request's bytes; how many are done with.
    fn gather<'a>(&mut self, cells: &mut Cells<'_>, input: &'a [u8]) -> (usize, Next<'a>) {
        let Gather::Buffer { scanned } = self.gather else { return self.gather_more(cells, input) };
        let (count, found) = self.scanner.scan(&input[scanned..]);
        let end = scanned + count;
        match found {
            Scanned::Complete(kind) => {
                self.gather = Gather::Buffer { scanned: 0 };
                let frame = match kind {
                    Kind::Array => Next::Frame(Frame::Array(&input[..end])),
                    Kind::Inline => inline(cells, &input[..end]),
                };
                (end, frame)
            }
            Scanned::Bad(error) => (end, Next::Bad(error)),
            Scanned::Partial if end < self.capacity => {
                self.gather = Gather::Buffer { scanned: end };
                (0, Next::Partial)
            }
            Scanned::Partial => {
                self.gather = match cells.start_request().map(|mut tail| (cells.push(&mut tail, input), tail))
                {
                    Ok((Ok(()), tail)) => Gather::Staged(tail),
                    Ok((Err(Full), tail)) => {
                        cells.give(tail.head);
                        Gather::Skipped
                    }
                    Err(Full) => Gather::Skipped,
                };
                (end, Next::Partial)
            }
        }
    }

    /// The same once the request has outgrown the buffer.
    fn gather_more<'a>(&mut self, cells: &mut Cells<'_>, input: &'a [u8]) -> (usize, Next<'a>) {
        let (count, found) = self.scanner.scan(input);
        if let Gather::Staged(tail) = &mut self.gather
            && cells.push(tail, &input[..count]).is_err()
        {
            cells.give(tail.head);
            self.gather = Gather::Skipped;
        }
        let next = match (found, &self.gather) {
            (Scanned::Partial, _) => return (count, Next::Partial),
            (Scanned::Complete(_), Gather::Staged(tail)) => {
                Next::Frame(Frame::Staged(Cursor { cell: tail.head, at: 0 }))
            }
            (Scanned::Complete(_), _) => Next::Skipped,
            (Scanned::Bad(error), Gather::Staged(tail)) => {
                cells.give(tail.head);
                Next::Bad(error)
            }
            (Scanned::Bad(error), _) => Next::Bad(error),
        };
        self.gather = Gather::Buffer { scanned: 0 };
        (count, next)
    }
}

/// An inline request: as it is, or with its quotes taken off, as an array in cells.
fn inline<'a>(cells: &mut Cells<'_>, line: &'a [u8]) -> Next<'a> {
    if !Quotes::are_in(line) {
        return Next::Frame(Frame::Line(line));
    }
    let mut words = Quotes::new(line);
    let mut count = 0;
    loop {
        match words.next(|_| {}) {
            Ok(true) => count += 1,
            Ok(false) => break,
            Err(error) => return Next::Bad(error),
        }
    }
    let Ok(mut tail) = cells.start_request() else { return Next::Skipped };
    if unquote(cells, &mut tail, line, count).is_err() {
        cells.give(tail.head);
        return Next::Skipped;
    }
    Next::Frame(Frame::Staged(Cursor { cell: tail.head, at: 0 }))
}

fn unquote(cells: &mut Cells<'_>, tail: &mut Tail, line: &[u8], count: i64) -> Result<(), Full> {
    let header = |cells: &mut Cells<'_>, tail: &mut Tail, mark: &[u8], number: i64| {
        cells.push(tail, mark)?;
        cells.push(tail, crate::number::Text::new(number).as_bytes())?;
        cells.push(tail, b"\r\n")
    };
    header(cells, tail, b"*", count)?;
    let mut words = Quotes::new(line);
    for _ in 0..count {
        let mut len = 0;
        let _ = words.clone().next(|_| len += 1);
        header(cells, tail, b"$", len)?;
        let mut pushed = Ok(());
        let _ = words.next(|byte| pushed = pushed.and(cells.push(tail, &[byte])));
        pushed?;
        cells.push(tail, b"\r\n")?;
    }
    Ok(())
}
