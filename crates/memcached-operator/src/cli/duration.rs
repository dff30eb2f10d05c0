//! Durations in the syntax of Go.

use std::time::Duration;

const ADVICE: &str = "write it with units, such as 15s, 1m30s or 500ms";

/// Parses a duration like Go's `time.ParseDuration`, except for negative ones: `15s`, `1h30m`, `1.5s`, `0`.
///
/// # Errors
/// A phrase that says what to write.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    if text.is_empty() {
        return Err(format!("a duration is missing; {ADVICE}"));
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let (part, after) = one_part(rest)?;
        total = total.checked_add(part).ok_or("it is too long for a duration")?;
        rest = after;
    }
    Ok(total)
}

/// One number with its unit, and what follows.
fn one_part(text: &str) -> Result<(Duration, &str), String> {
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, rest) = text.split_at(number_end);
    let unit_end = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(unit_end);
    let seconds_per_unit = match unit {
        "h" => 3600.0,
        "m" => 60.0,
        "s" => 1.0,
        "ms" => 1e-3,
        "us" | "µs" => 1e-6,
        "ns" => 1e-9,
        "" => return Err(format!("the unit is missing; {ADVICE}")),
        _ => return Err(format!("{unit:?} is no unit of time; {ADVICE}")),
    };
    let number: f64 = number.parse().map_err(|_| format!("{number:?} is no number; {ADVICE}"))?;
    let part = Duration::try_from_secs_f64(number * seconds_per_unit);
    Ok((part.map_err(|_| "it is too long for a duration")?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_go_accepts() {
        for (text, milliseconds) in [
            ("15s", 15_000),
            ("1m30s", 90_000),
            ("1h", 3_600_000),
            ("500ms", 500),
            ("1.5s", 1500),
            (".5s", 500),
            ("0", 0),
            ("0s", 0),
            ("2m0.25s", 120_250),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
    }

    #[test]
    fn what_go_refuses_is_answered_with_advice() {
        for text in ["15", "", "s", "15 s", "-1s", "1d", "soon", "1.2.3s"] {
            let message = parse_duration(text).expect_err(text);
            assert!(message.contains("15s, 1m30s or 500ms"), "{text:?}: {message}");
        }
        assert!(parse_duration("99999999999999999999h").is_err());
    }
}
