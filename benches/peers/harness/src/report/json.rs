//! All samples, for other programs. Small enough to be written by hand.

use crate::building::Build;
use crate::figures::{Cell, PERCENTILES, Sample};
use crate::run::{Results, Row};

pub fn all(builds: &[Build], results: &Results) -> String {
    let facts = results.machine.facts.iter().map(|(name, value)| (*name, text(value)));
    let rows = results.rows.iter().map(|row| format!("    {}", self::row(row, builds)));
    let peers = builds.iter().map(|build| format!("    {}", peer(build)));
    format!(
        "{{\n  \"machine\": {},\n  \"rounds\": {},\n  \"quick\": {},\n  \"peers\": [\n{}\n  ],\n  \"rows\": [\n{}\n  \
         ]\n}}\n",
        object(facts),
        results.rounds,
        results.quick,
        peers.collect::<Vec<_>>().join(",\n"),
        rows.collect::<Vec<_>>().join(",\n"),
    )
}

fn peer(build: &Build) -> String {
    let state = match &build.program {
        Ok(program) => ("bytes", program.bytes.to_string()),
        Err(error) => ("failed", text(error)),
    };
    object([("name", text(&build.name)), ("version", text(&build.version)), state].into_iter())
}

fn row(row: &Row, builds: &[Build]) -> String {
    let of = |(build, cell): (&Build, &Option<Cell>)| Some((build.name.clone(), self::cell(cell.as_ref()?)));
    let cells: Vec<_> = builds.iter().zip(&row.cells).filter_map(of).collect();
    object(
        [
            ("name", text(&row.name)),
            ("metric", text(row.measure.key())),
            ("unit", text(row.measure.unit())),
            ("peers", object(cells.iter().map(|(name, cell)| (&**name, cell.clone())))),
        ]
        .into_iter(),
    )
}

fn cell(cell: &Cell) -> String {
    if let Some(error) = &cell.failed {
        return object([("failed", text(error))].into_iter());
    }
    let samples: Vec<String> = cell.samples.iter().map(sample).collect();
    let samples = format!("[{}]", samples.join(", "));
    let all: Sample = PERCENTILES
        .into_iter()
        .filter_map(|(name, percent)| Some((name, cell.latencies.as_ref()?.percentile_us(percent))))
        .collect();
    object(
        [("samples", samples), ("all_rounds", sample(&all)), ("counted", sample(&cell.counted))].into_iter(),
    )
}

fn sample(sample: &Sample) -> String {
    object(
        sample
            .iter()
            .map(|(key, value)| (*key, if value.is_finite() { value.to_string() } else { "null".into() })),
    )
}

fn object<'a>(members: impl Iterator<Item = (&'a str, String)>) -> String {
    let members: Vec<String> = members.map(|(key, value)| format!("{}: {value}", text(key))).collect();
    format!("{{{}}}", members.join(", "))
}

fn text(text: &str) -> String {
    let mut quoted = String::from('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            '\n' => quoted += "\\n",
            _ if u32::from(letter) < 32 => quoted += &format!("\\u{:04x}", u32::from(letter)),
            _ => quoted.push(letter),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn quotes() {
        assert_eq!(text("a\"b\\c\nd\t"), r#""a\"b\\c\nd\u0009""#);
    }
}
