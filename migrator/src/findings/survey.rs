//! What findings look at: the old nodes, the workloads that have to leave them, the places where pods can go, and what
//! each target group promises. Everything here is derived from the view once; nothing is judged.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use k8s_openapi::api::core::v1::Taint;

use crate::{
    findings::{Expectations, selector},
    request::Request,
    view::{
        Bounds, ClusterView, DaemonSet, Deployment, HorizontalPodAutoscaler, Node, NodeGroup, ObjectName,
        OwnerKind, Pod, PodPhase, PodSpec, Resources, Service, StatefulSet, StringMap, TargetGroup, TargetId,
        TargetState, VolumeClaim,
    },
};

/// Zone label of a node.
pub(super) const ZONE: &str = "topology.kubernetes.io/zone";
/// Hostname label of a node.
pub(super) const HOSTNAME: &str = "kubernetes.io/hostname";
/// Instance type label of a node.
pub(super) const INSTANCE_TYPE: &str = "node.kubernetes.io/instance-type";
const ARCHITECTURE: &str = "kubernetes.io/arch";

/// See the module.
pub(super) struct Survey<'a> {
    pub(super) request: &'a Request,
    pub(super) cluster: &'a ClusterView,
    pub(super) expectations: &'a Expectations,
    /// The group to leave, where AWS knows it.
    pub(super) old_group: Option<&'a NodeGroup>,
    /// Its nodes.
    pub(super) old_nodes: BTreeMap<&'a str, &'a Node>,
    /// What has to leave them, by object.
    pub(super) workloads: Vec<Workload<'a>>,
    /// Where pods can go: new nodes first, then nodes of other groups.
    pub(super) places: Vec<Place>,
    /// Zones of the new group: sure to get a node, or merely possible.
    pub(super) new_zones: BTreeMap<Arc<str>, Certainty>,
    /// How many nodes the new group has, or will have.
    pub(super) new_nodes: u32,
}

/// Whether a zone of the new group gets a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Certainty {
    /// At least one.
    Sure,
    /// The group has fewer nodes than zones.
    Possible,
}

/// A workload with pods on old nodes.
pub(super) struct Workload<'a> {
    pub(super) controller: Controller<'a>,
    /// Kind, namespace and name.
    pub(super) object: String,
    /// Why a Deployment cannot have its new pods beside the old ones, if it cannot.
    pub(super) once: Option<Once<'a>>,
    /// Its active pods on old nodes, or on their way there; never empty.
    pub(super) old_pods: Vec<&'a Pod>,
}

/// What creates a workload's pods.
#[derive(Clone, Copy)]
pub(super) enum Controller<'a> {
    /// Surged by raising its replicas; everything else is evicted.
    Deployment(&'a Deployment),
    StatefulSet(&'a StatefulSet),
    Job,
    /// A controller whose replicas a migration does not change, a ReplicaSet without a Deployment included.
    Other,
    /// Nobody.
    Nobody,
}

impl<'a> Workload<'a> {
    fn sample(&self) -> &'a Pod {
        self.old_pods.first().expect("a workload is created with its first pod")
    }

    pub(super) fn namespace(&self) -> &'a str {
        &self.sample().meta.name.namespace
    }

    pub(super) fn labels(&self) -> &'a StringMap {
        &self.sample().meta.labels
    }

    pub(super) fn spec(&self) -> &'a PodSpec {
        &self.sample().spec
    }

    /// Whether its new pods run beside the old ones; otherwise each follows an eviction.
    pub(super) fn surged(&self) -> bool {
        matches!(self.controller, Controller::Deployment(_)) && self.once.is_none()
    }
}

/// Why a Deployment is moved by eviction.
#[derive(Clone, Copy)]
pub(super) enum Once<'a> {
    /// Its strategy is Recreate: two of its pods are not meant to run together.
    Recreate,
    /// One node at a time may mount this claim.
    Volume(&'a VolumeClaim),
    /// KEDA owns this autoscaler and would undo a surge.
    Keda(&'a HorizontalPodAutoscaler),
}

/// A node that pods can go to.
pub(super) struct Place {
    /// Name of the node; a new node that does not exist yet has a stand-in.
    pub(super) name: String,
    /// Whether the node exists.
    pub(super) real: bool,
    /// Belongs to the new group.
    pub(super) new: bool,
    /// Zone that it is sure to be in.
    pub(super) zone: Option<Arc<str>>,
    /// Zone that it is likely to be in, where it is not sure.
    pub(super) likely_zone: Option<Arc<str>>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) taints: Vec<Taint>,
    /// What is not requested yet; `None` where the node's size is not known.
    pub(super) free: Option<Resources>,
}

