//! Quantities as the server writes them. Source: `apimachinery/pkg/api/resource/quantity.go`, CanonicalizeBytes.

/// Powers of 1,000 with their suffixes, from the smallest.
const DECIMAL: [&str; 10] = ["n", "u", "m", "", "k", "M", "G", "T", "P", "E"];
/// Powers of 1,024 with their suffixes.
const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/// The canonical text of a quantity: no fraction, the largest suffix. `None` where it is none, or too large to tell.
pub(in crate::api) fn canonical(text: &str) -> Option<String> {
    let split = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '-' | '+')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let negative = number.starts_with('-');
    let digits = number.trim_start_matches(['-', '+']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.is_empty() && fraction.is_empty() || fraction.contains('.') || fraction.len() > 12 {
        return None;
    }
    let value: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    if let Some(power) = BINARY.iter().skip(1).position(|one| *one == suffix) {
        let bytes = value.checked_mul(1i128.checked_shl(10 * (power as u32 + 1))?)?;
        if bytes % scale != 0 {
            // A fraction of a byte: shown in decimal.
            return decimal(bytes.checked_mul(1_000_000_000)?, scale, negative, false);
        }
        return Some(binary(bytes / scale, negative));
    }
    let (nanos, exponent) = match suffix {
        "" => (1_000_000_000, false),
        _ => match DECIMAL.iter().position(|one| *one == suffix) {
            Some(power) => (1_000i128.checked_pow(power as u32)?, false),
            None => {
                let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
                (10i128.checked_pow(u32::try_from(power + 9).ok()?)?, true)
            }
        },
    };
    decimal(value.checked_mul(nanos)?, scale, negative, exponent)
}

fn sign(negative: bool, value: i128) -> &'static str {
    if negative && value != 0 { "-" } else { "" }
}

fn binary(mut value: i128, negative: bool) -> String {
    let mut power = 0;
    while value != 0 && value % 1_024 == 0 && power + 1 < BINARY.len() {
        value /= 1_024;
        power += 1;
    }
    format!("{}{value}{}", sign(negative, value), BINARY[power])
}

/// From billionths over `scale`, rounded up.
fn decimal(nanos: i128, scale: i128, negative: bool, exponent: bool) -> Option<String> {
    let mut value = (nanos + scale - 1) / scale;
    let mut power = 0;
    while value != 0 && value % 1_000 == 0 && power + 1 < DECIMAL.len() {
        value /= 1_000;
        power += 1;
    }
    if value == 0 {
        return Some("0".into());
    }
    let suffix = match (exponent, power) {
        (true, 3) | (false, _) => DECIMAL.get(power)?.to_string(),
        (true, power) => format!("e{}", 3 * power as i32 - 9),
    };
    Some(format!("{}{value}{suffix}", sign(negative, value)))
}

#[cfg(test)]
mod tests {
    use super::canonical;

    #[test]
    fn quantities_are_written_with_the_largest_suffix_and_without_fraction() {
        for (text, expected) in [
            ("1000m", "1"),
            ("0.5", "500m"),
            ("1024Mi", "1Gi"),
            ("1536Mi", "1536Mi"),
            ("1024", "1024"),
            ("1000", "1k"),
            ("1.5Gi", "1536Mi"),
            ("0", "0"),
            ("100m", "100m"),
            ("2e3", "2e3"),
            ("-1500m", "-1500m"),
            ("0.0000000001", "1n"),
            ("64M", "64M"),
            ("0.1Ki", "102400m"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_stays_unread() {
        for text in ["", "x", "1x", "1.2.3", "e", "1e", "--"] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }
}
