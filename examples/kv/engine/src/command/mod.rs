//! Commands: looked up, checked, run. One file a family.

mod admin;
mod client;
mod expiry;
mod info;
mod keys;
mod strings;
mod table;

pub use client::Client;

use crate::db::Db;
use crate::limits::MAX_KEY;
use crate::resp::{Arg, Args, Frame, Reply};
use crate::store::{Cells, Full, Id, Source};
use table::Command;

/// Why a command was not carried out. Nothing has changed then.
#[derive(Debug, Clone, Copy)]
enum Failure {
    /// The memory is full.
    Full,
    /// Too many arguments or too few.
    Arity,
    /// An option that there is not, or that does not go with another.
    Syntax,
    /// An argument is no number of 64 bits.
    NotInteger,
    /// An expiry that is not in the future, or too far in it.
    ExpireTime,
    /// The next argument is an option that there is not: told between these two texts.
    Option(&'static str, &'static str),
    /// Anything else, as it is told.
    Told(&'static str),
}

impl From<Full> for Failure {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

const KEY_TOO_LONG: &str = "-ERR key is too long: this server keeps keys of up to 1024 bytes";
const VALUE_TOO_LONG: &str = "-ERR string exceeds maximum allowed size (proto-max-bulk-len)";
const FULL: &str = "-OOM command not allowed when used memory > 'maxmemory'.";

/// What a command works with.
struct Call<'c, 'o, 'm> {
    db: &'c mut Db<'m>,
    client: &'c mut Client,
    reply: &'c mut Reply<'o>,
    args: Args<'c>,
    now: u64,
    command: &'static Command,
}

/// Runs a request; its reply, or the error's line.
pub fn run(db: &mut Db<'_>, client: &mut Client, now: u64, frame: Frame<'_>, reply: &mut Reply<'_>) {
    let mark = reply.len();
    let mut args = Args::new(frame, &db.store.cells);
    let Some(name) = args.next(&db.store.cells) else { return };
    db.stats.commands += 1;
    let mut room = [0; 16];
    let command = name.short(&db.store.cells, &mut room).and_then(table::find);
    let Some(command) = command else {
        unknown(db, name, args, reply);
        return;
    };
    let mut call = Call { db, client, reply, args, now, command };
    let done = if command.takes(args.len() + 1) { (command.run)(&mut call) } else { Err(Failure::Arity) };
    let failure = match done {
        Ok(()) if !call.reply.is_full() => return,
        Ok(()) => Failure::Full,
        Err(failure) => failure,
    };
    call.reply.rewind(&mut call.db.store, mark);
    call.fail(failure);
}

/// The answer to a request that could not even be staged.
pub fn refuse_full(db: &mut Db<'_>, reply: &mut Reply<'_>) {
    db.stats.commands += 1;
    db.stats.full += 1;
    reply.format(&mut db.store.cells, format_args!("{FULL}\r\n"));
}

/// A place for a key that is staged in cells.
#[derive(Default)]
struct KeyRoom(Option<[u8; MAX_KEY]>);

impl KeyRoom {
    /// The key, in one piece; none when it is too long.
    #[inline]
    fn key<'r>(&'r mut self, arg: Arg<'r>, cells: &Cells<'_>) -> Option<&'r [u8]> {
        match arg.0 {
            Source::Slice(slice) => (slice.len() <= MAX_KEY).then_some(slice),
            Source::Staged { .. } => arg.short(cells, self.0.insert([0; MAX_KEY])),
        }
    }
}

struct Upper(&'static str);

impl core::fmt::Display for Upper {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.chars().try_for_each(|c| core::fmt::Write::write_char(f, c.to_ascii_uppercase()))
    }
}

/// Bytes of somebody's as part of an error line: nothing that ends the line.
struct Shown<'a>(&'a [u8]);

impl core::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.iter().try_for_each(|byte| match byte {
            b' '..=b'~' => core::fmt::Write::write_char(f, *byte as char),
            _ => core::fmt::Write::write_char(f, ' '),
        })
    }
}

