//! What the migrator sees: the Kubernetes objects and the AWS state that its decisions read, as plain values.
//!
//! A view is built from watch events and from AWS polls, by a live cluster's watchers or by the simulator; the
//! decisions cannot tell which. Everything is ordered by name, so that equal views give equal decisions.

mod texts;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::api::core::v1 as core;
use serde::{Deserialize, Serialize};

pub use self::texts::{Content, Texts};
use crate::{action::Kind, journal::Journal, marks::Marks};

/// Namespace and name of a namespaced object; the namespace of a cluster-scoped one is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ObjectName {
    /// Namespace; empty for cluster-scoped objects.
    pub namespace: Arc<str>,
    /// Name within the namespace.
    pub name: Arc<str>,
}

/// Name of a Node.
pub type NodeName = Arc<str>;
/// Labels.
pub type StringMap = Arc<BTreeMap<String, String>>;

/// What every object carries.
#[derive(Debug, Clone)]
pub struct Meta {
    /// Namespace and name.
    pub name: ObjectName,
    /// Set by the API server, never reused.
    pub uid: Arc<str>,
    /// Version of the object that this view shows.
    pub resource_version: u64,
    /// Labels.
    pub labels: StringMap,
    /// Annotations, with the marks of a migration among them.
    pub annotations: Texts<Marks>,
    /// When the object was created.
    pub created_at: Timestamp,
    /// When its deletion was asked for, if it was.
    pub deleting: bool,
}

/// Everything a decision may read.
#[derive(Debug, Clone, Default)]
pub struct ClusterView {
    /// Nodes by name.
    pub nodes: BTreeMap<NodeName, Arc<Node>>,
    /// Pods by name.
    pub pods: BTreeMap<ObjectName, Arc<Pod>>,
    /// Deployments by name.
    pub deployments: BTreeMap<ObjectName, Arc<Deployment>>,
    /// ReplicaSets by name.
    pub replica_sets: BTreeMap<ObjectName, Arc<ReplicaSet>>,
    /// StatefulSets by name.
    pub stateful_sets: BTreeMap<ObjectName, Arc<StatefulSet>>,
    /// DaemonSets by name.
    pub daemon_sets: BTreeMap<ObjectName, Arc<DaemonSet>>,
    /// HorizontalPodAutoscalers by name.
    pub horizontal_pod_autoscalers: BTreeMap<ObjectName, Arc<HorizontalPodAutoscaler>>,
    /// PodDisruptionBudgets by name.
    pub disruption_budgets: BTreeMap<ObjectName, Arc<DisruptionBudget>>,
    /// Services by name.
    pub services: BTreeMap<ObjectName, Arc<Service>>,
    /// ResourceQuotas by name.
    pub resource_quotas: BTreeMap<ObjectName, Arc<ResourceQuota>>,
    /// PersistentVolumeClaims by name: access modes and the zone of the bound volume.
    pub volume_claims: BTreeMap<ObjectName, Arc<VolumeClaim>>,
    /// The migration's journal (a ConfigMap in `kube-system`), as text by key, if there is one.
    pub journal: Option<Arc<JournalObject>>,
    /// The migration's lock (a Lease in `kube-system`), if there is one.
    pub lease: Option<Arc<Lease>>,
    /// Namespaces, custom resources and kinds that only findings look at: how many objects of each API kind exist
    /// (`karpenter.sh/NodePool` and the like).
    pub other_kinds: BTreeMap<String, u32>,
    /// VerticalPodAutoscalers, by name, as they were when findings were looked for; nothing else looks at them.
    pub vertical_pod_autoscalers: BTreeMap<ObjectName, VerticalPodAutoscaler>,
    /// `mapRoles` of the ConfigMap `kube-system/aws-auth`, as it was when findings were looked for; `None` where there is
    /// none or it may not be read.
    pub mapped_roles: Option<Arc<str>>,
    /// The AWS side, as last polled.
    pub aws: Arc<AwsView>,
}

