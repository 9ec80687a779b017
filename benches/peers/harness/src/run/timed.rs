//! Programs that measure themselves.

use super::Round;
use crate::building::target;
use crate::figures::Sample;
use crate::program::{Processors, run_to_end};
use crate::workloads::Kind;
use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

const FILE_BYTES: usize = 64 << 20;

/// The file that is read at random.
pub fn data_file() -> io::Result<PathBuf> {
    let path = target().join("data");
    if fs::metadata(&path).is_ok_and(|data| data.len() == FILE_BYTES as u64) {
        return Ok(path);
    }
    let mut file = fs::File::create(&path)?;
    let block: Vec<u8> = (0..1u32 << 20).map(|at| ((at * 31) >> 3) as u8).collect();
    (0..FILE_BYTES / block.len()).try_for_each(|_| file.write_all(&block))?;
    Ok(path)
}

/// One round.
pub fn run(round: &Round<'_>) -> Result<Vec<(String, Sample)>, String> {
    let Kind::Timed { items, quick, processors, .. } = &round.workload.kind else { unreachable!("timed") };
    let few = round.quick || round.page.is_some();
    let items = if few { *quick } else { within(ROUND_MS, *items, round.item_ns) };
    let values = [format!("items={items}"), format!("file={}", round.file.display())];
    let alone = *processors == 1 && !round.build.peer.threads;
    let processors = if alone { Processors::First } else { Processors::All };
    let name = round.workload.program;
    let text = run_to_end(round.build, round.program, name, &values, processors, round.page)?;
    let samples: Vec<_> = text.lines().filter_map(sample).collect();
    if samples.is_empty() { Err("printed no figures".to_owned()) } else { Ok(samples) }
}

/// About so long a round lasts at most: some do in a few milliseconds what others take seconds for.
const ROUND_MS: u64 = 100;

/// How many items fit, if all do not: whole thousands, and whole turns of as many tasks as any program has.
fn within(ms: u64, items: u64, item_ns: Option<f64>) -> u64 {
    const WHOLE: u64 = 16_000;
    let fit = item_ns.map_or(items, |ns| (ms as f64 * 1e6 / ns) as u64);
    if fit >= items || items < WHOLE { items } else { (fit / WHOLE * WHOLE).max(WHOLE) }
}

/// `figure ROW items N key N ...`
fn sample(line: &str) -> Option<(String, Sample)> {
    let mut words = line.strip_prefix("figure ")?.split_whitespace();
    let row = words.next()?.to_owned();
    let mut values = std::collections::BTreeMap::new();
    while let (Some(key), Some(value)) = (words.next(), words.next()) {
        values.insert(key, value.parse::<f64>().ok()?);
    }
    let items = values.get("items").copied()?;
    let per_item = |key: &str| values.get(key).map(|value| value / items);
    let mut sample = Sample::new();
    let mut put = |name, value: Option<f64>| value.map(|value| sample.insert(name, value));
    put("ns", per_item("wall_ns"));
    put("cpu_ns", per_item("cpu_ns"));
    put("cpu_s", values.get("cpu_ns").map(|ns| ns / 1e9));
    put("user_ns", per_item("user_us").map(|us| us * 1e3));
    put("allocations", per_item("allocations"));
    put("bytes", per_item("bytes"));
    put("calls", per_item("calls"));
    Some((row, sample))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slow_programs_do_fewer_items() {
        assert_eq!(within(100, 400_000, None), 400_000);
        assert_eq!(within(100, 400_000, Some(100.0)), 400_000);
        assert_eq!(within(100, 400_000, Some(1000.0)), 96_000);
        assert_eq!(within(100, 400_000, Some(1e6)), 16_000);
        assert_eq!(within(100, 1000, Some(1e6)), 1000);
    }

    #[test]
    fn figures_are_per_item() {
        let (row, sample) =
            sample("figure yield items 200 wall_ns 1000 cpu_ns 500 user_us 1 calls 3").expect("a row");
        assert_eq!(row, "yield");
        assert_eq!(sample["ns"], 5.0);
        assert_eq!(sample["user_ns"], 5.0);
        assert_eq!(sample["calls"], 0.015);
        assert!(!sample.contains_key("bytes"));
        assert!(super::sample("ready 80").is_none());
    }
}
