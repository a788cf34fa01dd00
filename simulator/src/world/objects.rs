//! The API objects as the world keeps them: what changes during a run as plain fields, what does not as a shared
//! [`Body`] that is rendered only when somebody reads it.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::core::v1 as core;

use super::{
    Instant, Time,
    ids::{
        DaemonSetId, DeploymentId, InstanceId, JobId, LabelsId, NodeId, PodId, ReplicaSetId, SpecId,
        StatefulSetId,
    },
    store::ObjectId,
};
pub use crate::controllers::PodPhase as Phase;
use crate::{controllers::horizontal_pod_autoscaler::Behavior, import::RawObject};

/// Labels or annotations.
pub type StringMap = Arc<BTreeMap<String, String>>;

/// What every object carries.
#[derive(Debug, Clone)]
pub struct Meta {
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: Arc<str>,
    /// Name.
    pub name: Arc<str>,
    /// Unique id.
    pub uid: Arc<str>,
    /// Version of this state.
    pub resource_version: u64,
    /// Rises with every change of the specification.
    pub generation: i64,
    /// Labels.
    pub labels: StringMap,
    /// Annotations.
    pub annotations: StringMap,
    /// Creation, before or during the run.
    pub created_at: Instant,
    /// `metadata.deletionTimestamp`: when a graceful deletion ends at the latest.
    pub deletion_at: Option<Time>,
    /// What of the object never changes.
    pub body: Body,
}

/// Where the unchanging part of an object comes from.
#[derive(Debug, Clone)]
pub enum Body {
    /// The text that was imported.
    Imported(RawObject),
    /// The object as it was last written through the API.
    Written(Arc<serde_json::Value>),
    /// Made during the run.
    Made,
}

impl Meta {
    /// Kind and name of its controlling owner, as its text has them: also of one that is not simulated or not exported.
    /// `None` for what was made during the run, whose owner is simulated.
    pub fn controller(&self) -> Option<(String, String)> {
        let read = |object: &serde_json::Value| {
            let owners = object.get("metadata")?.get("ownerReferences")?.as_array()?;
            let owner = owners
                .iter()
                .find(|owner| owner.get("controller").and_then(serde_json::Value::as_bool) == Some(true))?;
            Some((owner.get("kind")?.as_str()?.to_owned(), owner.get("name")?.as_str()?.to_owned()))
        };
        match &self.body {
            Body::Imported(raw) => read(&raw.value()),
            Body::Written(object) => read(object),
            Body::Made => None,
        }
    }
}

/// A Node.
#[derive(Debug, Clone)]
pub struct Node {
    /// Metadata.
    pub meta: Meta,
    /// EC2 instance, where the providerID named one.
    pub instance: Option<InstanceId>,
    /// `spec.providerID`.
    pub provider_id: Option<Arc<str>>,
    /// Taints.
    pub taints: Arc<Vec<core::Taint>>,
    /// Cordoned.
    pub unschedulable: bool,
    /// Condition Ready.
    pub ready: ReadyCondition,
    /// Zone label.
    pub zone: Arc<str>,
    /// Node group label.
    pub node_group: Option<Arc<str>>,
    /// Allocatable CPU in thousandths of a core.
    pub cpu_milli: i64,
    /// Allocatable memory in bytes.
    pub memory: i64,
    /// Allocatable pods.
    pub pods: i64,
    /// Kubelet version.
    pub kubelet_version: Arc<str>,
}

/// Status of a node's condition Ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the API's own")]
pub enum ReadyCondition {
    True,
    False,
    Unknown,
}

/// Who controls a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodOwner {
    /// A ReplicaSet.
    ReplicaSet(ReplicaSetId),
    /// A StatefulSet, with the pod's ordinal.
    StatefulSet(StatefulSetId, u32),
    /// A DaemonSet.
    DaemonSet(DaemonSetId),
    /// A Job.
    Job(JobId),
    /// A Node: a mirror pod of a static one.
    Node,
    /// A kind that the world does not run.
    Unknown,
    /// Nobody: a bare pod.
    Nobody,
}

