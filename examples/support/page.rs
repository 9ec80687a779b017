//! A page of text that one process writes and others read: a file that all of them map.
//!
//! PAGE-1: the mapping is `BYTES` long, as long as the file, and lives as long as its `Page`. All of it is touched as atomic
//! words only, so another process may do to it what it likes. PAGE-2: one writer. It makes `turn` odd, writes, and makes it
//! even; a reader that has seen the same even number before and after has read one text and not two.

use std::fmt::{self, Write};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes of the file.
const BYTES: usize = 32 << 10;
const WORDS: usize = BYTES / 8;
/// The first word of a file that is such a page.
const MAGIC: u64 = u64::from_le_bytes(*b"UBXPAGE1");
/// Words before the text: what it is, whose turn it is, how long the text is.
const AT_MAGIC: usize = 0;
const AT_TURN: usize = 1;
const AT_LEN: usize = 2;
const AT_TEXT: usize = 3;
/// The longest text.
const TEXT_MAX: usize = (WORDS - AT_TEXT) * 8;

/// See the module.
#[derive(Debug)]
pub struct Page {
    words: *const AtomicU64,
}

// SAFETY: PAGE-1.
unsafe impl Send for Page {}
// SAFETY: as above.
unsafe impl Sync for Page {}

impl Page {
    /// A page of this process's, in a new file or in place of an old one.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(path: &str) -> io::Result<Self> {
        // A reader of the old one keeps that.
        let _ = std::fs::remove_file(path);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        file.set_len(BYTES as u64)?;
        let page = Self::map(&file, libc::PROT_READ | libc::PROT_WRITE)?;
        page.word(AT_MAGIC).store(MAGIC, Ordering::Release);
        Ok(page)
    }

    /// Another process's page.
    ///
    /// # Errors
    /// What the system says, or that the file is no such page.
    pub fn open(path: &str) -> io::Result<Self> {
        let file = File::open(path)?;
        let wrong = || io::Error::new(io::ErrorKind::InvalidData, "not a page that `kv --stats` writes");
        if file.metadata()?.len() != BYTES as u64 {
            return Err(wrong());
        }
        let page = Self::map(&file, libc::PROT_READ)?;
        match page.word(AT_MAGIC).load(Ordering::Acquire) {
            MAGIC => Ok(page),
            _ => Err(wrong()),
        }
    }

    fn map(file: &File, protection: i32) -> io::Result<Self> {
        // SAFETY: PAGE-1: a new mapping of an open file.
        let at = unsafe {
            libc::mmap(std::ptr::null_mut(), BYTES, protection, libc::MAP_SHARED, file.as_raw_fd(), 0)
        };
        if at == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(Self { words: at.cast() }) }
    }

    fn word(&self, index: usize) -> &AtomicU64 {
        assert!(index < WORDS);
        // SAFETY: PAGE-1.
        unsafe { &*self.words.add(index) }
    }

    /// Writes a text, of which what has no room is left out. Allocates nothing.
    pub fn write(&self, text: &[u8]) {
        let text = &text[..text.len().min(TEXT_MAX)];
        let turn = self.word(AT_TURN).load(Ordering::Relaxed) | 1;
        self.word(AT_TURN).store(turn, Ordering::Relaxed);
        // Each with release, so that whoever sees one of them sees the odd turn too (PAGE-2).
        self.word(AT_LEN).store(text.len() as u64, Ordering::Release);
        for (index, bytes) in text.chunks(8).enumerate() {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            self.word(AT_TEXT + index).store(u64::from_le_bytes(word), Ordering::Release);
        }
        self.word(AT_TURN).store(turn + 1, Ordering::Release);
    }

    /// Reads the last whole text; none where nothing is written yet, or the writer ended in the middle of a text.
    pub fn read(&self) -> Option<String> {
        (0..1000).find_map(|_| {
            let text = self.try_read();
            if text.is_none() {
                std::thread::sleep(std::time::Duration::from_micros(100));
            }
            text
        })
    }

    fn try_read(&self) -> Option<String> {
        let turn = self.word(AT_TURN).load(Ordering::Acquire);
        if turn == 0 || turn % 2 == 1 {
            return None;
        }
        let len = usize::try_from(self.word(AT_LEN).load(Ordering::Acquire)).ok()?.min(TEXT_MAX);
        let words = (0..len.div_ceil(8)).map(|i| self.word(AT_TEXT + i).load(Ordering::Acquire));
        let mut bytes: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        if self.word(AT_TURN).load(Ordering::Relaxed) != turn {
            return None;
        }
        bytes.truncate(len);
        String::from_utf8(bytes).ok()
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // SAFETY: PAGE-1: nothing borrows it any more.
        unsafe { libc::munmap(self.words.cast_mut().cast(), BYTES) };
    }
}

/// Text in memory that is there already: what has no room is left out.
#[derive(Debug)]
pub struct Text {
    bytes: Vec<u8>,
}

impl Text {
    /// Empty, with room for a page.
    pub fn new() -> Self {
        Self { bytes: Vec::with_capacity(TEXT_MAX) }
    }

    /// Empty again.
    pub fn clear(&mut self) {
        self.bytes.clear();
    }

    /// One more line, or several.
    pub fn line(&mut self, line: fmt::Arguments<'_>) {
        let _ = writeln!(self, "{line}");
    }

    /// What was written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.bytes.len() + text.len() > TEXT_MAX {
            return Err(fmt::Error);
        }
        self.bytes.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> String {
        let path = std::env::temp_dir().join(format!("unboxed-page-{name}-{}", std::process::id()));
        path.to_str().expect("a path of text").to_owned()
    }

    #[test]
    fn a_reader_sees_the_last_text_whole() {
        let path = path("last");
        let page = Page::create(&path).unwrap();
        assert_eq!(Page::open(&path).unwrap().try_read(), None);
        page.write(b"a longer first text");
        page.write("zweiter Text \u{e4}".as_bytes());
        assert_eq!(Page::open(&path).unwrap().read().as_deref(), Some("zweiter Text \u{e4}"));
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn no_text_is_ever_half_of_one_and_half_of_another() {
        let path = path("torn");
        let page = Page::create(&path).unwrap();
        page.write(&[b'a'; 1000]);
        let reader = Page::open(&path).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..20_000_u32 {
                    page.write(&[b'a' + (round % 26) as u8; 1000][..500 + round as usize % 500]);
                }
            });
            for _ in 0..2000 {
                if let Some(text) = reader.try_read() {
                    let first = text.as_bytes()[0];
                    assert!(text.bytes().all(|byte| byte == first), "torn: {text}");
                }
            }
        });
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn another_file_is_refused() {
        let path = path("other");
        std::fs::write(&path, vec![0; BYTES]).unwrap();
        assert!(Page::open(&path).is_err());
        std::fs::write(&path, b"short").unwrap();
        assert!(Page::open(&path).is_err());
        std::fs::remove_file(path).unwrap();
    }
}
