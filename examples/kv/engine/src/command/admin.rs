//! PING, ECHO, CONFIG.

use super::{Call, Failure};
use crate::glob;
use crate::limits::{MAX_KEY, MAX_VALUE};
use crate::number::Text;
use crate::resp::Protocol;
use crate::store::CELL_BYTES;

type Done = Result<(), Failure>;

pub fn ping(call: &mut Call<'_, '_, '_>) -> Done {
    match call.args.len() {
        0 => call.reply.raw(&mut call.db.store.cells, b"+PONG\r\n"),
        1 => return echo(call),
        _ => return Err(Failure::Arity),
    }
    Ok(())
}

pub fn echo(call: &mut Call<'_, '_, '_>) -> Done {
    let arg = call.arg()?;
    call.echo(arg);
    Ok(())
}

/// What can be configured, and is.
fn settings(call: &Call<'_, '_, '_>) -> [(&'static str, Value); 9] {
    let memory = (call.db.store.cells.total() * CELL_BYTES) as i64;
    [
        ("appendonly", Value::Text("no")),
        ("databases", Value::Number(1)),
        ("maxclients", Value::Number(call.db.max_clients as i64)),
        ("maxmemory", Value::Number(memory)),
        ("maxmemory-policy", Value::Text("noeviction")),
        ("port", Value::Number(call.db.port.into())),
        ("proto-max-bulk-len", Value::Number(MAX_VALUE as i64)),
        ("save", Value::Text("")),
        ("timeout", Value::Number(call.db.idle_seconds as i64)),
    ]
}

#[derive(Clone, Copy)]
enum Value {
    Text(&'static str),
    Number(i64),
}

pub fn config(call: &mut Call<'_, '_, '_>) -> Done {
    let word = call.arg()?;
    let cells = &call.db.store.cells;
    let left = call.args.len();
    if word.is(cells, "get") && left >= 1 {
        config_get(call)
    } else if word.is(cells, "set") && left >= 2 && left.is_multiple_of(2) {
        config_set(call)
    } else if word.is(cells, "resetstat") && left == 0 {
        call.db.stats = crate::Stats::default();
        call.ok();
        Ok(())
    } else if word.is(cells, "help") && call.args.is_empty() {
        call.help(&[
            "CONFIG <subcommand> [<arg> ...]. Subcommands are:",
            "GET <pattern> [<pattern> ...]",
            "    Settings whose names match.",
            "SET timeout <seconds>",
            "    Close connections that are idle for so long; 0: never.",
            "RESETSTAT",
            "    Reset what INFO counts.",
        ]);
        Ok(())
    } else {
        call.no_subcommand(word, &["get", "set", "resetstat", "help"]);
        Ok(())
    }
}

fn config_get(call: &mut Call<'_, '_, '_>) -> Done {
    let settings = settings(call);
    let mut chosen = [false; 9];
    while !call.args.is_empty() {
        let arg = call.arg()?;
        let mut room = [0; MAX_KEY];
        let len = arg.prefix(&call.db.store.cells, &mut room);
        room[..len].make_ascii_lowercase();
        for (at, (name, _)) in settings.iter().enumerate() {
            chosen[at] |= glob::matches(&room[..len], name.as_bytes());
        }
    }
    call.reply.map(&mut call.db.store.cells, chosen.iter().filter(|c| **c).count());
    for (at, (name, value)) in settings.iter().enumerate() {
        if chosen[at] {
            call.bulk(name.as_bytes());
            match value {
                Value::Text(text) => call.bulk(text.as_bytes()),
                Value::Number(number) => call.bulk(Text::new(*number).as_bytes()),
            }
        }
    }
    Ok(())
}

fn config_set(call: &mut Call<'_, '_, '_>) -> Done {
    let mut seconds = None;
    while !call.args.is_empty() {
        let name = call.arg()?;
        if !name.is(&call.db.store.cells, "timeout") {
            return Err(Failure::Told(
                "-ERR CONFIG SET failed - only 'timeout' can be set while the server runs; see --help for the rest",
            ));
        }
        let number = call.number().map_err(|_| {
            Failure::Told(
                "-ERR CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't be parsed into an integer",
            )
        })?;
        if !(0..=i64::from(i32::MAX)).contains(&number) {
            return Err(Failure::Told(
                "-ERR CONFIG SET failed (possibly related to argument 'timeout') - argument must be between 0 and 2147483647 inclusive",
            ));
        }
        seconds = Some(number as u64);
    }
    call.db.idle_seconds = seconds.unwrap_or(call.db.idle_seconds);
    call.ok();
    Ok(())
}

/// A bulk string that says that it is text, where the protocol can.
pub fn text(call: &mut Call<'_, '_, '_>, text: &[u8]) {
    if call.reply.protocol == Protocol::Resp3 {
        call.reply.header(&mut call.db.store.cells, b'=', text.len() as i64 + 4);
        call.reply.raw(&mut call.db.store.cells, b"txt:");
        call.reply.raw(&mut call.db.store.cells, text);
        call.reply.raw(&mut call.db.store.cells, b"\r\n");
    } else {
        call.bulk(text);
    }
}
