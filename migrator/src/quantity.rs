//! Quantities as Kubernetes writes them: `250m`, `1.5`, `2Gi`, `1e3`. Source: apimachinery `pkg/api/resource`.

/// In thousandths, rounded up; `None` for what is no quantity or below zero.
pub(crate) fn milli(text: &str) -> Option<u64> {
    scaled(text, 1_000)
}

/// In whole units, rounded up; `None` for what is no quantity or below zero.
pub(crate) fn whole(text: &str) -> Option<u64> {
    scaled(text, 1)
}

fn scaled(text: &str, scale: u128) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let (times, parts) = factor(suffix)?;
    let parts = parts.checked_mul(10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?)?;
    u64::try_from(digits.checked_mul(times)?.checked_mul(scale)?.div_ceil(parts)).ok()
}

/// What a suffix stands for, as a fraction.
fn factor(suffix: &str) -> Option<(u128, u128)> {
    Some(match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1_000),
        "k" => (1_000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "E" => (1_000_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        exponent => {
            let power: i32 = exponent.strip_prefix(['e', 'E'])?.parse().ok()?;
            let factor = 10u128.checked_pow(power.unsigned_abs())?;
            if power < 0 { (1, factor) } else { (factor, 1) }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_the_api_writes_them() {
        let cases = [
            ("250m", Some(250), Some(1)),
            ("1.5", Some(1_500), Some(2)),
            ("2", Some(2_000), Some(2)),
            ("2Gi", Some(2_147_483_648_000), Some(2_147_483_648)),
            ("0.5Mi", Some(524_288_000), Some(524_288)),
            ("1e3", Some(1_000_000), Some(1_000)),
            ("5E-1", Some(500), Some(1)),
            ("1E", None, Some(1_000_000_000_000_000_000)),
            (".5", Some(500), Some(1)),
            ("1n", Some(1), Some(1)),
            ("", None, None),
            ("-1", None, None),
            ("1.2.3", None, None),
            ("1 Gi", None, None),
            ("99999999999999999999Ei", None, None),
            ("1e999999999", None, None),
        ];
        for (text, in_thousandths, in_units) in cases {
            assert_eq!((milli(text), whole(text)), (in_thousandths, in_units), "{text}");
        }
    }
}
