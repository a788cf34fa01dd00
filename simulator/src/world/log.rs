//! The causal log: what happened, when, and because of which earlier entry. Text is made when somebody asks.

use super::{
    Time,
    ids::{EntryId, GroupId, InstanceId, NodeId, PodId, RequestId, ServiceId, TargetGroupId},
};
use crate::chance;

/// No cause: the start of the run.
pub const START: EntryId = EntryId(0);

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// The run itself.
    Run,
    /// A client of the API servers.
    Request(RequestId),
    /// A pod.
    Pod(PodId),
    /// A node.
    Node(NodeId),
    /// An instance.
    Instance(InstanceId),
    /// A node group.
    Group(GroupId),
    /// A target, by target group and index.
    Target(TargetGroupId, u32),
    /// A Service.
    Service(ServiceId),
    /// Any other object, by kind and id.
    Object(ObjectKind, u32),
}

/// Kinds of objects that have no subject of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub enum ObjectKind {
    Deployment,
    ReplicaSet,
    HorizontalPodAutoscaler,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "told in words by `World::describe`")]
pub enum What {
    Started,
    Requested,
    Refused,
    Scaled { from: u32, to: u32 },
    BoundsSet { min: u32, max: u32 },
    Created,
    Deleted,
    DeletionRequested { grace: Time },
    Evicted,
    Scheduled(NodeId),
    Unschedulable,
    ContainersStarted,
    Ready,
    NotReady,
    Signalled,
    Exited,
    Killed,
    Removed,
    Registered,
    Labelled,
    Tainted,
    Cordoned,
    Uncordoned,
    Launched,
    Running,
    Terminating,
    Gone,
    Creating,
    Active,
    Updated,
    Deleting,
    DrainCapReached,
    EndpointsChanged { ready: u32, terminating: u32 },
    TargetInitial,
    TargetHealthy,
    TargetUnhealthy,
    TargetDraining,
    TargetUnused,
    Unneeded,
    ScaledByAutoscaler { to: u32 },
    Rebalanced,
    NodeSilent,
    OrphanCollected,
}

/// One entry.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// When, in milliseconds since the start of the run.
    pub at: Time,
    /// Because of what.
    pub cause: EntryId,
    /// To whom.
    pub subject: Subject,
    /// What.
    pub what: What,
}

/// The log and the digest of everything that happened.
#[derive(Debug, Clone)]
pub(super) struct Log {
    entries: Vec<Entry>,
    digest: [u64; 2],
}

impl Default for Log {
    fn default() -> Self {
        let start = Entry { at: 0, cause: START, subject: Subject::Run, what: What::Started };
        Log { entries: vec![start], digest: [0x6e6f_6465, 0x0066_6572_7279] }
    }
}

impl Log {
    pub(super) fn push(&mut self, entry: Entry) -> EntryId {
        let (a, b) = words(entry.subject);
        let (c, d) = told(entry.what);
        self.absorb(entry.at ^ (u64::from(entry.cause.0) << 40));
        self.absorb(a ^ (b << 8) ^ (c << 40));
        self.absorb(d);
        self.entries.push(entry);
        EntryId::from(self.entries.len() - 1)
    }

    pub(super) fn absorb(&mut self, word: u64) {
        self.digest[0] = chance::mix(self.digest[0] ^ word);
        self.digest[1] = self.digest[1].rotate_left(23).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ word;
    }

    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn digest(&self) -> u128 {
        (u128::from(self.digest[0]) << 64) | u128::from(chance::mix(self.digest[1]))
    }
}

fn words(subject: Subject) -> (u64, u64) {
    match subject {
        Subject::Run => (0, 0),
        Subject::Request(id) => (1, u64::from(id.0)),
        Subject::Pod(id) => (2, u64::from(id.0)),
        Subject::Node(id) => (3, u64::from(id.0)),
        Subject::Instance(id) => (4, u64::from(id.0)),
        Subject::Group(id) => (5, u64::from(id.0)),
        Subject::Target(group, index) => (6, (u64::from(group.0) << 24) ^ u64::from(index)),
        Subject::Service(id) => (7, u64::from(id.0)),
        Subject::Object(kind, id) => (8 + kind as u64, u64::from(id)),
    }
}

fn told(what: What) -> (u64, u64) {
    let payload = match what {
        What::Scaled { from, to } => (u64::from(from) << 32) | u64::from(to),
        What::BoundsSet { min, max } => (u64::from(min) << 32) | u64::from(max),
        What::DeletionRequested { grace } => grace,
        What::Scheduled(node) => u64::from(node.0),
        What::EndpointsChanged { ready, terminating } => (u64::from(ready) << 32) | u64::from(terminating),
        What::ScaledByAutoscaler { to } => u64::from(to),
        _ => 0,
    };
    (discriminant(what), payload)
}

fn discriminant(what: What) -> u64 {
    // The order of the variants above is part of the digest; new ones go to the end.
    match what {
        What::Started => 0,
        What::Requested => 1,
        What::Refused => 2,
        What::Scaled { .. } => 4,
        What::BoundsSet { .. } => 5,
        What::Created => 6,
        What::Deleted => 7,
        What::DeletionRequested { .. } => 8,
        What::Evicted => 9,
        What::Scheduled(_) => 10,
        What::Unschedulable => 11,
        What::ContainersStarted => 12,
        What::Ready => 13,
        What::NotReady => 14,
        What::Signalled => 15,
        What::Exited => 16,
        What::Killed => 17,
        What::Removed => 18,
        What::Registered => 19,
        What::Labelled => 20,
        What::Tainted => 21,
        What::Cordoned => 22,
        What::Uncordoned => 23,
        What::Launched => 24,
        What::Running => 25,
        What::Terminating => 26,
        What::Gone => 27,
        What::Creating => 28,
        What::Active => 29,
        What::Updated => 30,
        What::Deleting => 31,
        What::DrainCapReached => 32,
        What::EndpointsChanged { .. } => 33,
        What::TargetInitial => 34,
        What::TargetHealthy => 35,
        What::TargetUnhealthy => 36,
        What::TargetDraining => 37,
        What::TargetUnused => 38,
        What::Unneeded => 39,
        What::ScaledByAutoscaler { .. } => 40,
        What::Rebalanced => 41,
        What::NodeSilent => 42,
        What::OrphanCollected => 43,
    }
}
