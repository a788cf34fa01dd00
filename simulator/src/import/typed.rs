//! Which kinds and versions are understood, and what they become.

use k8s_openapi::api::{
    apps::v1 as apps, autoscaling::v2 as autoscaling, batch::v1 as batch, coordination::v1 as coordination,
    core::v1 as core, discovery::v1 as discovery, policy::v1 as policy, scheduling::v1 as scheduling,
    storage::v1 as storage,
};
use serde::de::DeserializeOwned;

use super::header::Header;
use super::{ImportError, Item};

/// An object that the world simulates, or [`Typed::Other`]. Boxed, because their sizes differ tenfold and an export
/// holds many of the small ones.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant is the Kubernetes kind that it is named for")]
pub enum Typed {
    Node(Box<core::Node>),
    Pod(Box<core::Pod>),
    Service(Box<core::Service>),
    EndpointSlice(Box<discovery::EndpointSlice>),
    Deployment(Box<apps::Deployment>),
    ReplicaSet(Box<apps::ReplicaSet>),
    StatefulSet(Box<apps::StatefulSet>),
    DaemonSet(Box<apps::DaemonSet>),
    Job(Box<batch::Job>),
    HorizontalPodAutoscaler(Box<autoscaling::HorizontalPodAutoscaler>),
    PodDisruptionBudget(Box<policy::PodDisruptionBudget>),
    Namespace(Box<core::Namespace>),
    ResourceQuota(Box<core::ResourceQuota>),
    LimitRange(Box<core::LimitRange>),
    PersistentVolumeClaim(Box<core::PersistentVolumeClaim>),
    PersistentVolume(Box<core::PersistentVolume>),
    StorageClass(Box<storage::StorageClass>),
    ConfigMap(Box<core::ConfigMap>),
    Lease(Box<coordination::Lease>),
    PriorityClass(Box<scheduling::PriorityClass>),
    /// Any other kind, or another version of one of these: kept as text, not simulated.
    Other,
}

/// Every kind above: version, kind, whether it lives in a namespace.
const SIMULATED: [(&str, &str, bool); 20] = [
    ("v1", "Node", false),
    ("v1", "Pod", true),
    ("v1", "Service", true),
    ("discovery.k8s.io/v1", "EndpointSlice", true),
    ("apps/v1", "Deployment", true),
    ("apps/v1", "ReplicaSet", true),
    ("apps/v1", "StatefulSet", true),
    ("apps/v1", "DaemonSet", true),
    ("batch/v1", "Job", true),
    ("autoscaling/v2", "HorizontalPodAutoscaler", true),
    ("policy/v1", "PodDisruptionBudget", true),
    ("v1", "Namespace", false),
    ("v1", "ResourceQuota", true),
    ("v1", "LimitRange", true),
    ("v1", "PersistentVolumeClaim", true),
    ("v1", "PersistentVolume", false),
    ("storage.k8s.io/v1", "StorageClass", false),
    ("v1", "ConfigMap", true),
    ("coordination.k8s.io/v1", "Lease", true),
    ("scheduling.k8s.io/v1", "PriorityClass", false),
];

/// Kinds that say nothing without a `spec`, and would run nothing.
const SPECIFIED: [&str; 6] =
    ["Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "HorizontalPodAutoscaler"];

/// Groups that once served one of these kinds and no longer do; their objects are the same ones under an older name.
const FORMER_GROUPS: [&str; 1] = ["extensions"];

fn entry(api_version: &str, kind: &str) -> Option<&'static (&'static str, &'static str, bool)> {
    SIMULATED.iter().find(|(version, name, _)| *version == api_version && *name == kind)
}

pub(super) fn is_simulated(api_version: &str, kind: &str) -> bool {
    entry(api_version, kind).is_some()
}

/// Says whether this is a version that we do not read of a kind that we do read in another. The group must agree: a
/// `Service` of Knative is no `Service` of Kubernetes.
pub(super) fn is_simulated_in_another_version(api_version: &str, kind: &str) -> bool {
    let group = group_of(api_version);
    !is_simulated(api_version, kind)
        && SIMULATED.iter().any(|(version, name, _)| {
            *name == kind && (group_of(version) == group || FORMER_GROUPS.contains(&group))
        })
}

fn group_of(api_version: &str) -> &str {
    api_version.rsplit_once('/').map_or("", |(group, _)| group)
}

/// Parses the object if its kind is simulated.
pub(super) fn parse(item: &Item<'_>, header: &Header) -> Result<Typed, ImportError> {
    let Some(&(api_version, kind, namespaced)) = entry(&header.api_version, &header.kind) else {
        return Ok(Typed::Other);
    };
    if namespaced && header.namespace.is_none() {
        return Err(ImportError::Shape {
            place: item.place.clone().into(),
            what: format!("{header} has no metadata.namespace"),
            mend: "add it (`default`, if kubectl would have used that)",
        });
    }
    if SPECIFIED.contains(&kind) && !header.specified {
        return Err(ImportError::Shape {
            place: item.place.clone().into(),
            what: format!("{header} has no spec"),
            mend: "give whole objects, as `kubectl get -o yaml` prints them",
        });
    }
    Ok(match (api_version, kind) {
        (_, "Node") => Typed::Node(object(item, header)?),
        (_, "Pod") => Typed::Pod(object(item, header)?),
        (_, "Service") => Typed::Service(object(item, header)?),
        (_, "EndpointSlice") => Typed::EndpointSlice(object(item, header)?),
        (_, "Deployment") => Typed::Deployment(object(item, header)?),
        (_, "ReplicaSet") => Typed::ReplicaSet(object(item, header)?),
        (_, "StatefulSet") => Typed::StatefulSet(object(item, header)?),
        (_, "DaemonSet") => Typed::DaemonSet(object(item, header)?),
        (_, "Job") => Typed::Job(object(item, header)?),
        (_, "HorizontalPodAutoscaler") => Typed::HorizontalPodAutoscaler(object(item, header)?),
        (_, "PodDisruptionBudget") => Typed::PodDisruptionBudget(object(item, header)?),
        (_, "Namespace") => Typed::Namespace(object(item, header)?),
        (_, "ResourceQuota") => Typed::ResourceQuota(object(item, header)?),
        (_, "LimitRange") => Typed::LimitRange(object(item, header)?),
        (_, "PersistentVolumeClaim") => Typed::PersistentVolumeClaim(object(item, header)?),
        (_, "PersistentVolume") => Typed::PersistentVolume(object(item, header)?),
        (_, "StorageClass") => Typed::StorageClass(object(item, header)?),
        (_, "ConfigMap") => Typed::ConfigMap(object(item, header)?),
        (_, "Lease") => Typed::Lease(object(item, header)?),
        (_, "PriorityClass") => Typed::PriorityClass(object(item, header)?),
        (version, kind) => {
            unreachable!("{version} {kind} is in the table of simulated kinds but has no type")
        }
    })
}

fn object<T: DeserializeOwned>(item: &Item<'_>, header: &Header) -> Result<Box<T>, ImportError> {
    item.read_checked(header).map(Box::new)
}
