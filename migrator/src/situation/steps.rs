//! What steps are made of: patches at the version that was seen, waits that evidence or time ends, and words for people.

use std::time::Duration;

use jiff::Timestamp;

use crate::{
    action::{Change, Kind, Patch, Poll, Reason, Step, Wait, Write},
    view::{Meta, ObjectName},
};

/// How often node groups are asked about while one changes: an update takes 5-180 s. Source: aws.md section 9.
pub(crate) const GROUP_POLL: Duration = Duration::from_secs(15);
/// How often target health is asked about: often enough that waits of minutes end on time, rare enough for the
/// account's shared bucket (10 calls a second). Source: aws.md section 1.
pub(crate) const TARGET_POLL: Duration = Duration::from_secs(15);
/// Asked at once: a wait has ended, and only the evidence for it is older than its end.
pub(crate) const POLL_NOW: Duration = Duration::from_secs(1);

/// A patch of one object at the version that was seen.
pub(crate) fn patch(kind: Kind, object: &Meta, changes: Vec<Change>) -> Write {
    Write::Patch(Patch {
        kind,
        object: object.name.clone(),
        uid: object.uid.clone(),
        resource_version: Some(object.resource_version),
        changes,
    })
}

/// A wait that only evidence ends.
pub(crate) fn wait(
    phase: &'static str,
    what: impl Into<String>,
    seen: impl Into<String>,
    wanted: impl Into<String>,
    poll: Poll,
) -> Step {
    Step::Wait(Wait {
        until: None,
        for_what: Reason { phase, what: what.into(), seen: seen.into(), wanted: wanted.into() },
        poll,
    })
}

/// A wait that time ends.
pub(crate) fn wait_until(until: Timestamp, phase: &'static str, what: impl Into<String>, poll: Poll) -> Step {
    Step::Wait(Wait {
        until: Some(until),
        for_what: Reason {
            phase,
            what: what.into(),
            seen: "it has not passed".to_owned(),
            wanted: until.to_string(),
        },
        poll,
    })
}

/// A moment after another.
pub(crate) fn later(at: Timestamp, span: Duration) -> Timestamp {
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

/// `namespace/name`, or the name alone of a cluster-scoped object.
pub(crate) fn shown(name: &ObjectName) -> String {
    if name.namespace.is_empty() {
        name.name.to_string()
    } else {
        format!("{}/{}", name.namespace, name.name)
    }
}