impl ClusterView {
    /// What an object of a kind that is patched carries, if there is one of that name.
    pub fn meta(&self, kind: Kind, name: &ObjectName) -> Option<&Meta> {
        match kind {
            Kind::Node => self.nodes.get(&name.name).map(|object| &object.meta),
            Kind::Pod => self.pods.get(name).map(|object| &object.meta),
            Kind::Deployment => self.deployments.get(name).map(|object| &object.meta),
            Kind::ReplicaSet => self.replica_sets.get(name).map(|object| &object.meta),
            Kind::StatefulSet => self.stateful_sets.get(name).map(|object| &object.meta),
            Kind::DaemonSet => self.daemon_sets.get(name).map(|object| &object.meta),
            Kind::HorizontalPodAutoscaler => {
                self.horizontal_pod_autoscalers.get(name).map(|object| &object.meta)
            }
        }
    }
}

/// A Node.
#[derive(Debug, Clone)]
pub struct Node {
    /// Metadata.
    pub meta: Meta,
    /// `spec.providerID`.
    pub provider_id: Option<Arc<str>>,
    /// Taints, in the order of the object.
    pub taints: Arc<Vec<core::Taint>>,
    /// `spec.unschedulable`: cordoned.
    pub unschedulable: bool,
    /// Condition Ready is True.
    pub ready: bool,
    /// Label `topology.kubernetes.io/zone`.
    pub zone: Option<Arc<str>>,
    /// Label `eks.amazonaws.com/nodegroup`.
    pub node_group: Option<Arc<str>>,
    /// Allocatable resources.
    pub allocatable: Resources,
    /// `status.nodeInfo.kubeletVersion`.
    pub kubelet_version: Arc<str>,
}

/// Resources of a node, or requests of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resources {
    /// CPU in thousandths of a core.
    pub cpu_milli: u64,
    /// Memory in bytes.
    pub memory: u64,
    /// Number of pods.
    pub pods: u64,
}

/// The kind of an object's controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnerKind {
    /// `apps/v1` ReplicaSet.
    ReplicaSet,
    /// `apps/v1` StatefulSet.
    StatefulSet,
    /// `apps/v1` DaemonSet.
    DaemonSet,
    /// `batch/v1` Job.
    Job,
    /// `v1` Node: a mirror pod.
    Node,
    /// Anything else.
    Other,
}

/// The controlling owner of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Kind of the controller.
    pub kind: OwnerKind,
    /// Its name (same namespace).
    pub name: Arc<str>,
    /// Its uid.
    pub uid: Arc<str>,
}

/// Phase of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PodPhase {
    /// Not all containers have started.
    Pending,
    /// At least one container runs.
    Running,
    /// All containers exited with 0.
    Succeeded,
    /// At least one container failed.
    Failed,
    /// The node cannot be reached.
    Unknown,
}

/// A Pod.
#[derive(Debug, Clone)]
pub struct Pod {
    /// Metadata.
    pub meta: Meta,
    /// Controlling owner.
    pub owner: Option<Owner>,
    /// Node it is bound to.
    pub node: Option<NodeName>,
    /// `status.podIP`: what an ip target is named by.
    pub ip: Option<Arc<str>>,
    /// Phase.
    pub phase: PodPhase,
    /// Since when condition Ready is True; `None` while it is not.
    pub ready_since: Option<Timestamp>,
    /// Why the scheduler could not place it, while it could not.
    pub unschedulable: Option<Arc<str>>,
    /// What does not change during its life.
    pub spec: Arc<PodSpec>,
}

impl Pod {
    /// Neither finished nor terminating: counts for its controller.
    pub fn is_active(&self) -> bool {
        !self.meta.deleting && !matches!(self.phase, PodPhase::Succeeded | PodPhase::Failed)
    }

    /// Active and Ready.
    pub fn is_ready(&self) -> bool {
        self.is_active() && self.ready_since.is_some()
    }
}

