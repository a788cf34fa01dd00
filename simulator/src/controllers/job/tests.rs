use super::*;

const JOB: Job = Job {
    completions: Some(5),
    parallelism: 2,
    backoff_limit: 6,
    replaces_only_failed: false,
    active: 0,
    terminating: 0,
    succeeded: 0,
    failed: 0,
    failures_in_a_row: 0,
    failed_at: None,
};

#[track_caller]
fn check(job: Job, expected: Step) {
    assert_eq!(next_step(&job, 100_000), expected);
}

#[test]
fn it_runs_as_many_as_are_missing_within_its_parallelism() {
    check(JOB, Step::Create(2));
    check(Job { active: 2, ..JOB }, Step::Nothing);
    check(Job { succeeded: 4, ..JOB }, Step::Create(1));
    check(Job { succeeded: 4, active: 2, ..JOB }, Step::Delete(1));
    check(Job { succeeded: 5, ..JOB }, Step::Complete);
}

#[test]
fn a_work_queue_ends_with_its_first_success() {
    let queue = Job { completions: None, ..JOB };
    check(queue, Step::Create(2));
    check(Job { succeeded: 1, active: 1, ..queue }, Step::Nothing);
    check(Job { succeeded: 1, ..queue }, Step::Complete);
}

#[test]
fn an_evicted_pod_is_replaced_while_it_terminates_unless_the_policy_says_otherwise() {
    let evicted = Job { active: 1, terminating: 1, ..JOB };
    check(evicted, Step::Create(1));
    check(Job { replaces_only_failed: true, ..evicted }, Step::Nothing);
    assert!(counts_as_failed(PodPhase::Running, true, false, false));
    assert!(!counts_as_failed(PodPhase::Running, true, true, false));
    assert!(!counts_as_failed(PodPhase::Failed, true, true, true));
}

#[test]
fn failures_delay_the_next_attempt_and_end_the_job() {
    let failed = Job { failed: 1, failures_in_a_row: 1, failed_at: Some(95_000), ..JOB };
    check(failed, Step::Wait { until: 105_000 });
    check(Job { failed_at: Some(90_000), ..failed }, Step::Create(2));
    check(Job { failed: 6, ..JOB }, Step::Create(2));
    check(Job { failed: 7, ..JOB }, Step::Failed);
    assert_eq!([0, 1, 2, 6, 7, 99].map(backoff_ms), [0, 10_000, 20_000, 320_000, 600_000, 600_000]);
}