impl Place {
    /// Whether labels and taints let the pod in.
    pub(super) fn admits(&self, spec: &PodSpec) -> bool {
        let name = self.real.then_some(self.name.as_str());
        selector::unmet(&spec.kubernetes, &self.labels, name).is_none()
            && selector::tolerates_all(&spec.tolerations, &self.taints)
    }
}

/// How long a target group's connections are promised to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Promise {
    /// Shortest grace period of the pods that count.
    pub(super) grace_period: Duration,
    /// Shortest pre-stop hook; a hook of unknown length counts as none.
    pub(super) pre_stop: Duration,
    /// What the grace period loses before it protects anything: see [`Settings::lost`](crate::request::Settings::lost).
    pub(super) lost: Duration,
    /// How long a connection may live; zero where nothing is left.
    pub(super) contract: Duration,
}

impl<'a> Survey<'a> {
    pub(super) fn new(
        request: &'a Request,
        cluster: &'a ClusterView,
        expectations: &'a Expectations,
    ) -> Self {
        let in_group = |group: &Arc<str>| {
            let nodes = cluster.nodes.iter().filter(move |(_, node)| node.node_group.as_ref() == Some(group));
            nodes.map(|(name, node)| (&**name, &**node)).collect::<BTreeMap<_, _>>()
        };
        let mut survey = Survey {
            request,
            cluster,
            expectations,
            old_group: cluster.aws.node_groups.get(&request.from).map(|group| &**group),
            old_nodes: in_group(&request.from),
            workloads: Vec::new(),
            places: Vec::new(),
            new_zones: BTreeMap::new(),
            new_nodes: 0,
        };
        survey.workloads = survey.workloads_to_move();
        if request.adopt {
            survey.adopt(&in_group(&request.to));
        } else {
            survey.imagine_new_nodes();
        }
        let others = cluster.nodes.values().filter(|node| {
            node.node_group.as_ref().is_none_or(|group| *group != request.from && *group != request.to)
        });
        survey.places.extend(others.filter(|node| usable(node)).map(|node| place(node, cluster, false)));
        survey
    }

