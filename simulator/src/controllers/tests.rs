use super::*;

#[track_caller]
fn check(text: &str, total: i64, up: i64, down: i64) {
    let parsed = IntOrPercent::parse(text).unwrap();
    assert_eq!((parsed.of_rounded_up(total), parsed.of_rounded_down(total)), (up, down));
}

#[test]
fn shares_are_rounded_in_the_direction_that_is_asked_for() {
    check("25%", 10, 3, 2); // 2.5
    check("33%", 3, 1, 0); // 0.99
    check("100%", 7, 7, 7);
    check("0%", 7, 0, 0);
    check("150%", 2, 3, 3);
    check("3", 2, 3, 3);
    check("-50%", 3, -1, -2); // -1.5
}

#[test]
fn no_total_overflows() {
    check("100%", i64::MAX, i64::MAX / 100 + 1, i64::MAX / 100);
    assert!(IntOrPercent::Percent(i32::MIN).of_rounded_up(i64::MAX) < 0);
}

#[test]
fn what_is_no_number_is_not_read() {
    for text in ["", "%", "ten", "5 %", "2.5", "99999999999", "5%%"] {
        assert_eq!(IntOrPercent::parse(text), None, "{text:?}");
    }
}

#[test]
fn a_pod_whose_deletion_has_begun_is_not_counted() {
    assert!(is_active(PodPhase::Running, false) && is_active(PodPhase::Pending, false));
    assert!(!is_active(PodPhase::Running, true) && !is_active(PodPhase::Failed, false));
    assert_eq!(PodPhase::parse("running"), None);
}