/// What a migration reads of a pod's specification (or of a workload's template).
#[derive(Debug, Clone)]
pub struct PodSpec {
    /// The whole specification.
    pub kubernetes: Arc<core::PodSpec>,
    /// Sum of requests, init containers and overhead included as the scheduler does.
    pub requests: Resources,
    /// `terminationGracePeriodSeconds`, default 30 s.
    pub grace_period: Duration,
    /// How long the longest preStop hook is known to run (a `sleep` handler, or an exec of `sleep N`); `None` where a
    /// hook exists whose length cannot be told; zero without a hook.
    pub pre_stop: Option<Duration>,
    /// Whether a blanket or matching toleration lets it come back to a node with the migration's taint.
    pub tolerations: Vec<core::Toleration>,
    /// Claims it mounts.
    pub volume_claims: Vec<Arc<str>>,
}

/// A Deployment.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// Metadata.
    pub meta: Meta,
    /// `spec.replicas`.
    pub replicas: u32,
    /// `spec.selector`.
    pub selector: Arc<k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector>,
    /// Pod template's labels.
    pub template_labels: StringMap,
    /// Pod template's specification.
    pub template: Arc<PodSpec>,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// `status.replicas`.
    pub status_replicas: u32,
    /// `status.readyReplicas`.
    pub ready_replicas: u32,
    /// `status.updatedReplicas`.
    pub updated_replicas: u32,
    /// `spec.paused`.
    pub paused: bool,
    /// `spec.strategy.type` is Recreate.
    pub recreate: bool,
    /// `spec.strategy.rollingUpdate.maxSurge` as written (`1`, `25%`); its default for other strategies.
    pub max_surge: Arc<str>,
    /// Who manages `spec.replicas`, as `metadata.managedFields` names them; none where these were not exported.
    pub replicas_managers: Arc<[Arc<str>]>,
}

/// A ReplicaSet.
#[derive(Debug, Clone)]
pub struct ReplicaSet {
    /// Metadata.
    pub meta: Meta,
    /// Controlling owner (a Deployment has kind `Other`, name and uid).
    pub owner: Option<Owner>,
    /// `spec.replicas`.
    pub replicas: u32,
    /// `status.replicas`.
    pub status_replicas: u32,
}

