use super::*;

#[test]
fn exponential_waits_double_up_to_their_longest_and_jitter_shortens_them() {
    let backoff = Backoff::Exponential {
        first: Duration::from_millis(100),
        longest: Duration::from_secs(1),
        jitter_percent: 50,
    };
    for (attempt, longest) in
        [(0, 100), (1, 100), (2, 200), (3, 400), (4, 800), (5, 1_000), (u32::MAX, 1_000)]
    {
        assert_eq!(backoff.wait_before(attempt, 0), longest / 2, "attempt {attempt}, least");
        assert_eq!(backoff.wait_before(attempt, u64::MAX), longest, "attempt {attempt}, most");
    }
}

#[test]
fn waits_of_any_size_do_not_overflow() {
    let backoff =
        Backoff::Exponential { first: Duration::MAX, longest: Duration::MAX, jitter_percent: u8::MAX };
    assert!(backoff.wait_before(u32::MAX, u64::MAX) <= duration::LONGEST_MS);
    assert_eq!(Backoff::Immediate.wait_before(3, 7), 0);
    assert_eq!(Backoff::Fixed { every: Duration::from_secs(2) }.wait_before(3, 7), 2_000);
}

#[test]
fn a_pool_ends_within_the_address_space() {
    let last = Ipv4Addr::new(255, 255, 255, 255);
    assert!(SourcePool { first: last, count: 1 }.is_valid());
    assert!(!SourcePool { first: last, count: 2 }.is_valid());
    assert!(!SourcePool { first: last, count: 0 }.is_valid());
    assert_eq!(SourcePool { first: last, count: 1 }.pick(u64::MAX), u32::MAX);
}
