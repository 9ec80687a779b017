//! The store once more, the obvious way: a map, and a clock that the test moves.

use super::bulk;
use std::collections::{HashMap, HashSet};

const MAX_KEY: usize = 1024;
const MAX_VALUE: usize = 1 << 20;

pub const KEY_TOO_LONG: &str = "ERR key is too long: this server keeps keys of up to 1024 bytes";
const SYNTAX: &str = "ERR syntax error";
const NOT_INTEGER: &str = "ERR value is not an integer or out of range";

/// What must be answered.
pub enum Expect {
    /// These bytes.
    Bytes(Vec<u8>),
    /// A number of these: DBSIZE counts expired keys until they are swept.
    Between(usize, usize),
    /// An array of these keys, in any order.
    Keys(HashSet<Vec<u8>>),
    /// A cursor and some of these keys; all of them if it began and ended at 0.
    Scan(HashSet<Vec<u8>>, bool),
}

struct Entry {
    value: Vec<u8>,
    expires: Option<i64>,
}

/// Keys and values.
#[derive(Default)]
pub struct Model {
    entries: HashMap<Vec<u8>, Entry>,
    now: i64,
    resp3: bool,
}

type Answer = Result<Vec<u8>, String>;
type Words = [Vec<u8>];

fn int(number: i64) -> Answer {
    Ok(format!(":{number}\r\n").into_bytes())
}

fn ok() -> Answer {
    Ok(b"+OK\r\n".to_vec())
}

fn err(text: &str) -> Answer {
    Err(text.to_string())
}

fn number(text: &[u8]) -> Result<i64, String> {
    let number: Option<i64> = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.filter(|number| number.to_string().as_bytes() == text).ok_or(NOT_INTEGER.into())
}

fn key_fits(key: &[u8]) -> Result<(), String> {
    if key.len() > MAX_KEY { Err(KEY_TOO_LONG.into()) } else { Ok(()) }
}

/// Whether a text matches a pattern.
pub fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => (0..=text.len()).any(|at| glob(rest, &text[at..])),
        ([b'?', rest @ ..], [_, text @ ..]) => glob(rest, text),
        ([b'[', low, b'-', high, b']', rest @ ..], [byte, text @ ..]) => {
            (low..=high).contains(&byte) && glob(rest, text)
        }
        ([wanted, rest @ ..], [byte, text @ ..]) => wanted == byte && glob(rest, text),
        _ => false,
    }
}

impl Model {
    /// Runs a command.
    pub fn run(&mut self, words: &Words, now: u64, resp3: bool) -> Expect {
        (self.now, self.resp3) = (now as i64, resp3);
        let name = words[0].to_ascii_lowercase();
        match name.as_slice() {
            b"dbsize" => Expect::Between(self.keys(b"*").len(), self.entries.len()),
            b"keys" => Expect::Keys(self.keys(&words[1])),
            b"scan" => {
                let pattern =
                    words.iter().position(|word| word == b"match").map_or(&b"*"[..], |at| &words[at + 1]);
                Expect::Scan(self.keys(pattern), words[1] == b"0")
            }
            name => Expect::Bytes(match self.answer(name, &words[1..]) {
                Ok(bytes) => bytes,
                Err(text) => format!("-{text}\r\n").into_bytes(),
            }),
        }
    }

    /// The keys that match and have not expired.
    pub fn keys(&self, pattern: &[u8]) -> HashSet<Vec<u8>> {
        let live = self.entries.iter().filter(|(_, entry)| entry.expires.is_none_or(|at| at > self.now));
        live.map(|(key, _)| key.clone()).filter(|key| glob(pattern, key)).collect()
    }

    fn answer(&mut self, name: &[u8], args: &Words) -> Answer {
        match (name, args) {
            (b"get", [key]) => Ok(self.told(key)),
            (b"mget", keys) => {
                let parts: Vec<_> = keys.iter().map(|key| self.told(key)).collect();
                Ok([format!("*{}\r\n", keys.len()).into_bytes(), parts.concat()].concat())
            }
            (b"strlen", [key]) => int(self.live(key).map_or(0, |entry| entry.value.len() as i64)),
            (b"echo", [text]) => Ok(bulk(text)),
            (b"set", [key, value, options @ ..]) => self.set(key, value, options),
            (b"mset", pairs) => self.mset(pairs),
            (b"append", [key, value]) => self.append(key, value),
            (b"incr", [key]) => self.add(key, 1),
            (b"decr", [key]) => self.add(key, -1),
            (b"incrby", [key, by]) => self.add(key, number(by)?),
            (b"decrby", [key, by]) => {
                let by = number(by)?.checked_neg().ok_or("ERR decrement would overflow")?;
                self.add(key, by)
            }
            (b"del" | b"unlink", keys) => {
                int(keys.iter().filter(|key| self.live(key).is_some() && self.remove(key)).count() as i64)
            }
            (b"exists" | b"touch", keys) => {
                int(keys.iter().filter(|key| self.live(key).is_some()).count() as i64)
            }
            (b"type", [key]) => {
                Ok(if self.live(key).is_some() { b"+string\r\n".into() } else { b"+none\r\n".into() })
            }
            (b"expire", [key, time, when @ ..]) => self.expire(name, key, number(time)?, 1000, when),
            (b"pexpire", [key, time, when @ ..]) => self.expire(name, key, number(time)?, 1, when),
            (b"persist", [key]) => {
                int(self.live(key).is_some_and(|entry| entry.expires.take().is_some()).into())
            }
            (b"ttl", [key]) => int(self.left(key, |millis| (millis + 500) / 1000)),
            (b"pttl", [key]) => int(self.left(key, |millis| millis)),
            (b"flushall" | b"flushdb", _) => {
                self.entries.clear();
                ok()
            }
            _ => panic!("the model has no {}", name.escape_ascii()),
        }
    }

