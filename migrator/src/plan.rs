//! What is fixed when a migration starts: the groups, the new group's shape, and what every load-balanced Service was
//! promised (how long its sessions may live, how many endpoints it had).
//!
//! Everything else is read from the cluster at every decision: workloads come and go while a migration runs. The plan
//! goes into the journal with the first write, because floors cannot be measured again once pods have moved.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    action::{LaunchTemplate, NodeGroupRequest},
    budget, journal,
    marks::TAINT,
    request::{Request, Settings, Strategy},
    selector::{selects, service_selects},
    view::{
        Bounds, ClusterView, Deployment, NodeGroup, ObjectName, OwnerKind, Pod, PodSpec, Service,
        StatefulSet, StringMap,
    },
};

/// Tag on everything that we create in AWS: the id of the plan that owns it.
pub const PLAN_TAG: &str = "nodeferry/plan";

/// A migration, planned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Unique; runs once.
    pub id: Arc<str>,
    /// Who carries it out, on which clock: holds the lock and signs marks. Two processes that may run at the same time,
    /// or whose clocks may differ, must not share one. Not recorded: it is another one after a crash.
    #[serde(skip, default = "nobody")]
    pub boot_id: Arc<str>,
    /// When it was made.
    pub planned_at: Timestamp,
    /// Group to leave.
    pub from: Arc<str>,
    /// Group to move to.
    pub to: Arc<str>,
    /// How.
    pub strategy: Strategy,
    /// The old group is kept.
    pub keep_group: bool,
    /// What to create; `None` where an existing group is adopted.
    pub creation: Option<Creation>,
    /// Bounds of the new group at the end.
    pub bounds_after: Bounds,
    /// Load-balanced Services, by name.
    pub services: Vec<PlannedService>,
    /// Workloads that had pods on the old group, in the order in which they move: system before user.
    pub workloads: Vec<PlannedWorkload>,
    /// The waits.
    pub settings: Settings,
}

/// What is created in AWS.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Creation {
    /// Its launch template.
    pub launch_template: LaunchTemplate,
    /// The group, with the bounds it has at the end.
    pub group: NodeGroupRequest,
}

/// A load-balanced Service and what it was promised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedService {
    /// Which.
    pub name: ObjectName,
    /// Targets are pods (ip) rather than instances.
    pub ip: bool,
    /// Its external traffic policy is Local.
    pub local: bool,
    /// Cross-zone load balancing is on.
    pub cross_zone: bool,
    /// A StatefulSet is among what backs it: its nodes are released one by one.
    pub stateful: bool,
    /// How long a session may live.
    pub contract: Duration,
    /// Endpoints that it may never fall below.
    pub floor: u32,
    /// Some of its pods have no successor beside them (one replica of a StatefulSet, a Recreate Deployment, a volume for
    /// one node, an autoscaler of KEDA's, pods that no Deployment or StatefulSet makes): moving them has a gap. Such a
    /// plan only exists because its finding was accepted.
    pub gap: bool,
}

/// Kinds of workloads that are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub enum WorkloadKind {
    Deployment,
    StatefulSet,
}

/// A workload with pods on the old group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedWorkload {
    /// Kind.
    pub kind: WorkloadKind,
    /// Name.
    pub name: ObjectName,
    /// Moves first: others need it in order to start.
    pub system: bool,
    /// Replicas at the start.
    pub replicas: u32,
}

impl Plan {
    /// Plans a migration, or takes up the one that the journal records under this id.
    ///
    /// Names, floors and bounds come from the view, which must hold a first answer from AWS. A group to leave that does
    /// not exist gives a plan whose first decision says so.
    pub fn new(id: &str, boot_id: &str, request: &Request, cluster: &ClusterView, now: Timestamp) -> Plan {
        let recorded = cluster.journal.as_deref().filter(|object| journal::plan_id(object) == Some(id));
        if let Some(Ok(plan)) = recorded.map(|object| journal::recorded_plan(object, boot_id)) {
            return plan;
        }
        let from = cluster.aws.node_groups.get(&request.from);
        let adopted = cluster.aws.node_groups.get(&request.to).filter(|_| request.adopt);
        let bounds_after = bounds(request, adopted.or(from).map(|group| group.bounds));
        Plan {
            id: id.into(),
            boot_id: boot_id.into(),
            planned_at: now,
            from: request.from.clone(),
            to: request.to.clone(),
            strategy: request.strategy,
            keep_group: request.keep_group,
            creation: from
                .filter(|_| !request.adopt)
                .map(|old| creation(id, request, old, bounds_after, &cluster.aws.cluster_version)),
            bounds_after,
            services: cluster
                .services
                .values()
                .filter(|service| service.load_balancer)
                .map(|service| planned_service(request, cluster, service))
                .collect(),
            workloads: workloads(request, cluster),
            settings: request.settings,
        }
    }

