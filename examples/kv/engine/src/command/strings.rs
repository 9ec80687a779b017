//! Reading and writing values.

use super::{Call, Failure, KEY_TOO_LONG, KeyRoom, VALUE_TOO_LONG};
use crate::limits::MAX_VALUE;
use crate::number::{self, Text};
use crate::resp::{Arg, Args};
use crate::store::{Id, Source};

type Done = Result<(), Failure>;

pub fn get(call: &mut Call<'_, '_, '_>) -> Done {
    let found = call.find()?;
    call.count(found);
    tell(call, found);
    Ok(())
}

fn tell(call: &mut Call<'_, '_, '_>, found: Option<Id>) {
    match found {
        Some(id) => call.reply.value(&mut call.db.store, id),
        None => call.null(),
    }
}

pub fn mget(call: &mut Call<'_, '_, '_>) -> Done {
    call.array(call.args.len());
    while !call.args.is_empty() && !call.reply.is_full() {
        get(call)?;
    }
    Ok(())
}

pub fn strlen(call: &mut Call<'_, '_, '_>) -> Done {
    let found = call.find()?;
    call.count(found);
    let len = found.map_or(0, |id| call.db.store.value(id).1);
    call.integer(len as i64);
    Ok(())
}

/// Options of SET.
#[derive(Default)]
struct Options<'a> {
    /// As it was asked for: the number and its unit's milliseconds.
    time: Option<(Arg<'a>, i64)>,
    keep: bool,
    absent: bool,
    present: bool,
    get: bool,
}

fn options<'c>(call: &mut Call<'c, '_, '_>) -> Result<Options<'c>, Failure> {
    let mut options = Options::default();
    while !call.args.is_empty() {
        let word = call.arg()?;
        let mut room = [0; 8];
        let len = word.prefix(&call.db.store.cells, &mut room);
        room.make_ascii_lowercase();
        match &room[..len.min(word.len())] {
            b"nx" => options.absent = true,
            b"xx" => options.present = true,
            b"get" => options.get = true,
            b"keepttl" => options.keep = true,
            unit @ (b"ex" | b"px") => {
                let millis = if unit == b"ex" { 1000 } else { 1 };
                if options.time.is_some_and(|(_, other)| other != millis) {
                    return Err(Failure::Syntax);
                }
                options.time = Some((call.arg()?, millis));
            }
            _ => return Err(Failure::Syntax),
        }
    }
    let clash = options.absent && options.present || options.keep && options.time.is_some();
    if clash { Err(Failure::Syntax) } else { Ok(options) }
}

/// When so many units from now is; an error if that is not in the future, or beyond what can be told.
fn deadline(call: &Call<'_, '_, '_>, number: Arg<'_>, millis: i64) -> Result<u64, Failure> {
    let number = number.number(&call.db.store.cells).ok_or(Failure::NotInteger)?;
    let after = number.checked_mul(millis).filter(|after| *after > 0);
    let now = i64::try_from(call.now).ok();
    let at = after.zip(now).and_then(|(after, now)| now.checked_add(after));
    at.map(|at| at as u64).ok_or(Failure::ExpireTime)
}

pub fn set(call: &mut Call<'_, '_, '_>) -> Done {
    let (key, value) = (call.arg()?, call.arg()?);
    if call.args.is_empty() {
        return set_plain(call, key, value);
    }
    let options = options(call)?;
    let expires = options.time.map(|(number, millis)| deadline(call, number, millis)).transpose()?;
    let mut room = KeyRoom::default();
    let key = room.key(key, &call.db.store.cells).ok_or(Failure::Told(KEY_TOO_LONG))?;
    let found = call.db.find(key, call.now);
    if options.get {
        call.count(found);
        tell(call, found);
        if call.reply.is_full() {
            return Err(Failure::Full);
        }
    }
    let refused = options.absent && found.is_some() || options.present && found.is_none();
    if !refused {
        let kept = found.filter(|_| options.keep).map_or(0, |id| call.db.store.expires(id));
        call.db.store.set(key, value.0, expires.unwrap_or(kept))?;
    }
    match (options.get, refused) {
        (true, _) => {}
        (false, true) => call.null(),
        (false, false) => call.ok(),
    }
    Ok(())
}

