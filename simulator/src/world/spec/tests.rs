use super::*;

/// Thousandths, and whole units; none where it is no quantity.
#[track_caller]
fn check(text: &str, expected: Option<(i64, i64)>) {
    assert_eq!(cpu_milli(text).zip(bytes(text)), expected, "{text:?}");
    assert_eq!(is_quantity(text), expected.is_some(), "{text:?}");
}

#[test]
fn quantities_are_read_as_the_api_server_reads_them() {
    for (text, milli, whole) in [
        ("0", 0, 0),
        ("2", 2_000, 2),
        ("+2", 2_000, 2),
        ("-2", -2_000, -2),
        ("100m", 100, 1),
        ("0.5", 500, 1),
        (".5", 500, 1),
        ("5.", 5_000, 5),
        ("1e3", 1_000_000, 1_000),
        ("1E3", 1_000_000, 1_000),
        ("1e-3", 1, 1),
        ("1e+1", 10_000, 10),
        ("1E", i64::MAX, 1_000_000_000_000_000_000),
        ("0.5Gi", 536_870_912_000, 536_870_912),
        ("1.5Ki", 1_536_000, 1_536),
        ("1n", 1, 1),
        // Rounded up, however little it is.
        ("1.0000000000000000000001", 1_001, 2),
        ("0.00000000000000000000001Ei", 1, 1),
        ("1e-2147483648", 1, 1),
        // Too large is the largest.
        ("8Ei", i64::MAX, i64::MAX),
        ("1e2147483647", i64::MAX, i64::MAX),
        ("00000000000000000000000000000000000000000000000001", 1_000, 1),
        ("99999999999999999999999999999999999999999999999999", i64::MAX, i64::MAX),
        ("0e2147483647", 0, 0),
    ] {
        check(text, Some((milli, whole)));
    }
}

#[test]
fn what_the_api_server_refuses_is_no_quantity() {
    for text in [
        "",
        "banana",
        ".",
        "-",
        "+-1",
        "1.2.3",
        "1 Gi",
        " 1",
        "1gi",
        "1K",
        "1KiB",
        "1e",
        "1e1.5",
        "e3",
        "0x10",
        "1,5",
        "٣",
        "∞",
        "1e99999999999",
    ] {
        check(text, None);
    }
}