    /// What a Service was promised, if it is load-balanced.
    pub fn service(&self, name: &ObjectName) -> Option<&PlannedService> {
        self.services.binary_search_by(|service| service.name.cmp(name)).ok().map(|at| &self.services[at])
    }

    /// The longest that a session may live which runs through a node: those of Services with instance targets,
    /// whoever serves them. With ip targets no node but the pod's own is on the path.
    pub fn longest_contract(&self) -> Duration {
        self.services.iter().filter(|s| !s.ip).map(|s| s.contract).max().unwrap_or_default()
    }
}

/// Whether a workload moves first: cluster services, and what its priority class calls system-critical.
pub(crate) fn is_system(namespace: &str, template: &PodSpec) -> bool {
    namespace == "kube-system"
        || template.kubernetes.priority_class_name.as_deref().is_some_and(|name| name.starts_with("system-"))
}

/// Whether two pods of this template cannot run at a time, so that it is moved by eviction, with a gap.
pub(crate) fn runs_once(
    recreate: bool,
    namespace: &Arc<str>,
    template: &PodSpec,
    cluster: &ClusterView,
) -> bool {
    recreate
        || template.volume_claims.iter().any(|claim| {
            let name = ObjectName { namespace: namespace.clone(), name: claim.clone() };
            cluster.volume_claims.get(&name).is_some_and(|claim| claim.single_node)
        })
}

/// Bounds in force: `max(min, min(desired, max))` nodes, and never a maximum of zero (the EKS API refuses it).
fn bounds(request: &Request, old: Option<Bounds>) -> Bounds {
    let old = old.unwrap_or(Bounds { min: 1, max: 1, desired: 1 });
    let min = request.min.unwrap_or(old.min);
    let max = request.max.unwrap_or(old.max).max(min).max(1);
    Bounds { min, max, desired: min.max(request.desired.unwrap_or(old.desired).min(max)) }
}

/// The new group as the old one is, on a launch template of our own: gp3 with what gp3 includes at no charge
/// (3000 operations and 125 MiB/s, here 150), and room for images (50 GiB).
fn creation(id: &str, request: &Request, old: &NodeGroup, bounds: Bounds, version: &Arc<str>) -> Creation {
    let name: Arc<str> = format!("nodeferry-{id}").into();
    let tags = BTreeMap::from([(PLAN_TAG.to_owned(), id.to_owned())]);
    let or_old = |wanted: &Vec<Arc<str>>, old: &Vec<Arc<str>>| {
        if wanted.is_empty() { old.clone() } else { wanted.clone() }
    };
    Creation {
        launch_template: LaunchTemplate {
            name: name.clone(),
            client_token: format!("nodeferry-{id}-template").into(),
            volume_type: "gp3".into(),
            volume_size: 50,
            volume_iops: 3000,
            volume_throughput: 150,
            encrypted: true,
            delete_on_termination: true,
            tags: tags.clone(),
        },
        group: NodeGroupRequest {
            name: request.to.clone(),
            client_token: format!("nodeferry-{id}-group").into(),
            bounds,
            instance_types: or_old(&request.instance_types, &old.instance_types),
            ami_type: request.ami_type.clone().unwrap_or_else(|| old.ami_type.clone()),
            version: version.clone(),
            node_role: old.node_role.clone(),
            subnets: or_old(&request.subnets, &old.subnets),
            capacity_type: old.capacity_type.clone(),
            labels: old.labels.clone(),
            taints: old.taints.iter().filter(|taint| &*taint.key != TAINT).cloned().collect(),
            launch_template: Some(name),
            tags,
        },
    }
}

/// What a Service of the cluster can be promised: its contract, and the endpoints that it keeps at least.
pub fn planned_service(request: &Request, cluster: &ClusterView, service: &Service) -> PlannedService {
    let name = &service.meta.name;
    let groups =
        || cluster.aws.target_groups.values().filter(|group| &group.service == name && !group.classic);
    let ip = groups().any(|group| group.ip_targets);
    let backs = |namespace: &Arc<str>, labels: &StringMap| {
        *namespace == name.namespace && service_selects(&service.selector, labels)
    };
    let deployments = || {
        cluster
            .deployments
            .values()
            .filter(|d| backs(&d.meta.name.namespace, &d.template_labels) && d.replicas > 0)
    };
    let stateful_sets = || {
        cluster
            .stateful_sets
            .values()
            .filter(|s| backs(&s.meta.name.namespace, &s.template_labels) && s.replicas > 0)
    };
    let daemon_sets =
        || cluster.daemon_sets.values().filter(|d| backs(&d.meta.name.namespace, &d.template_labels));
    let pods = || {
        let pods = cluster.pods.values().map(|pod| &**pod);
        pods.filter(|pod| pod.is_active() && backs(&pod.meta.name.namespace, &pod.meta.labels))
    };
    let grace = deployments()
        .map(|d| d.template.grace_period)
        .chain(stateful_sets().map(|s| s.template.grace_period))
        .chain(daemon_sets().map(|d| d.template.grace_period))
        // Pods that none of these makes.
        .chain(pods().map(|pod| pod.spec.grace_period))
        .min()
        .unwrap_or_default();
    let promised = grace.saturating_sub(request.settings.lost(ip));
    let ready = pods().filter(|pod| pod.is_ready()).count();
    let ready = u32::try_from(ready).unwrap_or(u32::MAX);
    let one_less = stateful_sets().any(|set| set.replicas >= 2 && budgets_let_one_go(cluster, set));
    PlannedService {
        name: name.clone(),
        ip,
        local: service.local,
        cross_zone: groups().next().is_some() && groups().all(|group| group.cross_zone),
        stateful: stateful_sets().next().is_some(),
        contract: request.contracts.get(name).copied().map_or(promised, |stated| stated.min(promised)),
        floor: ready.saturating_sub(u32::from(one_less)),
        gap: stateful_sets().any(|set| set.replicas == 1)
            || deployments().any(|d| {
                runs_once(d.recreate, &d.meta.name.namespace, &d.template, cluster) || is_keda(cluster, d)
            })
            || pods().any(|pod| is_left(request, cluster, pod) && !has_successor(cluster, pod)),
    }
}

