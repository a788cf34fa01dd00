use std::time::Duration;

use kube::core::{Status, response::StatusDetails};

use super::*;

#[track_caller]
fn check(code: u16, reason: &str, message: &str, retry_after: u32, expected: Answer) {
    let details = StatusDetails {
        name: String::new(),
        group: String::new(),
        kind: String::new(),
        uid: String::new(),
        causes: Vec::new(),
        retry_after_seconds: retry_after,
    };
    let status = Status {
        code,
        reason: reason.into(),
        message: message.into(),
        details: Some(details),
        ..Status::default()
    };
    assert_eq!(kubernetes(&kube::Error::Api(Box::new(status))).answer, expected, "{code} {reason}");
}

#[test]
fn what_the_api_server_says_is_decided_again_tried_later_read_or_given_up() {
    check(409, "Conflict", "the object has been modified", 0, Answer::Conflict);
    check(409, "AlreadyExists", "leases \"nodeferry\" already exists", 0, Answer::Conflict);
    check(404, "NotFound", "pods \"web-1\" not found", 0, Answer::NotFound);
    check(410, "Expired", "too old resource version", 0, Answer::NotFound);
    // A budget that lets no pod go, and a server that is too busy, with its own wish and without.
    check(429, "TooManyRequests", "violate the pod's disruption budget", 0, Answer::RetryLater(LATER));
    check(429, "TooManyRequests", "busy", 30, Answer::RetryLater(Duration::from_secs(30)));
    check(401, "Unauthorized", "Unauthorized", 0, Answer::RetryLater(LATER));
    check(403, "Forbidden", "no", 0, Answer::Refused("Forbidden: no".into()));
    check(422, "Invalid", "no", 0, Answer::Refused("Invalid: no".into()));
    // Whether it took effect is not said.
    check(500, "InternalError", "etcdserver: request timed out", 0, Answer::Unknown);
    check(503, "ServiceUnavailable", "try again", 1, Answer::Unknown);
    check(504, "Timeout", "timeout", 0, Answer::Unknown);
    let two =
        "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";
    check(500, "InternalError", two, 0, Answer::Refused(format!("InternalError: {two}")));
}
