use super::*;

#[test]
fn pods_go_first_and_everything_else_waits_for_them() {
    let mut contents = Contents { pods: 2, terminating_pods: 0, others: 3, terminating_others: 0 };
    assert_eq!(next_step(&contents), Step::DeletePods);
    contents = Contents { pods: 0, terminating_pods: 2, ..contents };
    assert_eq!(next_step(&contents), Step::WaitForPods);
    contents = Contents { terminating_pods: 0, ..contents };
    assert_eq!(next_step(&contents), Step::DeleteOthers);
    contents = Contents { others: 0, terminating_others: 1, ..contents };
    assert_eq!(next_step(&contents), Step::WaitForOthers);
    assert_eq!(next_step(&Contents { terminating_others: 0, ..contents }), Step::Finalize);
}
