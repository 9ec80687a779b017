//! Interleaved rounds and their medians: machines are shared and noisy, so only ratios within one run count.

use std::time::Instant;

/// Nanoseconds an item of `run`, which does `items`.
pub fn ns_per_item(items: u32, run: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    run();
    begin.elapsed().as_nanos() as f64 / f64::from(items)
}

/// The middle one.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
