//! How a span of time is written: `90s`, `1500ms`, `1h30m`, `0.5s`. Whole milliseconds, at most a hundred years.
//!
//! A number without a unit is refused, unless the reader of a setting says what it stands for ([`parse_or`]): a file
//! in which `90` means seconds here and milliseconds there misleads its next reader.

use std::time::Duration;

use serde::{Deserializer, Serializer, de};

/// The longest span that can be written, in milliseconds: 36,500 days. Large enough for every real setting, small
/// enough that no sum of a few thousand spans overflows.
pub const LONGEST_MS: u64 = 36_500 * 86_400_000;

/// A unit of time, as it is written behind a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// `ms`
    Milliseconds,
    /// `s`
    Seconds,
    /// `m`
    Minutes,
    /// `h`
    Hours,
    /// `d`
    Days,
}

impl Unit {
    /// Longest first, the order in which a span is written.
    const ALL: [Unit; 5] = [Unit::Days, Unit::Hours, Unit::Minutes, Unit::Seconds, Unit::Milliseconds];

    /// The letters behind the number.
    pub const fn suffix(self) -> &'static str {
        match self {
            Unit::Milliseconds => "ms",
            Unit::Seconds => "s",
            Unit::Minutes => "m",
            Unit::Hours => "h",
            Unit::Days => "d",
        }
    }

    /// Milliseconds in one unit.
    pub const fn millis(self) -> u64 {
        match self {
            Unit::Milliseconds => 1,
            Unit::Seconds => 1_000,
            Unit::Minutes => 60_000,
            Unit::Hours => 3_600_000,
            Unit::Days => 86_400_000,
        }
    }

    fn from_suffix(suffix: &str) -> Option<Unit> {
        Unit::ALL.into_iter().find(|unit| unit.suffix() == suffix)
    }
}

/// Why a text is not a span.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing was written.
    #[error("a span is missing; write one like 90s, 1500ms, 2m, 1h or 1d")]
    Empty,
    /// A number without a unit, where none is implied.
    #[error("`{text}` has no unit; write {text}s, {text}ms, {text}m, {text}h or {text}d")]
    NoUnit {
        /// What was written.
        text: String,
    },
    /// A sign in front: spans do not run backwards.
    #[error("`{text}` is negative; a span is zero or longer")]
    Negative {
        /// What was written.
        text: String,
    },
    /// Letters that are no unit, or no number in front of them.
    #[error("`{text}` is not a span; write one like 90s, 1500ms, 2m, 1h, 1d or 1h30m")]
    Malformed {
        /// What was written.
        text: String,
    },
    /// More decimals than milliseconds can hold.
    #[error("`{text}` is finer than a millisecond; round it")]
    TooFine {
        /// What was written.
        text: String,
    },
    /// Longer than [`LONGEST_MS`].
    #[error("`{text}` is longer than 36500d, the longest span")]
    TooLong {
        /// What was written.
        text: String,
    },
}

/// Reads a span. Every number needs a unit, except a lone zero.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(loadgen::duration::parse("1m30s"), Ok(Duration::from_secs(90)));
/// assert_eq!(loadgen::duration::parse("0.5s"), Ok(Duration::from_millis(500)));
/// assert!(loadgen::duration::parse("90").is_err());
/// ```
///
/// # Errors
///
/// A [`DurationError`] that says what to write instead.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    parse_millis(text, None).map(Duration::from_millis)
}

/// Reads a span in which a number without a unit counts in `bare`.
///
/// # Errors
///
/// A [`DurationError`] that says what to write instead.
pub fn parse_or(text: &str, bare: Unit) -> Result<Duration, DurationError> {
    parse_millis(text, Some(bare)).map(Duration::from_millis)
}

/// Writes a span as [`parse`] reads it: in the longest unit that holds it exactly (`90s`, `2h`, `1500ms`, `0s`).
/// What is finer than a millisecond is cut off.
pub fn format(span: Duration) -> String {
    format_millis(millis(span))
}

/// Writes a span given in milliseconds; see [`format()`].
pub fn format_millis(span: u64) -> String {
    match Unit::ALL.into_iter().find(|unit| span > 0 && span.is_multiple_of(unit.millis())) {
        Some(unit) => format!("{}{}", span / unit.millis(), unit.suffix()),
        None => "0s".to_owned(),
    }
}

