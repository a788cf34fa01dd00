use super::*;

const CLOPPER_PEARSON: &[(u64, u64, f64)] = &[
    (1, 10, 0.3941633024),
    (5, 100, 0.1022533776),
    (12, 10000, 0.0019435334),
    (50, 1000, 0.0628634035),
    (900, 1000, 0.9152152323),
    (1, 2, 0.9746794345),
    (3000, 100000, 0.0309024491),
];

#[test]
fn zero_drops_prove_what_the_table_says() {
    for (exposures, expected) in [
        (1, 0.95),
        (10, 0.258_865_550_893),
        (30, 0.095_033_852_855),
        (59, 0.049_507_609_888),
        (100, 0.029_513_049_607),
        (299, 0.009_969_146_793),
        (1_000, 0.002_991_249_545),
        (10_000, 0.000_299_528_360),
        (100_000, 0.000_029_956_874),
    ] {
        let bound = drop_rate_bound(0, exposures);
        assert!((bound / expected - 1.0).abs() < 1e-6, "{exposures}: {bound}");
    }
}

#[test]
fn drops_raise_the_bound_as_clopper_and_pearson_say() {
    // Upper quantiles of the beta distribution with drops + 1 and exposures - drops, at 0.95.
    for (drops, exposures, expected) in CLOPPER_PEARSON {
        let bound = drop_rate_bound(*drops, *exposures);
        assert!((bound / expected - 1.0).abs() < 1e-6, "{drops} of {exposures}: {bound}");
    }
}

#[test]
fn nothing_is_proven_where_nothing_was_exposed_or_everything_dropped() {
    for (drops, exposures) in [(0, 0), (1, 0), (5, 5), (6, 5), (u64::MAX, u64::MAX)] {
        assert_eq!(drop_rate_bound(drops, exposures), 1.0, "{drops} of {exposures}");
    }
    // The most that fits still gives a bound, and a small one.
    let bound = drop_rate_bound(0, u64::MAX);
    assert!(bound > 0.0 && bound < 1e-15, "{bound}");
}

#[test]
fn more_drops_prove_less_and_more_exposures_more() {
    for exposures in [10, 1_000, 50_000] {
        for drops in 0..9 {
            assert!(drop_rate_bound(drops, exposures) < drop_rate_bound(drops + 1, exposures));
            assert!(drop_rate_bound(drops, exposures) > drop_rate_bound(drops, exposures + 1));
            assert!(drop_rate_bound(drops, exposures) > drops as f64 / exposures as f64);
        }
    }
}
