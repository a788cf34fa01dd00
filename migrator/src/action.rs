//! What a decision can ask for: steps, waits, and the writes that carry a migration out.
//!
//! A write to a Kubernetes object is one [`Patch`] with everything that must change together, so that a remembered
//! value (annotation `{was, set}`) never travels apart from the change that it remembers.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as core;
use serde::{Deserialize, Serialize};

use crate::{
    marks::EXCLUDE,
    view::{Bounds, EksTaint, ObjectName},
};

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "a step that is not carried out stalls the migration"]
pub enum Step {
    /// Carry these out, in any order; any subset may turn out to have happened.
    Act(Vec<Action>),
    /// Nothing to do until the view changes, or until this moment.
    Wait(Wait),
    /// The end.
    Finished(Outcome),
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    /// Look again at this moment even if nothing was seen to change; `None` where only a change can help.
    pub until: Option<Timestamp>,
    /// What is waited for.
    pub for_what: Reason,
    /// Whether AWS has to be asked, and how often.
    pub poll: Poll,
}

/// Why nothing is done: what is waited for, the value seen and the value wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Reason {
    /// Stable name of the phase that waits (`surge`, `admit`, `release`, `quiet` ...).
    pub phase: &'static str,
    /// What is waited for, as a phrase.
    pub what: String,
    /// Value seen.
    pub seen: String,
    /// Value wanted.
    pub wanted: String,
}

/// Whether AWS has to be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Poll {
    /// Watches suffice.
    Nothing,
    /// Describe the node groups and Auto Scaling groups this often.
    NodeGroups(Duration),
    /// Describe the target groups' health this often.
    Targets(Duration),
}

/// How a migration ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Every workload runs on the new group.
    Migrated,
    /// Everything is as it was before.
    RolledBack,
    /// Neither; the reason names what is in the way and what is left to do.
    Stopped(String),
}

/// A write. `phase` names the step of the migration that asks for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// Stable name of the step (`freeze-autoscaler`, `taint`, `surge-system` ...).
    pub phase: &'static str,
    /// What is written.
    pub write: Write,
}

/// The kinds of objects that are patched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub enum Kind {
    Node,
    Pod,
    Deployment,
    ReplicaSet,
    StatefulSet,
    DaemonSet,
    HorizontalPodAutoscaler,
}

/// One write to Kubernetes or to AWS.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are named for what they are in the object or call")]
pub enum Write {
    /// Creates the lock, takes it over, or renews it (`holder` stays) or releases it (`holder` empty). Fails with a
    /// conflict when the Lease is no longer at `resource_version` (`None`: must not exist).
    Lease { holder: Arc<str>, duration: Duration, resource_version: Option<u64> },
    /// Creates or replaces the journal object's data. Fails with a conflict when it is no longer at
    /// `resource_version` (`None`: must not exist).
    Journal { data: BTreeMap<String, String>, resource_version: Option<u64> },
    /// Changes one object, all fields in one request.
    Patch(Patch),
    /// Evicts a pod through the eviction subresource, with its own grace period.
    Evict { pod: ObjectName, uid: Arc<str> },
    /// Creates a launch template; idempotent by name and client token.
    CreateLaunchTemplate(LaunchTemplate),
    /// Deletes a launch template that we own.
    DeleteLaunchTemplate { name: Arc<str> },
    /// Creates a managed node group; idempotent by client token.
    CreateNodeGroup(NodeGroupRequest),
    /// Changes a group's bounds (EKS UpdateNodegroupConfig).
    UpdateNodeGroupBounds { group: Arc<str>, bounds: Bounds },
    /// Changes a group's taints (EKS UpdateNodegroupConfig).
    UpdateNodeGroupTaints { group: Arc<str>, add: Vec<EksTaint>, remove: Vec<EksTaint> },
    /// Deletes a managed node group: the point of no return.
    DeleteNodeGroup { group: Arc<str> },
    /// Suspends processes of an Auto Scaling group.
    SuspendProcesses { group: Arc<str>, processes: Vec<Arc<str>> },
    /// Resumes processes of an Auto Scaling group.
    ResumeProcesses { group: Arc<str>, processes: Vec<Arc<str>> },
}

impl Write {
    /// Whether it can be sent without taking effect: Kubernetes takes a dry run of every write, of AWS' calls only EC2's
    /// that names all that it needs.
    pub fn can_be_tried(&self) -> bool {
        !self.is_for_aws() || matches!(self, Write::CreateLaunchTemplate(_))
    }

