//! Keys: removing, counting, listing.

use super::{Call, Failure};
use crate::glob;
use crate::limits::MAX_KEY;
use crate::number::Text;
use crate::resp::Arg;
use crate::store::Id;

type Done = Result<(), Failure>;

/// Buckets that one SCAN looks at, if it finds too few keys in them.
const SCAN_BUCKETS: usize = 1 << 14;

pub fn del(call: &mut Call<'_, '_, '_>) -> Done {
    let mut removed = 0;
    while !call.args.is_empty() {
        if let Some(id) = call.find()? {
            call.db.store.remove(id);
            removed += 1;
        }
    }
    call.integer(removed);
    Ok(())
}

pub fn exists(call: &mut Call<'_, '_, '_>) -> Done {
    let mut there = 0;
    while !call.args.is_empty() {
        let found = call.find()?;
        call.count(found);
        there += i64::from(found.is_some());
    }
    call.integer(there);
    Ok(())
}

pub fn kind(call: &mut Call<'_, '_, '_>) -> Done {
    let kind: &[u8] = if call.find()?.is_some() { b"+string\r\n" } else { b"+none\r\n" };
    call.reply.raw(&mut call.db.store.cells, kind);
    Ok(())
}

pub fn dbsize(call: &mut Call<'_, '_, '_>) -> Done {
    call.integer(call.db.store.len() as i64);
    Ok(())
}

pub fn flushall(call: &mut Call<'_, '_, '_>) -> Done {
    call.client.walked = true;
    if let Some(mode) = call.args.next(&call.db.store.cells) {
        let cells = &call.db.store.cells;
        let known = mode.is(cells, "async") || mode.is(cells, "sync");
        if !known || !call.args.is_empty() {
            return Err(Failure::Syntax);
        }
    }
    call.db.store.clear();
    call.ok();
    Ok(())
}

/// A pattern, in one piece.
struct Pattern {
    text: [u8; MAX_KEY],
    len: usize,
}

impl Pattern {
    const ALL: Self = Self { text: [b'*'; MAX_KEY], len: 1 };

    fn new(call: &Call<'_, '_, '_>, arg: Arg<'_>) -> Result<Self, Failure> {
        let mut pattern = Self { text: [0; MAX_KEY], len: arg.len() };
        if arg.len() > MAX_KEY {
            return Err(Failure::Told("-ERR pattern is too long: up to 1024 bytes are taken"));
        }
        arg.prefix(&call.db.store.cells, &mut pattern.text);
        Ok(pattern)
    }

    fn matches(&self, call: &Call<'_, '_, '_>, id: Id) -> bool {
        if self.len == 1 && self.text[0] == b'*' {
            return true;
        }
        let (from, len) = call.db.store.key(id);
        let mut key = [0; MAX_KEY];
        call.db.store.cells.read(from, &mut key[..len]);
        glob::matches(&self.text[..self.len], &key[..len])
    }
}

/// Calls `f` with each key of the buckets that matches and has not expired.
fn each(
    call: &mut Call<'_, '_, '_>,
    buckets: core::ops::Range<usize>,
    pattern: &Pattern,
    mut f: impl FnMut(&mut Call<'_, '_, '_>, Id),
) {
    for bucket in buckets {
        let mut at = call.db.store.first(bucket);
        while let Some(id) = at {
            at = call.db.store.after(id);
            let expires = call.db.store.expires(id);
            if (expires == 0 || expires > call.now) && pattern.matches(call, id) {
                f(call, id);
            }
        }
    }
}

/// An array of the keys: counted first, then told.
fn list(call: &mut Call<'_, '_, '_>, buckets: core::ops::Range<usize>, pattern: &Pattern) {
    let mut count = 0;
    each(call, buckets.clone(), pattern, |_, _| count += 1);
    call.array(count);
    each(call, buckets, pattern, |call, id| {
        if !call.reply.is_full() {
            let (from, len) = call.db.store.key(id);
            call.reply.bulk_cells(&mut call.db.store.cells, from, len);
        }
    });
}

pub fn keys(call: &mut Call<'_, '_, '_>) -> Done {
    call.client.walked = true;
    let arg = call.arg()?;
    let pattern = Pattern::new(call, arg)?;
    list(call, 0..call.db.store.buckets(), &pattern);
    Ok(())
}

pub fn scan(call: &mut Call<'_, '_, '_>) -> Done {
    call.client.walked = true;
    let cursor = call.number().map_err(|_| Failure::Told("-ERR invalid cursor"))?;
    let first = usize::try_from(cursor).map_err(|_| Failure::Told("-ERR invalid cursor"))?;
    let first = first.min(call.db.store.buckets());
    let (mut pattern, mut wanted, mut strings) = (Pattern::ALL, 10, true);
    while !call.args.is_empty() {
        let option = call.arg()?;
        let cells = &call.db.store.cells;
        if option.is(cells, "match") {
            let arg = call.arg()?;
            pattern = Pattern::new(call, arg)?;
        } else if option.is(cells, "count") {
            wanted = usize::try_from(call.number()?).ok().filter(|n| *n > 0).ok_or(Failure::Syntax)?;
        } else if option.is(cells, "type") {
            let kind = call.arg()?;
            strings = kind.is(&call.db.store.cells, "string");
        } else {
            return Err(Failure::Syntax);
        }
    }
    // Whole buckets, until they hold as many keys as are wanted.
    let (mut end, mut seen) = (first, 0);
    while end < call.db.store.buckets() && seen < wanted && end - first < SCAN_BUCKETS.max(wanted) {
        each(call, end..end + 1, &Pattern::ALL, |_, _| seen += 1);
        end += 1;
    }
    let next = if end == call.db.store.buckets() { 0 } else { end as i64 };
    call.array(2);
    call.bulk(Text::new(next).as_bytes());
    if strings {
        list(call, first..end, &pattern)
    } else {
        call.array(0)
    }
    Ok(())
}
