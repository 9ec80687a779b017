//! Histograms as text and as SVG, with a logarithmic scale of time.

use std::fmt::Write;
use unboxed::observe::Histogram;

/// A row of the text for each power of two.
pub fn print(lateness: &Histogram) {
    let rows = powers(lateness);
    let most = rows.iter().map(|row| row.1).max().unwrap_or(1);
    for (top, count) in rows {
        // The square root, so that a single late tick shows beside thousands.
        let width = ((count as f64 / most as f64).sqrt() * 50.0).ceil() as usize;
        println!("  < {:>8}  {count:>7}  {}", time(top), "#".repeat(width));
    }
}

/// Counts by powers of two, where there are any.
fn powers(lateness: &Histogram) -> Vec<(u64, u64)> {
    let mut rows: Vec<(u64, u64)> = Vec::new();
    for (last, count) in lateness.buckets() {
        let power = (last + 1).next_power_of_two();
        match rows.last_mut() {
            Some(row) if row.0 == power => row.1 += count,
            _ => rows.push((power, count)),
        }
    }
    rows
}

fn time(ns: u64) -> String {
    match ns {
        0..1_000 => format!("{ns} ns"),
        1_000..1_000_000 => format!("{:.1} us", ns as f64 / 1e3),
        _ => format!("{:.1} ms", ns as f64 / 1e6),
    }
}

const LEFT: f64 = 60.0;
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 100.0;
const ROW: f64 = 150.0;
/// Powers of ten of nanoseconds, from left to right.
const DECADES: std::ops::RangeInclusive<u32> = 2..=8;

fn x_of(ns: u64) -> f64 {
    let (first, last) = (f64::from(*DECADES.start()), f64::from(*DECADES.end()));
    LEFT + ((ns.max(1) as f64).log10().clamp(first, last) - first) / (last - first) * WIDTH
}

/// A picture with a row for each policy.
pub fn svg(results: &[(&str, Histogram)]) -> String {
    let (width, height) = (LEFT + WIDTH + 30.0, ROW * results.len() as f64 + 20.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (row, (name, lateness)) in results.iter().enumerate() {
        panel(&mut svg, row as f64 * ROW + 30.0, name, lateness);
    }
    svg.push_str("</svg>\n");
    svg
}

fn panel(svg: &mut String, top: f64, name: &str, lateness: &Histogram) {
    let base = top + HEIGHT;
    let percentiles = [50.0, 99.0, 99.9].map(|p| time(lateness.percentile(p)));
    let [p50, p99, p999] = percentiles;
    let text = format!("{name}: p50 {p50}, p99 {p99}, p99.9 {p999}, most {}", time(lateness.max()));
    let _ = writeln!(svg, "<text x=\"{LEFT}\" y=\"{}\">{text}</text>", top - 8.0);
    for decade in DECADES {
        let x = x_of(10u64.pow(decade));
        let _ = writeln!(svg, "<line x1=\"{x}\" y1=\"{top}\" x2=\"{x}\" y2=\"{base}\" stroke=\"#ddd\"/>");
        let label = time(10u64.pow(decade));
        let _ = writeln!(svg, "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">{label}</text>", base + 15.0);
    }
    let most = lateness.buckets().map(|bucket| bucket.1).max().unwrap_or(1).max(1) as f64;
    for (last, count) in lateness.buckets() {
        let (x, right) = (x_of(first_of(last)), x_of(last + 1));
        // The square root, as in the text.
        let bar = (count as f64 / most).sqrt() * HEIGHT;
        let (y, wide) = (base - bar, (right - x).max(1.0));
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{wide:.1}\" height=\"{bar:.1}\" fill=\"#2a6f97\"/>"
        );
    }
}

/// The smallest value of the bucket whose largest one this is: there are eight in each power of two.
fn first_of(last: u64) -> u64 {
    if last < 8 { last } else { last + 1 - (1 << (last.ilog2() - 3)) }
}
