//! What a plain scalar means, as `kubectl` decides it (go-yaml 2, YAML 1.1).
//!
//! Its two peculiarities matter for real exports: it quotes only what it would itself read as something else, and a
//! number too large for a double is a text to it. A label `12e4567` (a commit) is printed without quotes.
//!
//! One deviation: `y` and `n` are texts, not truth values. kubectl always quotes them, and other programs that print
//! them plain mean the letters.

use super::super::document::push_text;

/// Writes the scalar as JSON.
pub(super) fn write(text: &str, out: &mut Vec<u8>) {
    match meaning(text) {
        Meaning::Null => out.extend_from_slice(b"null"),
        Meaning::Bool(true) => out.extend_from_slice(b"true"),
        Meaning::Bool(false) => out.extend_from_slice(b"false"),
        Meaning::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Meaning::Text => push_text(out, text),
    }
}

/// Says whether a plain scalar means its own text. One that is written without quotes must.
pub(crate) fn reads_as_text(text: &str) -> bool {
    matches!(meaning(text), Meaning::Text)
}

/// Says whether a plain scalar means that there is no value.
pub(super) fn is_null(text: &str) -> bool {
    matches!(meaning(text), Meaning::Null)
}

enum Meaning {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text,
}

fn meaning(text: &str) -> Meaning {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Meaning::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Meaning::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Meaning::Bool(false),
        _ if text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first)) => {
            number(&text.replace('_', "")).map_or(Meaning::Text, Meaning::Number)
        }
        _ => Meaning::Text,
    }
}

fn number(text: &str) -> Option<serde_json::Number> {
    integer(text).or_else(|| {
        let is_float = has_float_shape(text);
        // Beyond a double's range the parse gives infinity, which is no JSON number: then it is a text.
        if is_float { text.parse().ok().and_then(serde_json::Number::from_f64) } else { None }
    })
}

/// Decimal, or with a base in front: `0x`, `0o`, `0b`, and the bare `0` of YAML 1.1 that file modes are written with.
fn integer(text: &str) -> Option<serde_json::Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    // Parsing accepts a sign of its own, which would make `+-1` a number.
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let bases = [("0x", 16), ("0X", 16), ("0o", 8), ("0O", 8), ("0b", 2), ("0B", 2)];
    let based = bases.iter().find_map(|(prefix, base)| Some((digits.strip_prefix(prefix)?, *base)));
    let (digits, base) = match based {
        Some(based) => based,
        None if digits.len() > 1 && digits.starts_with('0') => (&digits[1..], 8),
        None => (digits, 10),
    };
    if !digits.starts_with(|first: char| first.is_ascii_hexdigit()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, base).ok()?;
    if negative { 0_i64.checked_sub_unsigned(magnitude).map(Into::into) } else { Some(magnitude.into()) }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn has_float_shape(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    !(whole.is_empty() && fraction.is_empty())
        && digits(whole)
        && digits(fraction)
        && exponent.is_none_or(|exponent| !exponent.is_empty() && digits(exponent))
}
