//! Whole numbers as text, by Redis's rules: no plus, no leading zeros, no spaces.

/// The number that `text` spells.
pub fn parse(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [] => return None,
        [b'0'] if !negative => return Some(0),
        [b'0', ..] => return None,
        _ => {}
    }
    // Gathered as a negative number, whose range is larger by one.
    let mut number: i64 = 0;
    for digit in digits {
        let digit = i64::from(digit.checked_sub(b'0').filter(|d| *d < 10)?);
        number = number.checked_mul(10)?.checked_sub(digit)?;
    }
    if negative { Some(number) } else { number.checked_neg() }
}

/// Text of a number.
#[derive(Debug)]
pub struct Text {
    bytes: [u8; 20],
    start: usize,
}

impl Text {
    /// Spells `number`.
    pub fn new(number: i64) -> Self {
        let mut text = Self { bytes: [0; 20], start: 20 };
        let mut left = number.unsigned_abs();
        loop {
            text.start -= 1;
            text.bytes[text.start] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        if number < 0 {
            text.start -= 1;
            text.bytes[text.start] = b'-';
        }
        text
    }

    /// The digits, after a minus if it is negative.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_refusals() {
        for number in [0, 1, -1, 9, 10, 1234, i64::MAX, i64::MIN] {
            let text = Text::new(number);
            assert_eq!(text.as_bytes(), number.to_string().as_bytes());
            assert_eq!(parse(text.as_bytes()), Some(number));
        }
        for bad in [
            "",
            "-",
            "+1",
            "01",
            "-0",
            "-01",
            " 1",
            "1 ",
            "1a",
            "9223372036854775808",
            "-9223372036854775809",
        ] {
            assert_eq!(parse(bad.as_bytes()), None, "{bad}");
        }
    }
}
