use serde::de::IntoDeserializer;
use serde::de::value::Error;

use super::*;

#[track_caller]
fn check(text: &str, expected: Result<u64, &str>) {
    let read = parse(text).map(millis).map_err(|error| error.to_string());
    assert_eq!(read, expected.map_err(str::to_owned), "{text:?}");
}

#[test]
fn spans_are_read_in_every_unit_exactly() {
    for (text, ms) in [
        ("1500ms", 1_500),
        ("90s", 90_000),
        ("2m", 120_000),
        ("1h", 3_600_000),
        ("1d", 86_400_000),
        ("1h30m", 5_400_000),
        ("1d2h3m4s5ms", 93_784_005),
        ("0.5s", 500),
        ("0.001s", 1),
        ("1.50m", 90_000),
        ("0", 0),
        ("0s", 0),
        (" 7s ", 7_000),
        ("36500d", LONGEST_MS),
    ] {
        check(text, Ok(ms));
    }
}

#[test]
fn what_is_no_span_is_refused_with_what_to_write_instead() {
    check("", Err("a span is missing; write one like 90s, 1500ms, 2m, 1h or 1d"));
    check("90", Err("`90` has no unit; write 90s, 90ms, 90m, 90h or 90d"));
    check("-5s", Err("`-5s` is negative; a span is zero or longer"));
    check("0.0001s", Err("`0.0001s` is finer than a millisecond; round it"));
    check("0.5ms", Err("`0.5ms` is finer than a millisecond; round it"));
    check("36501d", Err("`36501d` is longer than 36500d, the longest span"));
    check(
        "99999999999999999999999s",
        Err("`99999999999999999999999s` is longer than 36500d, the longest span"),
    );
    check("18446744073709551615d", Err("`18446744073709551615d` is longer than 36500d, the longest span"));
    for slip in [
        "NaN", "inf", "1e3s", "s", "5x", "5 s", "1h30", "30s1h", "5s5s", ".5s", "5.s", "1.2.3s", "５s", "+5s",
    ] {
        check(slip, Err(&format!("`{slip}` is not a span; write one like 90s, 1500ms, 2m, 1h, 1d or 1h30m")));
    }
    check("0.0000000001d", Err("`0.0000000001d` is finer than a millisecond; round it"));
}

#[test]
fn a_bare_number_counts_only_where_its_unit_is_stated() {
    assert_eq!(parse_or("90", Unit::Seconds).map(millis), Ok(90_000));
    assert_eq!(parse_or("90", Unit::Milliseconds).map(millis), Ok(90));
    assert_eq!(parse_or("90ms", Unit::Seconds).map(millis), Ok(90));
    assert!(matches!(parse_or("1h30", Unit::Seconds), Err(DurationError::Malformed { .. })));
}

#[test]
fn what_is_written_is_read_back() {
    for (ms, text) in
        [(0, "0s"), (1, "1ms"), (1_500, "1500ms"), (90_000, "90s"), (120_000, "2m"), (86_400_000, "1d")]
    {
        assert_eq!(format_millis(ms), text);
    }
    let mut stream = crate::chance::Seed(3).stream("spans");
    for _ in 0..10_000 {
        let ms = stream.between(0, LONGEST_MS);
        assert_eq!(parse(&format_millis(ms)).map(millis), Ok(ms));
    }
}

#[test]
fn a_number_in_a_file_is_told_to_take_a_unit() {
    fn read<'de>(value: impl IntoDeserializer<'de, Error>) -> Result<Duration, String> {
        deserialize(value.into_deserializer()).map_err(|error| error.to_string())
    }

    assert_eq!(read("90s"), Ok(Duration::from_secs(90)));
    assert_eq!(read(90u64), Err("`90` has no unit; write 90s, 90ms, 90m, 90h or 90d".to_owned()));
    assert_eq!(read(-1i64), Err("`-1` is negative; a span is zero or longer".to_owned()));
    assert_eq!(
        read(f64::NAN),
        Err("`NaN` is not a span; write one like 90s, 1500ms, 2m, 1h, 1d or 1h30m".to_owned())
    );
    assert_eq!(
        read(true),
        Err("invalid type: boolean `true`, expected a span like 90s, 1500ms, 2m, 1h or 1d".to_owned())
    );
}
