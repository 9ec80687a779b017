//! What the tasks share: the database, and the time.

use crate::options::Options;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use unboxed::memory::{MapNode, Mapped, Row};
use unboxed_kv::store::CELL_BYTES;
use unboxed_kv::{Db, Session};

/// The database, behind a lock that nobody holds across an await: one batch of requests at a time.
#[derive(Debug)]
pub struct Service {
    db: Mutex<Db<'static>>,
    began: Instant,
    /// Where the database's memory lies, in bytes.
    memory: (usize, usize),
    node: MapNode,
}

impl Service {
    /// All memory that the service will ever have, for as long as the process lives.
    pub fn leak(options: &Options, port: u16) -> &'static Self {
        let memory = Box::leak(zeros(options.bytes).into_boxed_slice());
        let place = (memory.as_ptr().addr(), memory.len());
        let mut db = Db::new(memory, options.connections);
        db.port = port;
        db.idle_seconds = options.timeout;
        let (db, began, node) = (Mutex::new(db), Instant::now(), MapNode::new());
        let service: &'static Self = Box::leak(Box::new(Self { db, began, memory: place, node }));
        service.node.show(service);
        service
    }

    /// The database, once it is ours. A panic within the engine may have left cells that nobody has any more, and
    /// nothing worse.
    pub fn db(&self) -> MutexGuard<'_, Db<'static>> {
        self.db.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Milliseconds since the start.
    pub fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}

/// Keys, values, large requests and replies.
impl Mapped for Service {
    fn rows(&self, tell: &mut dyn FnMut(Row)) {
        let (total, used, used_max) = {
            let db = self.db();
            let cells = &db.store.cells;
            (cells.total(), cells.used(), cells.used_max())
        };
        let (address, bytes) = self.memory;
        tell(Row {
            kind: "cells",
            name: "keys, values, large requests and replies",
            address,
            pieces: total,
            piece_bytes: CELL_BYTES,
            beside: bytes - total * CELL_BYTES + size_of::<Self>(),
            used,
            used_max,
        });
    }
}

/// Zeros that take no page before they are used; or an end with a message.
fn zeros(bytes: usize) -> Vec<u8> {
    // Asked for first, since a vector that is not to be had ends the process without saying why.
    if Vec::<u8>::new().try_reserve_exact(bytes).is_err() {
        eprintln!("--bytes {bytes}: the system does not give so much memory");
        std::process::exit(1);
    }
    vec![0; bytes]
}

/// An open connection's session. Dropped at any moment, aborted tasks included, it gives its cells back.
#[derive(Debug)]
pub struct Open {
    service: &'static Service,
    session: Option<Session>,
}

impl Open {
    /// One more connection; none when there are as many as may be.
    pub fn new(service: &'static Service, input: usize) -> Option<Self> {
        let mut db = service.db();
        if db.clients >= db.max_clients {
            db.stats.rejected += 1;
            return None;
        }
        db.clients += 1;
        db.stats.connections += 1;
        db.last_client += 1;
        let session = Session::new(db.last_client, input);
        Some(Self { service, session: Some(session) })
    }

    /// See [`Session::advance`].
    pub fn advance(&mut self, input: &[u8], out: &mut [u8]) -> unboxed_kv::Advance {
        let now = self.service.now_ms();
        let session = self.session.as_mut().expect("open until it is dropped");
        session.advance(&mut self.service.db(), now, input, out)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(session) = self.session.take() {
            let mut db = self.service.db();
            session.end(&mut db);
            db.clients -= 1;
        }
    }
}