    fn workloads_to_move(&self) -> Vec<Workload<'a>> {
        self.workloads_with(|pod| self.on_old_node(pod))
    }

    /// Workloads with pods that wait for a node and find one among the old nodes alone.
    pub(super) fn workloads_bound_for_old_nodes(&self) -> Vec<Workload<'a>> {
        let old: Vec<Place> = self.old_nodes.values().map(|node| place(node, self.cluster, false)).collect();
        let admitted = |pod: &Pod, places: &[Place]| places.iter().any(|place| place.admits(&pod.spec));
        self.workloads_with(|pod| pod.node.is_none() && !admitted(pod, &self.places) && admitted(pod, &old))
    }

    fn workloads_with(&self, concerned: impl Fn(&Pod) -> bool) -> Vec<Workload<'a>> {
        let mut workloads: BTreeMap<String, Workload<'a>> = BTreeMap::new();
        for pod in self.cluster.pods.values().filter(|pod| pod.is_active() && concerned(pod)) {
            let Some((controller, object)) = self.controller_of(pod) else { continue };
            workloads
                .entry(object.clone())
                .or_insert_with(|| {
                    let once = match controller {
                        Controller::Deployment(deployment) => self.once(deployment),
                        _ => None,
                    };
                    Workload { controller, object, once, old_pods: Vec::new() }
                })
                .old_pods
                .push(pod);
        }
        workloads.into_values().collect()
    }

    /// The controller of a pod that has to leave; `None` for those that belong to their node.
    fn controller_of(&self, pod: &Pod) -> Option<(Controller<'a>, String)> {
        let namespace = &pod.meta.name.namespace;
        let Some(owner) = &pod.owner else {
            return Some((Controller::Nobody, format!("Pod {namespace}/{}", pod.meta.name.name)));
        };
        let named = |name: &Arc<str>| ObjectName { namespace: namespace.clone(), name: name.clone() };
        let other = |kind: &str| Some((Controller::Other, format!("{kind} {namespace}/{}", owner.name)));
        match owner.kind {
            OwnerKind::DaemonSet | OwnerKind::Node => None,
            OwnerKind::Job => Some((Controller::Job, format!("Job {namespace}/{}", owner.name))),
            OwnerKind::StatefulSet => match self.cluster.stateful_sets.get(&named(&owner.name)) {
                Some(set) => {
                    Some((Controller::StatefulSet(set), format!("StatefulSet {namespace}/{}", owner.name)))
                }
                None => other("StatefulSet"),
            },
            OwnerKind::ReplicaSet => {
                let replica_set = self.cluster.replica_sets.get(&named(&owner.name));
                let above = replica_set.and_then(|set| set.owner.as_ref());
                let deployment = above.and_then(|above| {
                    let deployment = self.cluster.deployments.get(&named(&above.name))?;
                    (deployment.meta.uid == above.uid).then_some(deployment)
                });
                match deployment {
                    Some(deployment) => {
                        let object = format!("Deployment {namespace}/{}", deployment.meta.name.name);
                        Some((Controller::Deployment(deployment), object))
                    }
                    None => other("ReplicaSet"),
                }
            }
            OwnerKind::Other => other("Controller"),
        }
    }

    fn once(&self, deployment: &Deployment) -> Option<Once<'a>> {
        let namespace = &deployment.meta.name.namespace;
        if let Some(autoscaler) = self.autoscaler_of(deployment).filter(|autoscaler| autoscaler.keda) {
            return Some(Once::Keda(autoscaler));
        }
        if deployment.recreate {
            return Some(Once::Recreate);
        }
        let mut claims = deployment.template.volume_claims.iter().filter_map(|name| {
            let name = ObjectName { namespace: namespace.clone(), name: name.clone() };
            self.cluster.volume_claims.get(&name)
        });
        claims.find(|claim| claim.single_node).map(|claim| Once::Volume(claim))
    }

    /// The autoscaler that owns a Deployment's replicas.
    pub(super) fn autoscaler_of(&self, deployment: &Deployment) -> Option<&'a HorizontalPodAutoscaler> {
        let name = &deployment.meta.name;
        self.cluster.horizontal_pod_autoscalers.values().map(|it| &**it).find(|autoscaler| {
            *autoscaler.target.0 == *"Deployment"
                && autoscaler.target.1 == name.name
                && autoscaler.meta.name.namespace == name.namespace
        })
    }

    /// Active pods of a workload, wherever they are.
    pub(super) fn pods_of(&self, workload: &Workload<'a>) -> impl Iterator<Item = &'a Pod> {
        let object = workload.object.clone();
        let pods = self.cluster.pods.values().map(|pod| &**pod).filter(|pod| pod.is_active());
        pods.filter(move |pod| self.controller_of(pod).is_some_and(|(_, owner)| owner == object))
    }

    pub(super) fn on_old_node(&self, pod: &Pod) -> bool {
        pod.node.as_ref().is_some_and(|node| self.old_nodes.contains_key(&**node))
    }

    /// Bounds of the new group as the request has it; those of the old group where it says nothing.
    pub(super) fn new_bounds(&self) -> Option<Bounds> {
        let base = if self.request.adopt { &self.request.to } else { &self.request.from };
        let base = self.cluster.aws.node_groups.get(base)?.bounds;
        let (min, max) = (self.request.min.unwrap_or(base.min), self.request.max.unwrap_or(base.max));
        let desired = self.request.desired.unwrap_or(base.desired).min(max).max(min);
        Some(Bounds { min, max, desired })
    }

    /// An adopted group is what it is: its Ready nodes.
    fn adopt(&mut self, nodes: &BTreeMap<&'a str, &'a Node>) {
        for node in nodes.values().filter(|node| usable(node)) {
            let place = place(node, self.cluster, true);
            if let Some(zone) = &place.zone {
                self.new_zones.insert(zone.clone(), Certainty::Sure);
            }
            self.places.push(place);
        }
        self.new_nodes = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
    }

    /// Nodes as the group to be created will have them. Auto Scaling balances zones: each gets the same number of
    /// nodes, and which ones get the remaining nodes is not known.
    fn imagine_new_nodes(&mut self) {
        let (Some(old_group), Some(bounds)) = (self.old_group, self.new_bounds()) else { return };
        let subnets =
            if self.request.subnets.is_empty() { &old_group.subnets } else { &self.request.subnets };
        let zones: BTreeSet<Arc<str>> = subnets
            .iter()
            .filter_map(|subnet| self.cluster.aws.subnets.get(subnet))
            .map(|subnet| subnet.zone.clone())
            .collect();
        let zone_list: Vec<&Arc<str>> = zones.iter().collect();
        self.new_nodes = bounds.desired;
        let nodes = usize::try_from(bounds.desired).unwrap_or(usize::MAX);
        let per_zone = nodes.checked_div(zone_list.len()).unwrap_or(0);
        let certainty = if per_zone > 0 { Certainty::Sure } else { Certainty::Possible };
        self.new_zones.extend(zones.iter().map(|zone| (zone.clone(), certainty)));

        let types = self.new_instance_types();
        let free = self.new_node_free();
        let taints: Vec<Taint> = old_group.taints.iter().map(kubernetes_taint).collect();
        for index in 0..nodes {
            let sure = index < per_zone * zone_list.len();
            let likely_zone = zone_list.get(index % zone_list.len().max(1)).map(|zone| (*zone).clone());
            let zone = likely_zone.clone().filter(|_| sure);
            let instance_type = types.get(index % types.len().max(1)).cloned();
            let name = format!("(new node {})", index + 1);
            let labels = self.new_node_labels(old_group, &name, zone.as_ref(), instance_type.as_ref());
            let place = Place {
                name,
                real: false,
                new: true,
                zone,
                likely_zone,
                labels,
                taints: taints.clone(),
                free,
            };
            let daemon_sets: Vec<Resources> =
                self.daemon_sets_at(&place).map(|set| set.template.requests).collect();
            let free = free.map(|free| daemon_sets.iter().fold(free, |free, requests| less(free, *requests)));
            self.places.push(Place { free, ..place });
        }
    }

    /// Instance types of the new group.
    pub(super) fn new_instance_types(&self) -> Vec<Arc<str>> {
        let old = self.old_group.map(|group| group.instance_types.clone()).unwrap_or_default();
        let asked = &self.request.instance_types;
        // A group whose launch template names the type reports none; then its nodes tell.
        match (asked.is_empty(), old.is_empty()) {
            (false, _) => asked.clone(),
            (true, false) => old,
            (true, true) => {
                let nodes = self.old_nodes.values().filter_map(|node| node.meta.labels.get(INSTANCE_TYPE));
                nodes.map(|name| Arc::from(name.as_str())).collect::<BTreeSet<_>>().into_iter().collect()
            }
        }
    }

    /// Allocatable resources of the smallest node that the new group may get.
    fn new_node_free(&self) -> Option<Resources> {
        if self.expectations.node_allocatable.is_some() {
            return self.expectations.node_allocatable;
        }
        let smallest = |nodes: Vec<&Node>| nodes.iter().map(|node| node.allocatable).reduce(smaller);
        if self.request.instance_types.is_empty() {
            return smallest(self.old_nodes.values().copied().collect());
        }
        let of_type = |name: &Arc<str>| {
            let nodes = self.cluster.nodes.values().map(|node| &**node);
            smallest(
                nodes
                    .filter(|node| node.meta.labels.get(INSTANCE_TYPE).is_some_and(|it| **it == **name))
                    .collect(),
            )
        };
        let sizes: Option<Vec<Resources>> = self.request.instance_types.iter().map(of_type).collect();
        sizes?.into_iter().reduce(smaller)
    }

    /// Architecture of the new nodes, from the name of the AMI type; an unchanged type keeps that of the old nodes.
    pub(super) fn new_architecture(&self) -> Option<String> {
        match &self.request.ami_type {
            Some(ami_type) if ami_type.contains("ARM_64") => Some("arm64".to_owned()),
            Some(ami_type) if ami_type.contains("x86_64") => Some("amd64".to_owned()),
            _ => self.old_nodes.values().find_map(|node| node.meta.labels.get(ARCHITECTURE).cloned()),
        }
    }

    fn new_node_labels(
        &self,
        old_group: &NodeGroup,
        name: &str,
        zone: Option<&Arc<str>>,
        instance_type: Option<&Arc<str>>,
    ) -> BTreeMap<String, String> {
        let mut labels = old_group.labels.clone();
        let mut set = |key: &str, value: String| labels.insert(key.to_owned(), value);
        set(HOSTNAME, name.to_owned());
        set("kubernetes.io/os", "linux".to_owned());
        set("beta.kubernetes.io/os", "linux".to_owned());
        if let Some(architecture) = self.new_architecture() {
            set(ARCHITECTURE, architecture.clone());
            set("beta.kubernetes.io/arch", architecture);
        }
        if let Some(instance_type) = instance_type {
            set(INSTANCE_TYPE, instance_type.to_string());
            set("beta.kubernetes.io/instance-type", instance_type.to_string());
        }
        set("eks.amazonaws.com/nodegroup", self.request.to.to_string());
        set("eks.amazonaws.com/capacityType", old_group.capacity_type.to_string());
        // What else a zone implies (its id, the volume driver's own key) is read from any node there.
        let anywhere = |node: &&Arc<Node>| zone.is_none() || node.zone.as_ref() == zone;
        if let Some(node) = self.cluster.nodes.values().find(anywhere) {
            for (key, value) in node.meta.labels.iter().filter(|(key, _)| is_topology(key)) {
                if zone.is_some() || key.ends_with("/region") {
                    set(key, value.clone());
                }
            }
        }
        if let Some(zone) = zone {
            set(ZONE, zone.to_string());
        }
        labels
    }

    /// DaemonSets that run a pod on this place.
    pub(super) fn daemon_sets_at(&self, place: &Place) -> impl Iterator<Item = &'a DaemonSet> {
        self.cluster.daemon_sets.values().map(|set| &**set).filter(|set| place.admits(&set.template))
    }

    /// A load-balanced Service that selects these labels: one whose endpoints may not fall below their floor. Where no
    /// Service is load-balanced, clients are inside the cluster, and every Service counts.
    pub(super) fn balanced_service_of(
        &self,
        namespace: &str,
        labels: &BTreeMap<String, String>,
    ) -> Option<&'a Service> {
        self.services_of(namespace, labels)
            .find(|service| service.load_balancer || self.serves_inside(service))
    }

    /// Whether a Service has the clients that would else come through a load balancer.
    pub(super) fn serves_inside(&self, service: &Service) -> bool {
        &*service.meta.name.namespace != "kube-system"
            && !self.cluster.services.values().any(|service| service.load_balancer)
    }

    /// Services that select these labels.
    pub(super) fn services_of(
        &self,
        namespace: &str,
        labels: &BTreeMap<String, String>,
    ) -> impl Iterator<Item = &'a Service> {
        self.cluster.services.values().map(|service| &**service).filter(move |service| {
            *service.meta.name.namespace == *namespace && selector::contains(&service.selector, labels)
        })
    }

    /// Whether a surged workload's pods are needed in the zones of the old ones: with cross-zone off, load balancer
    /// nodes reach targets of their own zone only, and those are pods, or nodes with pods.
    pub(super) fn is_zonal(&self, workload: &Workload<'_>) -> bool {
        let zonal = |service: &Service| {
            self.target_groups_of(service)
                .any(|group| !group.classic && !group.cross_zone && (group.ip_targets || service.local))
        };
        workload.surged() && self.services_of(workload.namespace(), workload.labels()).any(zonal)
    }

    /// Target groups of a Service.
    pub(super) fn target_groups_of(&self, service: &Service) -> impl Iterator<Item = &'a TargetGroup> {
        let groups = self.cluster.aws.target_groups.values().map(|group| &**group);
        groups.filter(move |group| group.service == service.meta.name)
    }

    /// Active pods behind a Service.
    pub(super) fn pods_behind(&self, service: &ObjectName) -> Vec<&'a Pod> {
        let Some(service) = self.cluster.services.get(service) else { return Vec::new() };
        let pods = self.cluster.pods.values().map(|pod| &**pod);
        pods.filter(|pod| {
            pod.is_active()
                && pod.meta.name.namespace == service.meta.name.namespace
                && selector::contains(&service.selector, &pod.meta.labels)
        })
        .collect()
    }

    /// Zones in which old nodes (instance targets) or pods on them (ip targets) are in service, with one of them each.
    pub(super) fn old_target_zones(&self, group: &TargetGroup) -> BTreeMap<Arc<str>, String> {
        let mut zones = BTreeMap::new();
        if group.ip_targets {
            // The view does not say which pod has a target's address; its Ready pods are what the group contains.
            for pod in self.pods_behind(&group.service).into_iter().filter(|pod| pod.is_ready()) {
                let node = pod.node.as_ref().and_then(|node| self.old_nodes.get(&**node));
                if let Some(zone) = node.and_then(|node| node.zone.clone()) {
                    zones.entry(zone).or_insert_with(|| format!("pod {}", pod.meta.name.name));
                }
            }
            return zones;
        }
        for node in self.old_nodes.values() {
            let healthy =
                group.targets.iter().any(|target| target.state == TargetState::Healthy && is(target, node));
            if let (true, Some(zone)) = (healthy, &node.zone) {
                zones.entry(zone.clone()).or_insert_with(|| format!("node {}", node.meta.name.name));
            }
        }
        zones
    }

    /// Whether the load balancer reaches the old nodes, or pods on them, through this target group.
    pub(super) fn reaches_old_nodes(&self, group: &TargetGroup) -> bool {
        if group.ip_targets {
            return self.pods_behind(&group.service).iter().any(|pod| self.on_old_node(pod));
        }
        group.targets.iter().any(|target| {
            !matches!(target.state, TargetState::Unused | TargetState::Draining)
                && self.old_nodes.values().any(|node| is(target, node))
        })
    }

    /// What the target group's connections are promised; `None` where no pod counts.
    ///
    /// With externalTrafficPolicy Cluster an old node carries connections to pods everywhere; otherwise only to its
    /// own.
    pub(super) fn promise(&self, group: &TargetGroup) -> Option<Promise> {
        let local = self.cluster.services.get(&group.service).is_some_and(|service| service.local);
        let pods = self.pods_behind(&group.service);
        let counting = pods.iter().filter(|pod| (!local && !group.ip_targets) || self.on_old_node(pod));
        let specs: Vec<&PodSpec> = counting.map(|pod| &*pod.spec).collect();
        let grace_period = specs.iter().map(|spec| spec.grace_period).min()?;
        let pre_stop = specs.iter().map(|spec| spec.pre_stop.unwrap_or(Duration::ZERO)).min()?;
        let lost = self.request.settings.lost(group.ip_targets);
        let derived = grace_period.saturating_sub(lost);
        let stated = self.request.contracts.get(&group.service).copied().unwrap_or(derived);
        Some(Promise { grace_period, pre_stop, lost, contract: derived.min(stated) })
    }
}