/// A span in whole milliseconds, cut at [`LONGEST_MS`] so that sums stay far from overflow.
pub fn millis(span: Duration) -> u64 {
    span.as_secs().saturating_mul(1_000).saturating_add(u64::from(span.subsec_millis())).min(LONGEST_MS)
}

fn parse_millis(text: &str, bare: Option<Unit>) -> Result<u64, DurationError> {
    let text = text.trim();
    let owned = || text.to_owned();
    if text.is_empty() {
        return Err(DurationError::Empty);
    }
    if text.starts_with('-') {
        return Err(DurationError::Negative { text: owned() });
    }
    let (mut rest, mut total, mut shorter_than) = (text, 0u64, None);
    while !rest.is_empty() {
        let number_ends = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, behind) = rest.split_at(number_ends);
        let unit_ends = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (suffix, remainder) = behind.split_at(unit_ends);
        let unit = match (suffix, bare) {
            // A bare number stands alone: `1h30` could be minutes or seconds.
            ("", _) if number.len() != text.len() => return Err(DurationError::Malformed { text: owned() }),
            ("", Some(unit)) => unit,
            ("", None) if number == "0" => Unit::Seconds,
            ("", None) => return Err(DurationError::NoUnit { text: owned() }),
            (suffix, _) => {
                Unit::from_suffix(suffix).ok_or_else(|| DurationError::Malformed { text: owned() })?
            }
        };
        // Units fall from left to right, so that `30s1h` or `5s5s`, surely a slip, is not read as a sum.
        if shorter_than.is_some_and(|longer| unit >= longer) {
            return Err(DurationError::Malformed { text: owned() });
        }
        shorter_than = Some(unit);
        total = total.saturating_add(scale(number, unit, text)?);
        if total > LONGEST_MS {
            return Err(DurationError::TooLong { text: owned() });
        }
        rest = remainder;
    }
    Ok(total)
}

/// The milliseconds of a decimal number of units, exactly.
fn scale(number: &str, unit: Unit, text: &str) -> Result<u64, DurationError> {
    let malformed = || DurationError::Malformed { text: text.to_owned() };
    let too_long = || DurationError::TooLong { text: text.to_owned() };
    let (whole, decimals) = match number.split_once('.') {
        Some((whole, decimals)) => (whole, decimals),
        None => (number, "0"),
    };
    if whole.is_empty() || decimals.is_empty() || decimals.contains('.') {
        return Err(malformed());
    }
    let decimals = decimals.trim_end_matches('0');
    // Nine decimals of a day are finer than a millisecond; more digits could only overflow.
    if decimals.len() > 9 {
        return Err(DurationError::TooFine { text: text.to_owned() });
    }
    let whole: u64 = whole.parse().map_err(|_| too_long())?;
    let fraction: u64 = if decimals.is_empty() { 0 } else { decimals.parse().map_err(|_| malformed())? };
    let denominator = 10u64.pow(decimals.len() as u32);
    let parts = fraction.saturating_mul(unit.millis());
    if !parts.is_multiple_of(denominator) {
        return Err(DurationError::TooFine { text: text.to_owned() });
    }
    whole.checked_mul(unit.millis()).and_then(|ms| ms.checked_add(parts / denominator)).ok_or_else(too_long)
}

/// Writes a span into a file, for `#[serde(with = "loadgen::duration")]`.
///
/// # Errors
///
/// Only what the serializer itself reports.
pub fn serialize<S: Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format(*span))
}

/// Reads a span from a file, for `#[serde(with = "loadgen::duration")]`.
///
/// # Errors
///
/// The text of a [`DurationError`], at the place in the file where the span stands.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    struct Text;

    impl de::Visitor<'_> for Text {
        type Value = Duration;

        fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            formatter.write_str("a span like 90s, 1500ms, 2m, 1h or 1d")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
            parse(text).map_err(E::custom)
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Duration, E> {
            parse(&number.to_string()).map_err(E::custom)
        }

        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Duration, E> {
            parse(&number.to_string()).map_err(E::custom)
        }

        fn visit_f64<E: de::Error>(self, number: f64) -> Result<Duration, E> {
            parse(&number.to_string()).map_err(E::custom)
        }
    }

    // A YAML reader decides by itself whether `90` is a number; asking for anything lets the message name the mend.
    deserializer.deserialize_any(Text)
}

#[cfg(test)]
mod tests;
