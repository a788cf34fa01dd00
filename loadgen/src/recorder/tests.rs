use super::*;

#[track_caller]
fn check(cause: EndCause, contract: Contract, expected: Counts) {
    let mut recorder = Recorder::default();
    recorder.on_ended(cause, contract);
    assert_eq!(recorder.counts, expected, "{cause} {contract:?}");
    assert_eq!(recorder.counts.ended(), 1, "{cause}: counted once");
    assert_eq!(recorder.causes, BTreeMap::from([(cause.id(), 1)]));
}

#[test]
fn every_end_is_counted_once_and_losses_by_contract() {
    let none = Counts::default();
    let refused = EndCause::Refused { reconnecting: false };
    for contract in [Contract::Within, Contract::Beyond] {
        check(EndCause::ClientDone, contract, Counts { completed: 1, ..none });
        check(EndCause::WsClose1001, contract, Counts { moved: 1, ..none });
        check(refused, contract, Counts { refused: 1, ..none });
        check(EndCause::WrongBackend, contract, Counts { degraded: 1, ..none });
        check(EndCause::NoPorts, contract, Counts { generator: 1, ..none });
        check(EndCause::Unclassified, contract, Counts { unknown: 1, ..none });
    }
    check(EndCause::RstMidStream, Contract::Within, Counts { dropped: 1, ..none });
    check(EndCause::RstMidStream, Contract::Beyond, Counts { outlived: 1, ..none });
}

#[test]
fn outages_closer_than_two_periods_are_one_window() {
    let mut recorder = Recorder::default();
    // With a period of 100 ms: 199 ms apart is one window, 200 ms apart are two. The order of arrival does not matter.
    for (from_at, until_at) in
        [(5_200, 5_300), (1_000, 2_000), (2_199, 2_300), (1_500, 1_600), (2_500, 5_000)]
    {
        recorder.on_outage(from_at, until_at);
    }
    let windows = [(1_000, 2_300, 3), (2_500, 5_000, 1), (5_200, 5_300, 1)]
        .map(|(from_at, until_at, outages)| Downtime { from_at, until_at, outages });
    assert_eq!(recorder.windows(100), windows);
    assert_eq!(recorder.windows(0).len(), 4, "without a period only what overlaps is one");
    assert_eq!(recorder.windows(u64::MAX).len(), 1);
}

#[test]
fn percentiles_are_within_one_per_cent_and_the_greatest_value_is_exact() {
    let mut recorder = Recorder::default();
    for latency in 1..=100_000 {
        recorder.on_answered(latency);
    }
    let summary = recorder.message_latency.summary();
    assert_eq!((summary.count, summary.max), (100_000, 100_000));
    for (value, exact) in
        [(summary.p50, 50_000), (summary.p90, 90_000), (summary.p99, 99_000), (summary.p999, 99_900)]
    {
        assert!(value >= exact && value <= exact + exact / 100, "{value}, exactly {exact}");
    }
    assert_eq!(Recorder::default().message_latency.summary(), Summary::default());
}

#[test]
fn values_beyond_the_scale_are_kept_at_its_end_and_in_the_maximum() {
    let mut recorder = Recorder::default();
    recorder.on_connected(0);
    recorder.on_connected(u64::MAX);
    recorder.on_outage(10, 5);
    let summary = recorder.connect_latency.summary();
    assert_eq!((summary.count, summary.max), (2, u64::MAX));
    assert!(summary.p999 >= 3_600_000_000);
    assert_eq!(recorder.windows(1), [Downtime { from_at: 10, until_at: 10, outages: 1 }]);
}

#[test]
fn two_accounts_merged_are_the_account_of_both() {
    let feed = |recorder: &mut Recorder, range: std::ops::Range<u64>| {
        for n in range {
            recorder.on_opened();
            recorder.on_connected(n * 17);
            recorder.on_answered(n * 31);
            recorder.on_outage(n * 100, n * 100 + n);
            let cause = if n % 9 == 0 { EndCause::RstIdle } else { EndCause::H2GoawayGraceful };
            recorder.on_ended(cause, Contract::Within);
        }
    };
    let (mut whole, mut first, mut second) = (Recorder::default(), Recorder::default(), Recorder::default());
    feed(&mut whole, 0..90);
    feed(&mut first, 0..40);
    feed(&mut second, 40..90);
    second.merge(&first);
    assert_eq!(second.report(50), whole.report(50));
    let DropRate { drops, exposures, bound } = whole.report(50).drop_rate;
    assert_eq!((drops, exposures), (10, 90));
    assert!(bound > 10.0 / 90.0 && bound < 0.2, "{bound}");
}

#[test]
fn a_recorder_is_small_enough_for_one_per_worker() {
    let distribution = Distribution::up_to(3_600_000_000);
    let bytes = distribution.histogram.distinct_values() * size_of::<u64>();
    assert!(bytes <= 32 * 1_024, "{bytes} bytes");
}
