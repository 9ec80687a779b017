//! What all connections share.

use crate::store::{Id, Store};

/// Counts since the start.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stats {
    /// Connections accepted.
    pub connections: u64,
    /// Connections refused because too many were open.
    pub rejected: u64,
    /// Commands run, wrong ones included.
    pub commands: u64,
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys removed at their time.
    pub expired: u64,
    /// Commands answered with `-OOM`.
    pub full: u64,
}

/// The store, and what INFO and CONFIG tell of the service.
#[derive(Debug)]
pub struct Db<'m> {
    /// Keys and values.
    pub store: Store<'m>,
    /// Counts.
    pub stats: Stats,
    /// The number of the newest connection.
    pub last_client: u64,
    /// How many connections may be open.
    pub max_clients: usize,
    /// How many are.
    pub clients: usize,
    /// The TCP port.
    pub port: u16,
    /// Seconds after which an idle connection is closed; 0: never.
    pub idle_seconds: u64,
    /// When the service began, in the milliseconds that `advance` is given.
    pub started_ms: u64,
}

impl<'m> Db<'m> {
    /// An empty store in `memory`, which holds zeros.
    ///
    /// # Panics
    /// With less than 4 KiB.
    pub fn new(memory: &'m mut [u8], max_clients: usize) -> Self {
        Self {
            store: Store::new(memory),
            stats: Stats::default(),
            last_client: 0,
            max_clients,
            clients: 0,
            port: 0,
            idle_seconds: 0,
            started_ms: 0,
        }
    }

    /// Removes what has expired in the next `buckets` of the index: to be called now and then.
    pub fn sweep(&mut self, now_ms: u64, buckets: usize) {
        self.stats.expired += self.store.sweep(now_ms, buckets) as u64;
    }

    /// Finds a key; one that has expired goes.
    pub(crate) fn find(&mut self, key: &[u8], now_ms: u64) -> Option<Id> {
        let before = self.store.len();
        let found = self.store.find(key, now_ms);
        self.stats.expired += (before - self.store.len()) as u64;
        found
    }
}
