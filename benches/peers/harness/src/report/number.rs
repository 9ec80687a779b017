//! Numbers for people: three digits that mean something.

/// A value with three significant digits, and an SI letter where it is large.
pub fn short(value: f64) -> String {
    let (value, letter) = match value.abs() {
        size if size >= 9.995e8 => (value / 1e9, "G"),
        size if size >= 9.995e5 => (value / 1e6, "M"),
        size if size >= 9.995e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        size if size >= 0.00005 => 2,
        _ => 0,
    };
    format!("{value:.digits$}{letter}")
}

/// The same, or a dash.
pub fn or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), short)
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn three_digits() {
        let cases =
            [(0.0, "0"), (0.126, "0.13"), (4.567, "4.57"), (45.67, "45.7"), (456.7, "457"), (4567.0, "4567")];
        for (value, text) in
            cases.into_iter().chain([(45_670.0, "45.7k"), (4.567e6, "4.57M"), (9.996e9, "10.0G")])
        {
            assert_eq!(short(value), text);
        }
    }
}