/// Whether a Deployment's scale belongs to KEDA, which would undo a surge.
fn is_keda(cluster: &ClusterView, deployment: &Deployment) -> bool {
    let name = &deployment.meta.name;
    cluster.horizontal_pod_autoscalers.values().any(|autoscaler| {
        autoscaler.keda
            && autoscaler.meta.name.namespace == name.namespace
            && (&*autoscaler.target.0, &*autoscaler.target.1) == ("Deployment", &*name.name)
    })
}

/// Whether a pod is on a node of the group to leave.
fn is_left(request: &Request, cluster: &ClusterView, pod: &Pod) -> bool {
    let node = pod.node.as_ref().and_then(|node| cluster.nodes.get(node));
    node.is_some_and(|node| node.node_group.as_ref() == Some(&request.from))
}

/// Whether a pod's controller is one whose new pods are waited for: of a Deployment before it goes, of a StatefulSet or
/// DaemonSet in its place.
fn has_successor(cluster: &ClusterView, pod: &Pod) -> bool {
    let Some(owner) = &pod.owner else { return false };
    match owner.kind {
        OwnerKind::StatefulSet | OwnerKind::DaemonSet => true,
        OwnerKind::ReplicaSet => {
            let name = ObjectName { namespace: pod.meta.name.namespace.clone(), name: owner.name.clone() };
            cluster.replica_sets.get(&name).is_some_and(|set| set.owner.is_some())
        }
        OwnerKind::Job | OwnerKind::Node | OwnerKind::Other => false,
    }
}

/// Whether every budget on a StatefulSet lets one of its pods go.
fn budgets_let_one_go(cluster: &ClusterView, set: &StatefulSet) -> bool {
    cluster
        .disruption_budgets
        .values()
        .filter(|b| {
            b.meta.name.namespace == set.meta.name.namespace && selects(&b.selector, &set.template_labels)
        })
        .all(|b| budget::desired_healthy(b, set.replicas) < set.replicas)
}

/// Deployments and StatefulSets with pods on the old group, system first, then by kind and name.
fn workloads(request: &Request, cluster: &ClusterView) -> Vec<PlannedWorkload> {
    let mut owners = BTreeSet::new();
    for pod in cluster.pods.values().filter(|pod| pod.is_active()) {
        let node = pod.node.as_ref().and_then(|node| cluster.nodes.get(node));
        if node.is_some_and(|node| node.node_group.as_ref() == Some(&request.from)) {
            owners.extend(pod.owner.as_ref().map(|owner| owner.uid.clone()));
        }
    }
    let moved_sets: BTreeSet<&Arc<str>> = cluster
        .replica_sets
        .values()
        .filter(|set| owners.contains(&set.meta.uid))
        .filter_map(|set| set.owner.as_ref().map(|owner| &owner.uid))
        .collect();
    let deployments =
        cluster.deployments.values().filter(|d| moved_sets.contains(&d.meta.uid)).map(|d| PlannedWorkload {
            kind: WorkloadKind::Deployment,
            name: d.meta.name.clone(),
            system: is_system(&d.meta.name.namespace, &d.template),
            replicas: d.replicas,
        });
    let stateful_sets =
        cluster.stateful_sets.values().filter(|s| owners.contains(&s.meta.uid)).map(|s| PlannedWorkload {
            kind: WorkloadKind::StatefulSet,
            name: s.meta.name.clone(),
            system: is_system(&s.meta.name.namespace, &s.template),
            replicas: s.replicas,
        });
    let mut all: Vec<PlannedWorkload> = deployments.chain(stateful_sets).collect();
    all.sort_by(|a, b| (!a.system, a.kind, &a.name).cmp(&(!b.system, b.kind, &b.name)));
    all
}

fn nobody() -> Arc<str> {
    "".into()
}

#[cfg(test)]
mod tests;
