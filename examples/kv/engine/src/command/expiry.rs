//! When keys expire.

use super::{Call, Failure};

type Done = Result<(), Failure>;

pub fn expire(call: &mut Call<'_, '_, '_>) -> Done {
    expire_in(call, 1000)
}

pub fn pexpire(call: &mut Call<'_, '_, '_>) -> Done {
    expire_in(call, 1)
}

/// Conditions of EXPIRE.
#[derive(Default)]
struct When {
    absent: bool,
    present: bool,
    later: bool,
    sooner: bool,
}

fn when(call: &mut Call<'_, '_, '_>) -> Result<When, Failure> {
    let mut when = When::default();
    while !call.args.is_empty() {
        let here = call.args;
        let (word, cells) = (call.arg()?, &call.db.store.cells);
        match () {
            () if word.is(cells, "nx") => when.absent = true,
            () if word.is(cells, "xx") => when.present = true,
            () if word.is(cells, "gt") => when.later = true,
            () if word.is(cells, "lt") => when.sooner = true,
            () => {
                call.args = here;
                return Err(Failure::Option("-ERR Unsupported option ", ""));
            }
        }
    }
    if when.absent && (when.present || when.later || when.sooner) {
        return Err(Failure::Told("-ERR NX and XX, GT or LT options at the same time are not compatible"));
    }
    if when.later && when.sooner {
        return Err(Failure::Told("-ERR GT and LT options at the same time are not compatible"));
    }
    Ok(when)
}

fn expire_in(call: &mut Call<'_, '_, '_>, millis: i64) -> Done {
    let key = call.args;
    call.arg()?;
    let number = call.arg()?;
    let when = when(call)?;
    let number = number.number(&call.db.store.cells).ok_or(Failure::NotInteger)?;
    let after = number.checked_mul(millis).ok_or(Failure::ExpireTime)?;
    let at =
        i64::try_from(call.now).ok().and_then(|now| now.checked_add(after)).ok_or(Failure::ExpireTime)?;
    call.args = key;
    let found = call.find()?;
    let changed = found.filter(|id| {
        let before = call.db.store.expires(*id);
        let is_later = before != 0 && at > before as i64;
        let is_sooner = before == 0 || at < before as i64;
        !(when.absent && before != 0
            || when.present && before == 0
            || when.later && !is_later
            || when.sooner && !is_sooner)
    });
    match changed {
        // The past: the key goes at once.
        Some(id) if after <= 0 => call.db.store.remove(id),
        Some(id) => call.db.store.set_expires(id, at as u64),
        None => {}
    }
    call.integer(changed.is_some().into());
    Ok(())
}

pub fn persist(call: &mut Call<'_, '_, '_>) -> Done {
    let found = call.find()?.filter(|id| call.db.store.expires(*id) != 0);
    if let Some(id) = found {
        call.db.store.set_expires(id, 0);
    }
    call.integer(found.is_some().into());
    Ok(())
}

pub fn ttl(call: &mut Call<'_, '_, '_>) -> Done {
    // Rounded, as Redis does.
    left(call, |millis| (millis + 500) / 1000)
}

pub fn pttl(call: &mut Call<'_, '_, '_>) -> Done {
    left(call, |millis| millis)
}

fn left(call: &mut Call<'_, '_, '_>, unit: fn(i64) -> i64) -> Done {
    let left = match call.find()?.map(|id| call.db.store.expires(id)) {
        None => -2,
        Some(0) => -1,
        Some(expires) => unit(expires.saturating_sub(call.now) as i64),
    };
    call.integer(left);
    Ok(())
}
