//! Durations as people write them: `500ms`, `8s`, `10m`, `24h`, `8d`, `1h30m`.

use jiff::SignedDuration;

/// Reads a duration: one or more whole numbers, each with a unit (`ms`, `s`, `m`, `h`, `d`, `w`). A day is 24 hours.
///
/// # Errors
/// A sentence that says how durations are written.
pub fn parse_duration(text: &str) -> Result<SignedDuration, String> {
    let wrong = || format!("{text:?} is not a duration; write a number and a unit, such as 500ms, 15s, 10m, 24h, 8d");
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(wrong());
    }
    let mut total = SignedDuration::ZERO;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let number: i64 = rest[..digits].parse().map_err(|_| wrong())?;
        rest = &rest[digits..];
        let letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
        let milliseconds = match &rest[..letters] {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "w" => 7 * 86_400_000,
            _ => return Err(wrong()),
        };
        rest = &rest[letters..];
        let part = number.checked_mul(milliseconds).ok_or_else(wrong)?;
        total = total.checked_add(SignedDuration::from_millis(part)).ok_or_else(wrong)?;
    }
    // A hundred years is past every use and keeps later arithmetic far from overflow.
    if total > SignedDuration::from_hours(24 * 366 * 100) { Err(wrong()) } else { Ok(total) }
}

/// Writes a duration the way [`parse_duration`] reads it, in its largest whole unit: `8d`, `90s`, `1500ms`.
pub fn format_duration(duration: SignedDuration) -> String {
    let milliseconds = duration.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if milliseconds >= size && milliseconds % size == 0 {
            return format!("{}{unit}", milliseconds / size);
        }
    }
    format!("{milliseconds}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_written() {
        for (text, milliseconds) in
            [("500ms", 500), ("8s", 8_000), ("10m", 600_000), ("1h30m", 5_400_000), ("8d", 691_200_000), ("0s", 0)]
        {
            assert_eq!(parse_duration(text).unwrap().as_millis(), milliseconds, "{text}");
        }
        for bad in ["", "8", "s", "-1s", "1.5h", "8 d", "8x", "99999999999999999w", "9999w9999w"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
        assert_eq!(format_duration(parse_duration("1h30m").unwrap()), "90m");
        assert_eq!(format_duration(parse_duration("192h").unwrap()), "8d");
    }
}
