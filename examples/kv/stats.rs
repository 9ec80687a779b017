//! What the workers count, for `top` to read: a page of text in a file that both map, written anew four times a second.

use crate::service::Service;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use unboxed::observe::Snapshot;
use unboxed::rt::Remote;
use unboxed_examples::page::{Page, Text};

/// The page, and the memory in which its text is made.
#[derive(Debug)]
pub struct Board {
    page: Page,
    service: &'static Service,
    remote: Remote,
    text: Mutex<Text>,
}

impl Board {
    /// For as long as the process lives; a file that cannot be had ends it with a message.
    pub fn leak(path: &str, service: &'static Service, remote: Remote) -> &'static Self {
        let page = Page::create(path).unwrap_or_else(|error| {
            eprintln!("--stats {path}: {error}");
            std::process::exit(1);
        });
        Box::leak(Box::new(Self { page, service, remote, text: Mutex::new(Text::new()) }))
    }

    fn write(&self) {
        let mut text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        text.clear();
        text.line(format_args!("pid {}", std::process::id()));
        text.line(format_args!("uptime_ms {}", self.service.now_ms()));
        text.line(format_args!("clients {}", self.service.db().clients));
        let mut seen = Snapshot::new();
        for worker in 0..self.remote.workers() {
            if self.remote.snapshot(worker, &mut seen) {
                text.line(format_args!("{}", seen.text()));
            }
        }
        self.page.write(text.as_bytes());
    }
}

/// Until the runtime closes.
#[unboxed::task]
pub async fn publish(board: &'static Board) {
    loop {
        board.write();
        if unboxed::time::sleep(Duration::from_millis(250)).await.is_err() {
            return;
        }
    }
}