fn unknown(db: &mut Db<'_>, name: Arg<'_>, mut args: Args<'_>, reply: &mut Reply<'_>) {
    const SHOWN: usize = 128;
    let mut room = [0; SHOWN];
    let cells = &mut db.store.cells;
    let count = name.prefix(cells, &mut room);
    reply.format(
        cells,
        format_args!("-ERR unknown command '{}', with args beginning with: ", Shown(&room[..count])),
    );
    let mut left = SHOWN;
    while left > 0
        && let Some(arg) = args.next(cells)
    {
        let count = arg.prefix(cells, &mut room[..left]);
        reply.format(cells, format_args!("'{}' ", Shown(&room[..count])));
        left = left.saturating_sub(count + 3);
    }
    reply.raw(cells, b"\r\n");
}

impl<'c> Call<'c, '_, '_> {
    fn fail(&mut self, failure: Failure) {
        let (name, cells) = (self.command.name, &mut self.db.store.cells);
        let mut room = [0; 128];
        let word = self.args.next(cells).map_or(0, |word| word.prefix(cells, &mut room));
        let mut line = |text: core::fmt::Arguments<'_>| self.reply.format(cells, format_args!("{text}\r\n"));
        match failure {
            Failure::Full => {
                self.db.stats.full += 1;
                line(format_args!("{FULL}"));
            }
            Failure::Arity => line(format_args!("-ERR wrong number of arguments for '{name}' command")),
            Failure::Syntax => line(format_args!("-ERR syntax error")),
            Failure::NotInteger => line(format_args!("-ERR value is not an integer or out of range")),
            Failure::ExpireTime => line(format_args!("-ERR invalid expire time in '{name}' command")),
            Failure::Option(before, after) => line(format_args!("{before}{}{after}", Shown(&room[..word]))),
            Failure::Told(text) => line(format_args!("{text}")),
        }
    }

    /// The next argument, which the command's arity has promised.
    fn arg(&mut self) -> Result<Arg<'c>, Failure> {
        self.args.next(&self.db.store.cells).ok_or(Failure::Syntax)
    }

    /// The next argument as a number.
    fn number(&mut self) -> Result<i64, Failure> {
        let arg = self.arg()?;
        arg.number(&self.db.store.cells).ok_or(Failure::NotInteger)
    }

    /// Finds the key that is the next argument. One that is too long for the store is not in it.
    fn find(&mut self) -> Result<Option<Id>, Failure> {
        let arg = self.arg()?;
        let mut room = KeyRoom::default();
        let Some(key) = room.key(arg, &self.db.store.cells) else { return Ok(None) };
        Ok(self.db.find(key, self.now))
    }

    /// Answers a subcommand that has other arguments, if it is one of these, or that there is not.
    fn no_subcommand(&mut self, word: Arg<'_>, known: &[&str]) {
        let (name, cells) = (self.command.name, &mut self.db.store.cells);
        if let Some(sub) = known.iter().find(|sub| word.is(cells, sub)) {
            let line = format_args!("-ERR wrong number of arguments for '{name}|{sub}' command\r\n");
            return self.reply.format(cells, line);
        }
        let mut text = [0; 128];
        let count = word.prefix(cells, &mut text);
        let (name, shown) = (Upper(name), Shown(&text[..count]));
        let line = format_args!("-ERR unknown subcommand '{shown}'. Try {name} HELP.\r\n");
        self.reply.format(cells, line);
    }

    /// Lines of help.
    fn help(&mut self, lines: &[&str]) {
        self.array(lines.len());
        for line in lines {
            self.reply.format(&mut self.db.store.cells, format_args!("+{line}\r\n"));
        }
    }

    /// Counts a read.
    fn count(&mut self, found: Option<Id>) {
        match found {
            Some(_) => self.db.stats.hits += 1,
            None => self.db.stats.misses += 1,
        }
    }

    fn ok(&mut self) {
        self.reply.raw(&mut self.db.store.cells, b"+OK\r\n");
    }

    fn integer(&mut self, number: i64) {
        self.reply.header(&mut self.db.store.cells, b':', number);
    }

    fn array(&mut self, len: usize) {
        self.reply.header(&mut self.db.store.cells, b'*', len as i64);
    }

    fn null(&mut self) {
        self.reply.null(&mut self.db.store.cells);
    }

    fn bulk(&mut self, bytes: &[u8]) {
        self.reply.bulk(&mut self.db.store.cells, bytes);
    }

    /// An argument as a bulk string.
    fn echo(&mut self, arg: Arg<'_>) {
        match arg.0 {
            Source::Slice(slice) => self.bulk(slice),
            Source::Staged { from, len } => {
                self.reply.bulk_cells(&mut self.db.store.cells, from, len);
            }
        }
    }
}