/// Ready and schedulable.
fn usable(node: &Node) -> bool {
    node.ready && !node.unschedulable && !node.meta.deleting
}

fn place(node: &Node, cluster: &ClusterView, new: bool) -> Place {
    let name = &node.meta.name.name;
    let pods = cluster.pods.values().filter(|pod| {
        pod.node.as_ref() == Some(name) && !matches!(pod.phase, PodPhase::Succeeded | PodPhase::Failed)
    });
    // The exclude label and the like may be on it; as to scheduling, it is what it is.
    Place {
        name: name.to_string(),
        real: true,
        new,
        zone: node.zone.clone(),
        likely_zone: node.zone.clone(),
        labels: (*node.meta.labels).clone(),
        taints: (*node.taints).clone(),
        free: Some(pods.fold(node.allocatable, |free, pod| less(free, pod.spec.requests))),
    }
}

/// Whether the target is this node: the last part of a provider ID (`aws:///zone/i-…`) is the instance.
fn is(target: &crate::view::Target, node: &Node) -> bool {
    let instance = node.provider_id.as_deref().and_then(|id| id.rsplit('/').next());
    matches!(&target.id, TargetId::Instance(id) if Some(&**id) == instance)
}

fn is_topology(key: &str) -> bool {
    key.starts_with("topology.") || key.starts_with("failure-domain.beta.kubernetes.io/")
}

fn kubernetes_taint(taint: &crate::view::EksTaint) -> Taint {
    let effect = match &*taint.effect {
        "NO_EXECUTE" => "NoExecute",
        "PREFER_NO_SCHEDULE" => "PreferNoSchedule",
        _ => "NoSchedule",
    };
    Taint {
        key: taint.key.to_string(),
        value: Some(taint.value.to_string()),
        effect: effect.to_owned(),
        time_added: None,
    }
}

fn smaller(one: Resources, other: Resources) -> Resources {
    Resources {
        cpu_milli: one.cpu_milli.min(other.cpu_milli),
        memory: one.memory.min(other.memory),
        pods: one.pods.min(other.pods),
    }
}

/// What is left after a pod's requests; a pod takes one of the node's places for pods.
pub(super) fn less(free: Resources, requests: Resources) -> Resources {
    Resources {
        cpu_milli: free.cpu_milli.saturating_sub(requests.cpu_milli),
        memory: free.memory.saturating_sub(requests.memory),
        pods: free.pods.saturating_sub(1),
    }
}