    /// Whether it is sent to AWS rather than to Kubernetes.
    pub fn is_for_aws(&self) -> bool {
        match self {
            Write::Lease { .. } | Write::Journal { .. } | Write::Patch(_) | Write::Evict { .. } => false,
            Write::CreateLaunchTemplate(_)
            | Write::DeleteLaunchTemplate { .. }
            | Write::CreateNodeGroup(_)
            | Write::UpdateNodeGroupBounds { .. }
            | Write::UpdateNodeGroupTaints { .. }
            | Write::DeleteNodeGroup { .. }
            | Write::SuspendProcesses { .. }
            | Write::ResumeProcesses { .. } => true,
        }
    }

    /// Whether it may take something away that serves: a pod, a node's place behind a load balancer, instances.
    pub fn may_take(&self) -> bool {
        match self {
            Write::Patch(patch) => patch.changes.iter().any(|change| match change {
                Change::Replicas(_) | Change::ReplicaBounds { .. } => true,
                Change::Label(key, value) => key == EXCLUDE && value.is_some(),
                Change::Annotation(..) | Change::Taints(_) | Change::Unschedulable(_) => false,
            }),
            Write::Evict { .. } | Write::UpdateNodeGroupBounds { .. } | Write::DeleteNodeGroup { .. } => true,
            Write::Lease { .. }
            | Write::Journal { .. }
            | Write::CreateLaunchTemplate(_)
            | Write::DeleteLaunchTemplate { .. }
            | Write::CreateNodeGroup(_)
            | Write::UpdateNodeGroupTaints { .. }
            | Write::SuspendProcesses { .. }
            | Write::ResumeProcesses { .. } => false,
        }
    }
}

/// Changes of one object.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    /// Kind of the object.
    pub kind: Kind,
    /// Which one.
    pub object: ObjectName,
    /// Refuse if the object is another one by now.
    pub uid: Arc<str>,
    /// Refuse if the object has changed since (always sent with taints, which are an atomic list).
    pub resource_version: Option<u64>,
    /// What to change.
    pub changes: Vec<Change>,
}

/// One field of a patch.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are Kubernetes' own")]
pub enum Change {
    /// Sets a label, or removes it.
    Label(String, Option<String>),
    /// Sets an annotation, or removes it.
    Annotation(String, Option<String>),
    /// Sets `spec.replicas`.
    Replicas(u32),
    /// Replaces `spec.taints`.
    Taints(Vec<core::Taint>),
    /// Sets `spec.unschedulable`.
    Unschedulable(bool),
    /// Sets `spec.minReplicas` and `spec.maxReplicas` of an autoscaler.
    ReplicaBounds { min: u32, max: u32 },
}

/// A launch template of ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaunchTemplate {
    /// Name, derived from the plan id.
    pub name: Arc<str>,
    /// Client token, derived from the plan id.
    pub client_token: Arc<str>,
    /// Root volume type.
    pub volume_type: Arc<str>,
    /// Root volume size in GiB.
    pub volume_size: u32,
    /// Provisioned operations per second.
    pub volume_iops: u32,
    /// Throughput in MiB/s.
    pub volume_throughput: u32,
    /// Encrypted at rest.
    pub encrypted: bool,
    /// Deleted with the instance.
    pub delete_on_termination: bool,
    /// Tags of the template and of what it launches (instances, volumes, network interfaces).
    pub tags: BTreeMap<String, String>,
}

/// A managed node group to create.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeGroupRequest {
    /// Name.
    pub name: Arc<str>,
    /// Client token, derived from the plan id.
    pub client_token: Arc<str>,
    /// Bounds.
    pub bounds: Bounds,
    /// Instance types.
    pub instance_types: Vec<Arc<str>>,
    /// AMI type.
    pub ami_type: Arc<str>,
    /// Kubernetes version of the cluster.
    pub version: Arc<str>,
    /// Node role ARN.
    pub node_role: Arc<str>,
    /// Subnet ids.
    pub subnets: Vec<Arc<str>>,
    /// Capacity type.
    pub capacity_type: Arc<str>,
    /// Labels for the nodes.
    pub labels: BTreeMap<String, String>,
    /// Taints for the nodes.
    pub taints: Vec<EksTaint>,
    /// Launch template by name.
    pub launch_template: Option<Arc<str>>,
    /// Tags of the group.
    pub tags: BTreeMap<String, String>,
}

/// What became of a write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Done; Kubernetes says at which resourceVersion.
    Done(Option<u64>),
    /// Somebody else was faster (409): decide again.
    Conflict,
    /// Gone already (404).
    NotFound,
    /// Refused for now (429, throttling): try again after this long at the earliest.
    RetryLater(Duration),
    /// Refused for good, with the server's words.
    Refused(String),
    /// No answer came: whether it took effect has to be read before the next decision.
    Unknown,
}