    fn live(&mut self, key: &[u8]) -> Option<&mut Entry> {
        let now = self.now;
        if self.entries.get(key)?.expires.is_some_and(|at| at <= now) {
            self.entries.remove(key);
        }
        self.entries.get_mut(key)
    }

    fn remove(&mut self, key: &[u8]) -> bool {
        self.entries.remove(key).is_some()
    }

    fn put(&mut self, key: &[u8], value: Vec<u8>, expires: Option<i64>) {
        self.entries.insert(key.to_vec(), Entry { value, expires });
    }

    fn null(&self) -> Vec<u8> {
        if self.resp3 { b"_\r\n".to_vec() } else { b"$-1\r\n".to_vec() }
    }

    fn told(&mut self, key: &[u8]) -> Vec<u8> {
        match self.live(key) {
            Some(entry) => bulk(&entry.value),
            None => self.null(),
        }
    }

    fn left(&mut self, key: &[u8], unit: fn(i64) -> i64) -> i64 {
        let now = self.now;
        self.live(key).map_or(-2, |entry| entry.expires.map_or(-1, |at| unit(at - now)))
    }

    fn set(&mut self, key: &[u8], value: &[u8], options: &Words) -> Answer {
        let has = |name: &[u8]| options.iter().any(|word| word.eq_ignore_ascii_case(name));
        if has(b"nx") && has(b"xx") || has(b"keepttl") && (has(b"ex") || has(b"px")) {
            return err(SYNTAX);
        }
        let mut expires = None;
        for (name, unit) in [(b"ex", 1000), (b"px", 1)] {
            if let Some(at) = options.iter().position(|word| word.eq_ignore_ascii_case(name)) {
                let time =
                    number(options.get(at + 1).ok_or(SYNTAX)?)?.checked_mul(unit).filter(|time| *time > 0);
                let time = time.and_then(|time| time.checked_add(self.now));
                expires = Some(time.ok_or("ERR invalid expire time in 'set' command")?);
            }
        }
        key_fits(key)?;
        let before = self.live(key).map(|entry| entry.expires);
        let mut answer = ok();
        if has(b"nx") && before.is_some() || has(b"xx") && before.is_none() {
            return Ok(if has(b"get") { self.told(key) } else { self.null() });
        }
        if has(b"get") {
            answer = Ok(self.told(key));
        }
        let kept = before.flatten().filter(|_| has(b"keepttl"));
        self.put(key, value.to_vec(), expires.or(kept));
        answer
    }

    fn mset(&mut self, pairs: &Words) -> Answer {
        if !pairs.len().is_multiple_of(2) {
            return err("ERR wrong number of arguments for 'mset' command");
        }
        pairs.chunks(2).try_for_each(|pair| key_fits(&pair[0]))?;
        pairs.chunks(2).for_each(|pair| self.put(&pair[0], pair[1].clone(), None));
        ok()
    }

    fn append(&mut self, key: &[u8], value: &[u8]) -> Answer {
        key_fits(key)?;
        let Some(entry) = self.live(key) else {
            self.put(key, value.to_vec(), None);
            return int(value.len() as i64);
        };
        if entry.value.len() + value.len() > MAX_VALUE {
            return err("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
        }
        entry.value.extend_from_slice(value);
        int(entry.value.len() as i64)
    }

    fn add(&mut self, key: &[u8], by: i64) -> Answer {
        key_fits(key)?;
        let (before, expires) = match self.live(key) {
            Some(entry) => (number(&entry.value)?, entry.expires),
            None => (0, None),
        };
        let after = before.checked_add(by).ok_or("ERR increment or decrement would overflow")?;
        self.put(key, after.to_string().into_bytes(), expires);
        int(after)
    }

    fn expire(&mut self, name: &[u8], key: &[u8], time: i64, unit: i64, when: &Words) -> Answer {
        let name = String::from_utf8_lossy(name);
        let after = time.checked_mul(unit);
        let at = after.and_then(|after| after.checked_add(self.now));
        let at = at.ok_or(format!("ERR invalid expire time in '{name}' command"))?;
        let now = self.now;
        let Some(entry) = self.live(key) else { return int(0) };
        let goes = when.iter().all(|when| match (when.as_slice(), entry.expires) {
            (b"nx", before) => before.is_none(),
            (b"xx", before) => before.is_some(),
            (b"gt", before) => before.is_some_and(|before| at > before),
            (_, before) => before.is_none_or(|before| at < before),
        });
        if goes && at <= now {
            self.remove(key);
        } else if goes {
            entry.expires = Some(at);
        }
        int(goes.into())
    }
}
