//! INFO and COMMAND.

use super::table::{COMMANDS, Command, find};
use super::{Call, Failure, admin};
use crate::resp::Arg;
use crate::store::CELL_BYTES;

type Done = Result<(), Failure>;

/// Text of some lines, put together on the stack.
pub struct Text {
    bytes: [u8; 1536],
    len: usize,
}

impl Text {
    pub fn new() -> Self {
        Self { bytes: [0; 1536], len: 0 }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// What does not fit is left away; the sizes are chosen so that all does.
    pub fn add_bytes(&mut self, bytes: &[u8]) {
        let count = bytes.len().min(self.bytes.len() - self.len);
        self.bytes[self.len..self.len + count].copy_from_slice(&bytes[..count]);
        self.len += count;
    }

    pub fn add(&mut self, text: core::fmt::Arguments<'_>) {
        // Writing here does not fail.
        let _ = core::fmt::Write::write_fmt(self, text);
    }
}

impl core::fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.add_bytes(text.as_bytes());
        Ok(())
    }
}

type Section = (&'static str, fn(&Call<'_, '_, '_>, &mut Text));

const SECTIONS: [Section; 5] =
    [("Server", server), ("Clients", clients), ("Memory", memory), ("Stats", stats), ("Keyspace", keyspace)];

pub fn info(call: &mut Call<'_, '_, '_>) -> Done {
    let mut chosen = [call.args.is_empty(); SECTIONS.len()];
    while !call.args.is_empty() {
        let (arg, cells) = (call.arg()?, &call.db.store.cells);
        let all = ["all", "default", "everything"].iter().any(|word| arg.is(cells, word));
        for (at, (name, _)) in SECTIONS.iter().enumerate() {
            chosen[at] |= all || arg.is(cells, name);
        }
    }
    let mut text = Text::new();
    for (at, (name, tell)) in SECTIONS.iter().enumerate() {
        if chosen[at] {
            let gap = if text.len == 0 { "" } else { "\r\n" };
            text.add(format_args!("{gap}# {name}\r\n"));
            tell(call, &mut text);
        }
    }
    admin::text(call, text.as_bytes());
    Ok(())
}

fn server(call: &Call<'_, '_, '_>, text: &mut Text) {
    let seconds = call.now.saturating_sub(call.db.started_ms) / 1000;
    text.add(format_args!(
        "server_name:unboxed-kv\r\nserver_version:{}\r\nprocess_id:{}\r\ntcp_port:{}\r\nuptime_in_seconds:{seconds}\r\n",
        env!("CARGO_PKG_VERSION"),
        std::process::id(),
        call.db.port,
    ));
}

fn clients(call: &Call<'_, '_, '_>, text: &mut Text) {
    text.add(format_args!("connected_clients:{}\r\nmaxclients:{}\r\n", call.db.clients, call.db.max_clients));
}

fn memory(call: &Call<'_, '_, '_>, text: &mut Text) {
    let cells = &call.db.store.cells;
    let (used, total) = (cells.used() * CELL_BYTES, cells.total() * CELL_BYTES);
    text.add(format_args!(
        "used_memory:{used}\r\nmaxmemory:{total}\r\nmaxmemory_policy:noeviction\r\ncell_bytes:{CELL_BYTES}\r\n"
    ));
}

fn stats(call: &Call<'_, '_, '_>, text: &mut Text) {
    let stats = &call.db.stats;
    text.add(format_args!(
        "total_connections_received:{}\r\nrejected_connections:{}\r\ntotal_commands_processed:{}\r\n",
        stats.connections, stats.rejected, stats.commands
    ));
    text.add(format_args!(
        "keyspace_hits:{}\r\nkeyspace_misses:{}\r\nexpired_keys:{}\r\nrefused_for_memory:{}\r\n",
        stats.hits, stats.misses, stats.expired, stats.full
    ));
}

fn keyspace(call: &Call<'_, '_, '_>, text: &mut Text) {
    let store = &call.db.store;
    if !store.is_empty() {
        text.add(format_args!("db0:keys={},expires={}\r\n", store.len(), store.with_expiry()));
    }
}

pub fn command(call: &mut Call<'_, '_, '_>) -> Done {
    let Some(word) = call.args.next(&call.db.store.cells) else {
        call.array(COMMANDS.len());
        COMMANDS.iter().for_each(|command| describe(call, command));
        return Ok(());
    };
    let cells = &call.db.store.cells;
    if word.is(cells, "count") && call.args.is_empty() {
        call.integer(COMMANDS.len() as i64);
    } else if word.is(cells, "list") && call.args.is_empty() {
        call.array(COMMANDS.len());
        COMMANDS.iter().for_each(|command| call.bulk(command.name.as_bytes()));
    } else if word.is(cells, "info") {
        describe_some(call)?;
    } else if word.is(cells, "docs") {
        // There are none: clients go on without hints.
        call.reply.map(&mut call.db.store.cells, 0);
    } else if word.is(cells, "help") && call.args.is_empty() {
        call.help(&[
            "COMMAND [<subcommand> [<arg> ...]]. Subcommands are:",
            "(no subcommand), INFO [<name> ...]",
            "    Name, arity, flags and keys of commands.",
            "COUNT",
            "    How many commands there are.",
            "LIST",
            "    Their names.",
        ]);
    } else {
        call.no_subcommand(word, &["count", "list", "help"]);
    }
    Ok(())
}

fn describe_some(call: &mut Call<'_, '_, '_>) -> Done {
    if call.args.is_empty() {
        call.array(COMMANDS.len());
        COMMANDS.iter().for_each(|command| describe(call, command));
        return Ok(());
    }
    call.array(call.args.len());
    while !call.args.is_empty() {
        let name = call.arg()?;
        match lookup(call, name) {
            Some(command) => describe(call, command),
            None => call.null(),
        }
    }
    Ok(())
}

fn lookup(call: &Call<'_, '_, '_>, name: Arg<'_>) -> Option<&'static Command> {
    let mut room = [0; 16];
    name.short(&call.db.store.cells, &mut room).and_then(find)
}

fn describe(call: &mut Call<'_, '_, '_>, command: &Command) {
    call.array(6);
    call.bulk(command.name.as_bytes());
    call.integer(command.arity());
    call.array(command.flags.len());
    for flag in command.flags {
        call.reply.format(&mut call.db.store.cells, format_args!("+{flag}\r\n"));
    }
    let (first, last, step) = command.keys;
    for number in [first, last, step] {
        call.integer(number.into());
    }
}
