//! Random commands over few keys, so that they meet.

use super::Rng;

/// So many keys of each kind are used.
const KEYS: usize = 24;

/// A key: mostly a short one.
pub fn key(rng: &mut Rng) -> Vec<u8> {
    match rng.below(40) {
        0 => Vec::new(),
        1 => vec![b'L'; 1024],
        2 => vec![b'm'; [95, 96, 97, 219, 220, 221, 300][rng.below(7)]],
        3 => vec![b'X'; 1025 + rng.below(3000)],
        4 => vec![0, 255, b'\r', b'\n', rng.below(3) as u8],
        _ => format!("key:{}", rng.below(KEYS)).into_bytes(),
    }
}

/// A key that a store can hold.
fn short_key(rng: &mut Rng) -> Vec<u8> {
    format!("key:{}", rng.below(KEYS)).into_bytes()
}

/// A value: numbers, texts about as long as a cell, texts beyond every buffer.
fn value(rng: &mut Rng) -> Vec<u8> {
    let len = match rng.below(60) {
        0..20 => return (rng.draw() as i64 >> rng.below(64)).to_string().into_bytes(),
        20..30 => rng.below(3),
        30..45 => 80 + rng.below(60),
        45..52 => rng.below(1500),
        52..58 => rng.below(20_000),
        _ => rng.below(600_000),
    };
    let (first, step) = (rng.draw() as usize, 1 + rng.below(255));
    (0..len).map(|at| (first + at * step + at / 251) as u8).collect()
}

fn time(rng: &mut Rng, unit: usize) -> Vec<u8> {
    match rng.below(20) {
        0 => b"9223372036854775807".to_vec(),
        1 => b"-9223372036854775808".to_vec(),
        2 => b"0".to_vec(),
        3 => b"-5".to_vec(),
        4 => b"soon".to_vec(),
        // Round ones, so that a key is also asked for in the very moment when it expires.
        _ if unit == 1 => (1 + rng.below(4)).to_string().into_bytes(),
        _ => (100 + rng.below(40) * 100).to_string().into_bytes(),
    }
}

fn set(rng: &mut Rng) -> Vec<Vec<u8>> {
    let mut words = vec![b"SET".to_vec(), key(rng), value(rng)];
    if rng.one_in(2) {
        return words;
    }
    words[1] = short_key(rng);
    for option in [&b"NX"[..], b"xx", b"GET", b"get", b"KeepTTL"] {
        if rng.one_in(5) {
            words.push(option.to_vec());
        }
    }
    match rng.below(4) {
        0 => words.extend([b"EX".to_vec(), time(rng, 1)]),
        1 => words.extend([b"px".to_vec(), time(rng, 1000)]),
        _ => {}
    }
    words
}

fn several(rng: &mut Rng, names: &[&str]) -> Vec<Vec<u8>> {
    let mut words = vec![rng.of(names).into()];
    words.extend((0..1 + rng.below(5)).map(|_| key(rng)));
    words
}

fn expire(rng: &mut Rng) -> Vec<Vec<u8>> {
    let (name, unit) = [("expire", 1), ("PEXPIRE", 1000)][rng.below(2)];
    let mut words = vec![name.into(), short_key(rng), time(rng, unit)];
    let when: [&[&str]; 7] = [&[], &[], &["nx"], &["xx"], &["gt"], &["lt"], &["xx", "gt"]];
    words.extend(when[rng.below(7)].iter().map(|word| word.as_bytes().to_vec()));
    words
}

fn scan(rng: &mut Rng) -> Vec<Vec<u8>> {
    let from = if rng.one_in(2) { 0 } else { rng.below(1 << 18) };
    let mut words = vec![b"scan".to_vec(), from.to_string().into_bytes()];
    if rng.one_in(2) {
        words.extend([b"match".to_vec(), pattern(rng)]);
    }
    if rng.one_in(2) {
        words.extend([b"count".to_vec(), (1 + rng.below(1 << 19)).to_string().into_bytes()]);
    }
    words
}

fn pattern(rng: &mut Rng) -> Vec<u8> {
    rng.of::<[u8]>(&[b"*", b"key:*", b"*1*", b"key:?", b"key:1[3-7]", b"nothing", b"*m", b"??"]).to_vec()
}

/// A command, all words of it.
pub fn command(rng: &mut Rng) -> Vec<Vec<u8>> {
    let one = |rng: &mut Rng, names: &[&str]| vec![rng.of(names).into(), key(rng)];
    match rng.below(100) {
        0..25 => set(rng),
        25..40 => one(rng, &["GET"]),
        40..46 => several(rng, &["MGET"]),
        46..52 => {
            let mut words = several(rng, &["mset"]);
            let last = words.pop().unwrap();
            let pairs = words.drain(1..).flat_map(|key| [key, value(rng)]).collect::<Vec<_>>();
            [vec![b"mset".to_vec()], pairs, vec![last, value(rng)]].concat()
        }
        52..58 => vec![b"append".to_vec(), key(rng), value(rng)],
        58..64 => one(rng, &["incr", "DECR"]),
        64..70 => {
            let by = (rng.draw() as i64 >> rng.below(64)).to_string().into_bytes();
            let by = if rng.one_in(10) { i64::MIN.to_string().into_bytes() } else { by };
            vec![rng.of(&["INCRBY", "decrby"]).into(), short_key(rng), by]
        }
        70..75 => several(rng, &["del", "UNLINK"]),
        75..78 => several(rng, &["exists", "TOUCH"]),
        78..84 => expire(rng),
        84..86 => one(rng, &["persist"]),
        86..92 => one(rng, &["ttl", "pttl", "type", "strlen"]),
        92..94 => vec![b"ECHO".to_vec(), value(rng)],
        94 => vec![b"dbsize".to_vec()],
        95 => vec![b"keys".to_vec(), pattern(rng)],
        96 | 97 => scan(rng),
        98 if rng.one_in(8) => vec![b"flushall".to_vec()],
        _ => one(rng, &["get"]),
    }
}