fn set_plain(call: &mut Call<'_, '_, '_>, key: Arg<'_>, value: Arg<'_>) -> Done {
    let mut room = KeyRoom::default();
    let key = room.key(key, &call.db.store.cells).ok_or(Failure::Told(KEY_TOO_LONG))?;
    call.db.store.set(key, value.0, 0)?;
    call.ok();
    Ok(())
}

/// All or nothing: first the room that all pairs need together, then the writes.
pub fn mset(call: &mut Call<'_, '_, '_>) -> Done {
    if !call.args.len().is_multiple_of(2) {
        return Err(Failure::Arity);
    }
    let mut needed = 0;
    each_pair(call, call.args, |call, key, value| {
        needed += call.db.store.cells_needed(key, value.len());
        Ok(())
    })?;
    if !call.db.store.cells.has(needed) {
        return Err(Failure::Full);
    }
    each_pair(call, call.args, |call, key, value| Ok(call.db.store.set(key, value, 0)?))?;
    call.ok();
    Ok(())
}

fn each_pair<'c, 'o, 'm>(
    call: &mut Call<'c, 'o, 'm>,
    mut args: Args<'c>,
    mut f: impl FnMut(&mut Call<'c, 'o, 'm>, &[u8], Source<'_>) -> Done,
) -> Done {
    while let Some(key) = args.next(&call.db.store.cells)
        && let Some(value) = args.next(&call.db.store.cells)
    {
        let mut room = KeyRoom::default();
        let key = room.key(key, &call.db.store.cells).ok_or(Failure::Told(KEY_TOO_LONG))?;
        f(call, key, value.0)?;
    }
    Ok(())
}

pub fn append(call: &mut Call<'_, '_, '_>) -> Done {
    let (key, value) = (call.arg()?, call.arg()?);
    let mut room = KeyRoom::default();
    let key = room.key(key, &call.db.store.cells).ok_or(Failure::Told(KEY_TOO_LONG))?;
    let len = match call.db.find(key, call.now) {
        None => {
            call.db.store.set(key, value.0, 0)?;
            value.len()
        }
        Some(id) => {
            let len = call.db.store.value(id).1 + value.len();
            if len > MAX_VALUE {
                return Err(Failure::Told(VALUE_TOO_LONG));
            }
            call.db.store.append(id, value.0)?;
            len
        }
    };
    call.integer(len as i64);
    Ok(())
}

pub fn incr(call: &mut Call<'_, '_, '_>) -> Done {
    let key = call.arg()?;
    add(call, key, 1)
}

pub fn decr(call: &mut Call<'_, '_, '_>) -> Done {
    let key = call.arg()?;
    add(call, key, -1)
}

pub fn incrby(call: &mut Call<'_, '_, '_>) -> Done {
    let (key, by) = (call.arg()?, call.number()?);
    add(call, key, by)
}

pub fn decrby(call: &mut Call<'_, '_, '_>) -> Done {
    let (key, by) = (call.arg()?, call.number()?);
    let by = by.checked_neg().ok_or(Failure::Told("-ERR decrement would overflow"))?;
    add(call, key, by)
}

fn add(call: &mut Call<'_, '_, '_>, key: Arg<'_>, by: i64) -> Done {
    let mut room = KeyRoom::default();
    let key = room.key(key, &call.db.store.cells).ok_or(Failure::Told(KEY_TOO_LONG))?;
    let found = call.db.find(key, call.now);
    let (before, expires) = match found {
        Some(id) => (value_number(call, id).ok_or(Failure::NotInteger)?, call.db.store.expires(id)),
        None => (0, 0),
    };
    let after = before.checked_add(by).ok_or(Failure::Told("-ERR increment or decrement would overflow"))?;
    call.db.store.set(key, Source::Slice(Text::new(after).as_bytes()), expires)?;
    call.integer(after);
    Ok(())
}

fn value_number(call: &Call<'_, '_, '_>, id: Id) -> Option<i64> {
    let (from, len) = call.db.store.value(id);
    let mut text = [0; 20];
    let text = text.get_mut(..len)?;
    call.db.store.cells.read(from, text);
    number::parse(text)
}
