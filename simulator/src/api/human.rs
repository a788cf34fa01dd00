//! Spans and times as tables show them.

use jiff::Timestamp;
use serde_json::Value;

/// A span of seconds as kubectl's tables show it. Source: `apimachinery/pkg/util/duration/duration.go`.
pub(super) fn span(seconds: i64) -> String {
    match seconds {
        ..-1 => "<invalid>".into(),
        -1..0 => "0s".into(),
        0..120 => format!("{seconds}s"),
        120..600 => with_rest(seconds / 60, 'm', seconds % 60, 's'),
        600..10_800 => format!("{}m", seconds / 60),
        10_800..28_800 => with_rest(seconds / 3_600, 'h', seconds / 60 % 60, 'm'),
        28_800..172_800 => format!("{}h", seconds / 3_600),
        172_800..691_200 => with_rest(seconds / 86_400, 'd', seconds / 3_600 % 24, 'h'),
        691_200..63_072_000 => format!("{}d", seconds / 86_400),
        63_072_000..252_288_000 => with_rest(seconds / 31_536_000, 'y', seconds / 86_400 % 365, 'd'),
        _ => format!("{}y", seconds / 31_536_000),
    }
}

fn with_rest(most: i64, unit: char, rest: i64, rest_unit: char) -> String {
    if rest == 0 { format!("{most}{unit}") } else { format!("{most}{unit}{rest}{rest_unit}") }
}

/// How long ago a time in an object was.
pub(super) fn since(value: Option<&Value>, now: Timestamp) -> String {
    value
        .and_then(Value::as_str)
        .and_then(|text| text.parse::<Timestamp>().ok())
        .map_or_else(|| "<unknown>".into(), |at| span(now.as_second() - at.as_second()))
}