impl PodOwner {
    /// The controller, if the world runs it.
    pub(super) fn object(self) -> Option<ObjectId> {
        match self {
            PodOwner::ReplicaSet(id) => Some(ObjectId::ReplicaSet(id)),
            PodOwner::StatefulSet(id, _) => Some(ObjectId::StatefulSet(id)),
            PodOwner::DaemonSet(id) => Some(ObjectId::DaemonSet(id)),
            PodOwner::Job(id) => Some(ObjectId::Job(id)),
            PodOwner::Node | PodOwner::Unknown | PodOwner::Nobody => None,
        }
    }
}

/// A Pod.
#[derive(Debug, Clone)]
pub struct Pod {
    /// Metadata.
    pub meta: Meta,
    /// Its label set.
    pub labels: LabelsId,
    /// Controller.
    pub owner: PodOwner,
    /// Specification, shared between the pods of a template.
    pub spec: SpecId,
    /// Node it is bound to.
    pub node: Option<NodeId>,
    /// Phase.
    pub phase: Phase,
    /// Condition Ready.
    pub ready: bool,
    /// When Ready last changed.
    pub ready_at: Instant,
    /// IPv4 address, 0 while it has none.
    pub ip: u32,
    /// Container restarts.
    pub restarts: u32,
    /// Grace period in force once it terminates, in milliseconds.
    pub grace: Time,
    /// Condition DisruptionTarget is True.
    pub disrupted: bool,
    /// Why the scheduler could not place it.
    pub unschedulable: Option<Arc<str>>,
}

impl Pod {
    /// `metadata.deletionTimestamp` is set.
    pub fn terminating(&self) -> bool {
        self.meta.deletion_at.is_some()
    }

    /// Succeeded or Failed.
    pub fn finished(&self) -> bool {
        matches!(self.phase, Phase::Succeeded | Phase::Failed)
    }

    /// Counts for its controller.
    pub fn active(&self) -> bool {
        !self.terminating() && !self.finished()
    }
}

/// A Deployment.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Metadata.
    pub meta: Meta,
    /// `spec.replicas`.
    pub replicas: u32,
    /// Selector.
    pub selector: Arc<k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector>,
    /// Template's specification.
    pub spec: SpecId,
    /// Template's labels.
    pub template_labels: StringMap,
    /// `maxSurge` as written.
    pub max_surge: Arc<str>,
    /// `maxUnavailable` as written.
    pub max_unavailable: Arc<str>,
    /// Strategy Recreate.
    pub recreate: bool,
    /// Paused.
    pub paused: bool,
    /// Status.
    pub status: WorkloadStatus,
}

/// Counts in a workload's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WorkloadStatus {
    /// `observedGeneration`.
    pub observed_generation: i64,
    /// `replicas`.
    pub replicas: u32,
    /// `readyReplicas`.
    pub ready: u32,
    /// `availableReplicas`.
    pub available: u32,
    /// `updatedReplicas`.
    pub updated: u32,
}

/// A ReplicaSet.
#[derive(Debug, Clone)]
pub struct ReplicaSet {
    /// Metadata.
    pub meta: Meta,
    /// Its Deployment, if it has one.
    pub deployment: Option<DeploymentId>,
    /// `spec.replicas`.
    pub replicas: u32,
    /// Template's specification.
    pub spec: SpecId,
    /// Template's labels, `pod-template-hash` included.
    pub template_labels: StringMap,
    /// Template's annotations, of one that was made during the run.
    pub template_annotations: Option<StringMap>,
    /// `spec.minReadySeconds` in milliseconds.
    pub min_ready: Time,
    /// Status.
    pub status: WorkloadStatus,
}

/// A StatefulSet.
#[derive(Debug, Clone)]
pub struct StatefulSet {
    /// Metadata.
    pub meta: Meta,
    /// `spec.replicas`.
    pub replicas: u32,
    /// Template's specification.
    pub spec: SpecId,
    /// Template's labels.
    pub template_labels: StringMap,
    /// Pod management policy Parallel.
    pub parallel: bool,
    /// Names of the volume claim templates.
    pub volume_claims: Arc<Vec<String>>,
    /// Status.
    pub status: WorkloadStatus,
}

