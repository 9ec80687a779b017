//! The table of commands.

use super::{Call, Failure, admin, client, expiry, info, keys, strings};

/// One command.
pub struct Command {
    pub name: &'static str,
    /// Words, the name included; negative: at least so many.
    arity: i8,
    /// As COMMAND tells it.
    pub flags: &'static [&'static str],
    /// The first key, the last one (negative: from the end), the step between them.
    pub keys: (i8, i8, i8),
    pub run: Run,
}

type Run = fn(&mut Call<'_, '_, '_>) -> Result<(), Failure>;

impl Command {
    /// Whether it may have so many words.
    pub fn takes(&self, words: usize) -> bool {
        let least = usize::from(self.arity.unsigned_abs());
        if self.arity < 0 { words >= least } else { words == least }
    }

    /// As COMMAND tells it.
    pub fn arity(&self) -> i64 {
        self.arity.into()
    }
}

const READ: &[&str] = &["readonly", "fast"];
const WRITE: &[&str] = &["write", "denyoom", "fast"];
const CHANGE: &[&str] = &["write", "fast"];
const WALK: &[&str] = &["readonly"];
const ADMIN: &[&str] = &["admin", "noscript", "loading", "stale"];
const FAST: &[&str] = &["fast", "loading", "stale"];

const ONE: (i8, i8, i8) = (1, 1, 1);
const ALL: (i8, i8, i8) = (1, -1, 1);
const NONE: (i8, i8, i8) = (0, 0, 0);

const fn command(
    name: &'static str,
    arity: i8,
    flags: &'static [&'static str],
    keys: (i8, i8, i8),
    run: Run,
) -> Command {
    Command { name, arity, flags, keys, run }
}

/// All commands, by name.
pub static COMMANDS: [Command; 34] = [
    command("append", 3, WRITE, ONE, strings::append),
    command("client", -2, ADMIN, NONE, client::client),
    command("command", -1, WALK, NONE, info::command),
    command("config", -2, ADMIN, NONE, admin::config),
    command("dbsize", 1, READ, NONE, keys::dbsize),
    command("decr", 2, WRITE, ONE, strings::decr),
    command("decrby", 3, WRITE, ONE, strings::decrby),
    command("del", -2, CHANGE, ALL, keys::del),
    command("echo", 2, FAST, NONE, admin::echo),
    command("exists", -2, READ, ALL, keys::exists),
    command("expire", -3, CHANGE, ONE, expiry::expire),
    command("flushall", -1, CHANGE, NONE, keys::flushall),
    command("get", 2, READ, ONE, strings::get),
    command("hello", -1, FAST, NONE, client::hello),
    command("incr", 2, WRITE, ONE, strings::incr),
    command("incrby", 3, WRITE, ONE, strings::incrby),
    command("info", -1, WALK, NONE, info::info),
    command("keys", 2, WALK, NONE, keys::keys),
    command("mget", -2, READ, ALL, strings::mget),
    command("mset", -3, WRITE, (1, -1, 2), strings::mset),
    command("persist", 2, CHANGE, ONE, expiry::persist),
    command("pexpire", -3, CHANGE, ONE, expiry::pexpire),
    command("ping", -1, FAST, NONE, admin::ping),
    command("pttl", 2, READ, ONE, expiry::pttl),
    command("quit", -1, FAST, NONE, client::quit),
    command("scan", -2, WALK, NONE, keys::scan),
    command("select", 2, FAST, NONE, client::select),
    command("set", -3, WRITE, ONE, strings::set),
    command("strlen", 2, READ, ONE, strings::strlen),
    command("touch", -2, READ, ALL, keys::exists),
    command("ttl", 2, READ, ONE, expiry::ttl),
    command("type", 2, READ, ONE, keys::kind),
    command("unlink", -2, CHANGE, ALL, keys::del),
    command("flushdb", -1, CHANGE, NONE, keys::flushall),
];

/// A name's place: by its first letters and length, which part all names but a few.
#[inline]
pub fn find(name: &[u8]) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name.as_bytes().eq_ignore_ascii_case(name))
}
