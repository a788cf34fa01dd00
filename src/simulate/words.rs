//! Figures as people read them.

/// A span in milliseconds: the two largest units that matter.
pub(super) fn span(millis: u64) -> String {
    let (hours, minutes, seconds) = (millis / 3_600_000, millis / 60_000 % 60, millis / 1_000 % 60);
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{seconds}.{} s", millis % 1_000 / 100),
        60_000..3_600_000 => format!("{minutes} min {seconds} s"),
        _ => format!("{hours} h {minutes} min"),
    }
}

/// A span in microseconds.
pub(super) fn micros(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        _ => span(micros / 1_000),
    }
}

/// A point in time, in milliseconds since the start of the run, to the second.
pub(super) fn clock(at: u64) -> String {
    format!("{}:{:02}:{:02}", at / 3_600_000, at / 60_000 % 60, at / 1_000 % 60)
}

/// A number in groups of three digits.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number and what is counted, in the singular or with an s.
pub(super) fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", number(count), if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short_at_every_size() {
        let spans = [0, 34, 999, 1_000, 39_861, 60_000, 312_400, 3_600_000, 4_881_735].map(span);
        let expected = [
            "0 ms",
            "34 ms",
            "999 ms",
            "1.0 s",
            "39.8 s",
            "1 min 0 s",
            "5 min 12 s",
            "1 h 0 min",
            "1 h 21 min",
        ];
        assert_eq!(spans, expected);
        assert_eq!([17, 1_250, 3_000_000].map(micros), ["17 µs", "1.2 ms", "3.0 s"]);
        assert_eq!(
            [0, 999, 1_000, 104_773, 1_000_000].map(number),
            ["0", "999", "1,000", "104,773", "1,000,000"]
        );
        assert_eq!(clock(4_881_735), "1:21:21");
        assert_eq!([counted(1, "pod"), counted(0, "pod")], ["1 pod", "0 pods"]);
    }
}