/// A DaemonSet.
#[derive(Debug, Clone)]
pub struct DaemonSet {
    /// Metadata.
    pub meta: Meta,
    /// Template's specification.
    pub spec: SpecId,
    /// Template's labels.
    pub template_labels: StringMap,
    /// Status: ready pods.
    pub ready: u32,
}

/// A Job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Metadata.
    pub meta: Meta,
    /// Template's specification.
    pub spec: SpecId,
    /// Template's labels.
    pub template_labels: StringMap,
    /// `spec.parallelism`.
    pub parallelism: u32,
    /// `spec.completions`.
    pub completions: u32,
    /// `spec.backoffLimit`.
    pub backoff_limit: u32,
    /// Pods that succeeded.
    pub succeeded: u32,
    /// Pods that failed.
    pub failed: u32,
}

/// A HorizontalPodAutoscaler.
#[derive(Debug, Clone)]
pub struct HorizontalPodAutoscaler {
    /// Metadata.
    pub meta: Meta,
    /// Kind and name of its target.
    pub target: (Arc<str>, Arc<str>),
    /// `spec.minReplicas`.
    pub min: u32,
    /// `spec.maxReplicas`.
    pub max: u32,
    /// Load in percent of a request times replicas, and the target per replica, where metrics worked at import.
    pub load: Option<(u64, u64)>,
    /// `spec.behavior`.
    pub behavior: Option<Arc<Behavior>>,
}

/// A PodDisruptionBudget.
#[derive(Debug, Clone)]
pub struct DisruptionBudget {
    /// Metadata.
    pub meta: Meta,
    /// Selector.
    pub selector: Arc<k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector>,
    /// `minAvailable` as written.
    pub min_available: Option<Arc<str>>,
    /// `maxUnavailable` as written.
    pub max_unavailable: Option<Arc<str>>,
    /// `unhealthyPodEvictionPolicy` AlwaysAllow.
    pub always_allow: bool,
    /// `status.observedGeneration`: until it is the newest, evictions are refused.
    pub observed_generation: i64,
    /// `status.disruptionsAllowed`.
    pub allowed: i32,
    /// `status.currentHealthy`.
    pub current_healthy: i32,
    /// `status.desiredHealthy`.
    pub desired_healthy: i32,
    /// `status.expectedPods`.
    pub expected: i32,
    /// Pods whose eviction was granted and is not seen yet, with the time of the grant.
    pub disrupted: Arc<Vec<(PodId, Time)>>,
}

/// A Service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Metadata.
    pub meta: Meta,
    /// Type LoadBalancer.
    pub load_balancer: bool,
    /// `spec.loadBalancerClass`.
    pub load_balancer_class: Option<Arc<str>>,
    /// External traffic policy Local.
    pub local: bool,
    /// Selector; empty selects nothing.
    pub selector: StringMap,
    /// `publishNotReadyAddresses`.
    pub publish_not_ready: bool,
    /// Hostname in the status.
    pub hostname: Option<Arc<str>>,
    /// Ports.
    pub ports: Arc<Vec<u16>>,
    /// Headless or without cluster IP.
    pub headless: bool,
}

/// A ConfigMap that was made during the run, or any other object that nothing in the world runs.
#[derive(Debug, Clone)]
pub struct Plain {
    /// Metadata.
    pub meta: Meta,
    /// API version and kind.
    pub kind: (Arc<str>, Arc<str>),
    /// `data` of a ConfigMap made during the run.
    pub data: Option<Arc<BTreeMap<String, String>>>,
}

/// A Lease.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Metadata.
    pub meta: Meta,
    /// Holder; empty when released.
    pub holder: Arc<str>,
    /// Duration in milliseconds.
    pub duration: Time,
    /// Last renewal.
    pub renewed_at: Instant,
}