/// A StatefulSet.
#[derive(Debug, Clone)]
pub struct StatefulSet {
    /// Metadata.
    pub meta: Meta,
    /// `spec.replicas`.
    pub replicas: u32,
    /// Pod template's labels.
    pub template_labels: StringMap,
    /// Pod template's specification.
    pub template: Arc<PodSpec>,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`.
    pub observed_generation: i64,
    /// `status.readyReplicas`.
    pub ready_replicas: u32,
    /// `spec.podManagementPolicy` is Parallel.
    pub parallel: bool,
    /// It has volumeClaimTemplates.
    pub has_volumes: bool,
}

/// A DaemonSet.
#[derive(Debug, Clone)]
pub struct DaemonSet {
    /// Metadata.
    pub meta: Meta,
    /// Pod template's labels.
    pub template_labels: StringMap,
    /// Pod template's specification.
    pub template: Arc<PodSpec>,
}

/// A HorizontalPodAutoscaler.
#[derive(Debug, Clone)]
pub struct HorizontalPodAutoscaler {
    /// Metadata.
    pub meta: Meta,
    /// Kind and name of `spec.scaleTargetRef`.
    pub target: (Arc<str>, Arc<str>),
    /// `spec.minReplicas`, default 1.
    pub min: u32,
    /// `spec.maxReplicas`.
    pub max: u32,
    /// Owned by a KEDA ScaledObject.
    pub keda: bool,
}

/// A VerticalPodAutoscaler, as far as it may move pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerticalPodAutoscaler {
    /// Kind and name of `spec.targetRef`.
    pub target: (Arc<str>, Arc<str>),
    /// `spec.updatePolicy.updateMode`; absent means `Recreate`.
    pub mode: Arc<str>,
}

/// A PodDisruptionBudget.
#[derive(Debug, Clone)]
pub struct DisruptionBudget {
    /// Metadata.
    pub meta: Meta,
    /// `spec.selector`; one that is absent has become one that selects nothing.
    pub selector: Arc<k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector>,
    /// `spec.minAvailable` as written (`2`, `50%`).
    pub min_available: Option<Arc<str>>,
    /// `spec.maxUnavailable` as written.
    pub max_unavailable: Option<Arc<str>>,
    /// `status.disruptionsAllowed`.
    pub disruptions_allowed: i32,
    /// `status.desiredHealthy`.
    pub desired_healthy: i32,
}

/// A Service.
#[derive(Debug, Clone)]
pub struct Service {
    /// Metadata.
    pub meta: Meta,
    /// `spec.type` is LoadBalancer.
    pub load_balancer: bool,
    /// `spec.loadBalancerClass`.
    pub load_balancer_class: Option<Arc<str>>,
    /// `spec.externalTrafficPolicy` is Local.
    pub local: bool,
    /// `spec.selector`; empty selects nothing.
    pub selector: StringMap,
    /// Hostname in `status.loadBalancer.ingress`.
    pub hostname: Option<Arc<str>>,
}

/// A ResourceQuota, as far as it can stop a surge.
#[derive(Debug, Clone)]
pub struct ResourceQuota {
    /// Metadata.
    pub meta: Meta,
    /// `spec.hard` and `status.used` by resource name, in the smallest unit (pods, thousandths of a core, bytes).
    pub hard_and_used: BTreeMap<String, (u64, u64)>,
}

/// A PersistentVolumeClaim with what its volume says.
#[derive(Debug, Clone)]
pub struct VolumeClaim {
    /// Metadata.
    pub meta: Meta,
    /// Only one node may mount it (ReadWriteOnce or ReadWriteOncePod).
    pub single_node: bool,
    /// Zones that the bound volume's node affinity allows; empty where it says nothing.
    pub zones: Vec<Arc<str>>,
}

/// The journal object as stored.
#[derive(Debug, Clone)]
pub struct JournalObject {
    /// Metadata.
    pub meta: Meta,
    /// `data` of the ConfigMap.
    pub data: Texts<Journal>,
}

/// The lock.
#[derive(Debug, Clone)]
pub struct Lease {
    /// Metadata.
    pub meta: Meta,
    /// Who holds it; empty once released.
    pub holder: Arc<str>,
    /// How long it lasts without renewal.
    pub duration: Duration,
    /// When it was last renewed, by the holder's clock.
    pub renewed_at: Timestamp,
    /// When this version of it was first seen, by our own clock: a holder that is silent is timed out from here,
    /// because clocks of two machines are never compared.
    pub seen_at: Timestamp,
}

/// The AWS side, as last polled.
#[derive(Debug, Clone, Default)]
pub struct AwsView {
    /// When the poll was answered; `None` before the first.
    pub polled_at: Option<Timestamp>,
    /// Kubernetes version of the EKS cluster (`1.36`).
    pub cluster_version: Arc<str>,
    /// Where EKS looks up who a caller is: `CONFIG_MAP`, `API` or `API_AND_CONFIG_MAP`; empty where it does not say.
    pub authentication: Arc<str>,
    /// IAM principals of the cluster's access entries; `None` where they may not be listed.
    pub access_entries: Option<BTreeSet<Arc<str>>>,
    /// EKS managed node groups by name.
    pub node_groups: BTreeMap<Arc<str>, Arc<NodeGroup>>,
    /// Auto Scaling groups by name.
    pub auto_scaling_groups: BTreeMap<Arc<str>, Arc<AutoScalingGroup>>,
    /// Launch templates by name: their tags.
    pub launch_templates: BTreeMap<Arc<str>, BTreeMap<String, String>>,
    /// Target groups of the cluster's load balancers, by ARN.
    pub target_groups: BTreeMap<Arc<str>, Arc<TargetGroup>>,
    /// Subnets by id.
    pub subnets: BTreeMap<Arc<str>, Subnet>,
}

/// A subnet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// Availability zone.
    pub zone: Arc<str>,
    /// Free IPv4 addresses.
    pub available_addresses: u64,
}

/// Status of an EKS managed node group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the EKS API's own")]
pub enum NodeGroupStatus {
    Creating,
    Active,
    Updating,
    Deleting,
    CreateFailed,
    DeleteFailed,
    Degraded,
}

/// Bounds of a group of instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Fewest instances.
    pub min: u32,
    /// Most instances.
    pub max: u32,
    /// Instances wanted now.
    pub desired: u32,
}

/// An EKS managed node group.
#[derive(Debug, Clone)]
pub struct NodeGroup {
    /// Name within the cluster.
    pub name: Arc<str>,
    /// Status.
    pub status: NodeGroupStatus,
    /// `scalingConfig`.
    pub bounds: Bounds,
    /// Instance types.
    pub instance_types: Vec<Arc<str>>,
    /// AMI type (`AL2023_x86_64_STANDARD`).
    pub ami_type: Arc<str>,
    /// Kubernetes version.
    pub version: Arc<str>,
    /// Node role ARN.
    pub node_role: Arc<str>,
    /// Subnet ids.
    pub subnets: Vec<Arc<str>>,
    /// Labels that EKS puts on the nodes.
    pub labels: BTreeMap<String, String>,
    /// Taints that EKS puts on the nodes (effects in the EKS spelling, `NO_SCHEDULE`).
    pub taints: Vec<EksTaint>,
    /// Tags of the group.
    pub tags: BTreeMap<String, String>,
    /// Its Auto Scaling group.
    pub auto_scaling_group: Option<Arc<str>>,
    /// Capacity type (`ON_DEMAND`, `SPOT`).
    pub capacity_type: Arc<str>,
    /// Node auto repair is enabled.
    pub repair: bool,
    /// Health issue codes.
    pub issues: Vec<Arc<str>>,
}

/// A taint in the EKS API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EksTaint {
    /// Key.
    pub key: Arc<str>,
    /// Value.
    pub value: Arc<str>,
    /// `NO_SCHEDULE`, `NO_EXECUTE` or `PREFER_NO_SCHEDULE`.
    pub effect: Arc<str>,
}

/// An Auto Scaling group.
#[derive(Debug, Clone)]
pub struct AutoScalingGroup {
    /// Name.
    pub name: Arc<str>,
    /// Bounds.
    pub bounds: Bounds,
    /// Suspended processes.
    pub suspended: Vec<Arc<str>>,
    /// Instances with zone and lifecycle state (`InService`).
    pub instances: Vec<(Arc<str>, Arc<str>, Arc<str>)>,
}

/// Health state of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are the ELBv2 API's own")]
pub enum TargetState {
    Initial,
    Healthy,
    Unhealthy,
    UnhealthyDraining,
    Draining,
    Unused,
    Unavailable,
}

/// What a target is named by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetId {
    /// An EC2 instance id.
    Instance(Arc<str>),
    /// An IP address (of a pod).
    Ip(Arc<str>),
}

/// A target in a target group, as `DescribeTargetHealth` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Which.
    pub id: TargetId,
    /// Availability zone.
    pub zone: Arc<str>,
    /// State.
    pub state: TargetState,
}

/// A target group behind a Network Load Balancer of the cluster.
#[derive(Debug, Clone)]
pub struct TargetGroup {
    /// ARN.
    pub arn: Arc<str>,
    /// Service that it serves.
    pub service: ObjectName,
    /// Kind of load balancer: a Classic one has no target groups and is only a finding.
    pub classic: bool,
    /// Targets are pods (ip) rather than instances.
    pub ip_targets: bool,
    /// The AWS Load Balancer Controller (rather than the cloud controller manager) owns it.
    pub load_balancer_controller: bool,
    /// Cross-zone load balancing is in force for it.
    pub cross_zone: bool,
    /// Idle timeout of the listener.
    pub idle_timeout: Duration,
    /// `deregistration_delay.timeout_seconds`.
    pub deregistration_delay: Duration,
    /// `deregistration_delay.connection_termination.enabled`.
    pub deregistration_cuts: bool,
    /// `target_health_state.unhealthy.connection_termination.enabled`.
    pub unhealthy_cuts: bool,
    /// `target_health_state.unhealthy.draining_interval_seconds`.
    pub unhealthy_draining_interval: Duration,
    /// Annotation `aws-load-balancer-target-node-labels` on the Service, if any.
    pub target_node_labels: Option<Arc<str>>,
    /// Attributes differ from what the Service's annotations imply: the controller will rewrite or replace the group.
    pub drifted: bool,
    /// Targets.
    pub targets: Vec<Target>,
}
