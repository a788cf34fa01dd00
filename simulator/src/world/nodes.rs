//! Nodes: registration, readiness, cordons and taints, and what happens when their host is gone.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::api::core::v1::Taint;

use super::{
    Time, World,
    endpoints::Proxy,
    ids::{ConnectionId, EntryId, GroupId, InstanceId, NodeId, PodId, ServiceId, TargetGroupId, ZoneId},
    load_balancer::TargetState,
    log::{Subject, What},
    objects::{Node, ReadyCondition},
    pods::Containers,
    queue::Event,
    spec::Requested,
};
use crate::{controllers::taint_eviction, instance_types, selector};

/// Room of a node whose type is unknown, as of an m5.large: thousandths of a core, bytes and pods.
const UNKNOWN_TYPE: (i64, i64, i64) = (1_930, 7_220 << 20, 29);

/// Taint of a node that is not Ready.
pub(super) const NOT_READY: &str = "node.kubernetes.io/not-ready";
/// Taint of a cordoned node.
pub(super) const UNSCHEDULABLE: &str = "node.kubernetes.io/unschedulable";

/// What is known of a node outside the API.
#[derive(Debug, Clone)]
pub(super) struct NodeState {
    /// Its host runs.
    pub(super) up: bool,
    pub(super) zone: ZoneId,
    pub(super) group: Option<GroupId>,
    pub(super) ip: u32,
    pub(super) last_ip: u32,
    pub(super) requested: Requested,
    /// Its taints, compiled; those that cannot be are ignored.
    pub(super) taints: Arc<Vec<selector::Taint>>,
    pub(super) pods: Vec<PodId>,
    pub(super) images: BTreeSet<u32>,
    pub(super) proxy: Proxy,
    /// Connections that may be open through this node's proxy (or, for ip targets, on its pods).
    pub(super) connections: Vec<ConnectionId>,
    /// The entry that last changed whether it works.
    pub(super) entry: EntryId,
    /// A drain by Auto Scaling is under way, until then at the latest.
    pub(super) drain: Option<Time>,
    /// Since when the autoscaler finds it unneeded.
    pub(super) unneeded_since: Option<Time>,
    /// The entry with which a pod last left it.
    pub(super) relieved_by: EntryId,
}

impl NodeState {
    pub(super) fn new(zone: ZoneId, ip: u32) -> NodeState {
        NodeState {
            up: true,
            zone,
            group: None,
            ip,
            last_ip: 0,
            requested: Requested::default(),
            taints: Arc::default(),
            pods: Vec::new(),
            images: BTreeSet::new(),
            proxy: Proxy::default(),
            connections: Vec::new(),
            entry: super::log::START,
            drain: None,
            unneeded_since: None,
            relieved_by: super::log::START,
        }
    }

    pub(super) fn holds_image(&self, image: u32) -> bool {
        self.images.contains(&image)
    }
}

impl World {
    /// Condition Ready of a node that exists.
    pub fn node_is_ready(&self, id: NodeId) -> bool {
        self.nodes.get(id).is_some_and(|node| node.ready == ReadyCondition::True)
    }

    /// A new kubelet registers.
    pub(super) fn register_node(&mut self, instance: InstanceId, cause: EntryId) -> NodeId {
        let (zone, ip, group, instance_type, instance_name) = {
            let instance = &self.instances[instance.index()];
            (instance.zone, instance.ip, instance.group, instance.instance_type.clone(), instance.id.clone())
        };
        let name: Arc<str> = host_name(ip).into();
        let zone_name = self.zones[zone.index()].clone();
        let mut labels: BTreeMap<String, String> = BTreeMap::new();
        let region = zone_name.trim_end_matches(|letter: char| letter.is_ascii_lowercase()).to_owned();
        for (key, value) in [
            ("beta.kubernetes.io/arch", "amd64"),
            ("beta.kubernetes.io/os", "linux"),
            ("kubernetes.io/arch", "amd64"),
            ("kubernetes.io/os", "linux"),
            ("kubernetes.io/hostname", &name),
            ("node.kubernetes.io/instance-type", &instance_type),
            ("topology.kubernetes.io/region", &region),
            ("topology.kubernetes.io/zone", &zone_name),
        ] {
            labels.insert(key.into(), value.into());
        }
        let mut taints =
            vec![Taint { key: NOT_READY.into(), effect: "NoSchedule".into(), value: None, time_added: None }];
        let mut group_name = None;
        if let Some(group) = group {
            let group = &self.groups[group.index()];
            labels.extend(group.labels.clone());
            labels.insert("eks.amazonaws.com/nodegroup".into(), group.name.to_string());
            labels.insert("eks.amazonaws.com/capacityType".into(), group.capacity_type.to_string());
            taints.extend(group.taints.iter().map(super::requests::EksTaint::to_kubernetes));
            group_name = Some(group.name.clone());
        }
        let (cpu_milli, memory, pods) = self.allocatable_of(&instance_type);
        let meta = self.new_meta("".into(), name.clone(), Arc::new(labels));
        let provider_id = Some(format!("aws:///{zone_name}/{instance_name}").into());
        let kubelet_version = self.kubelet_version.clone();
        let node = Node {
            meta,
            instance: Some(instance),
            provider_id,
            taints: Arc::new(taints),
            unschedulable: false,
            ready: ReadyCondition::False,
            zone: zone_name,
            node_group: group_name,
            cpu_milli,
            memory,
            pods,
            kubelet_version,
        };
        let id = self.nodes.insert(&"".into(), &name, node);
        let mut state = NodeState::new(zone, ip);
        state.group = group;
        self.node_states.push(state);
        self.instances[instance.index()].node = Some(id);
        let entry = self.record(cause, Subject::Node(id), What::Registered);
        self.node_states[id.index()].entry = entry;
        self.node_changed(id, entry);
        self.mark_daemon_sets(entry);
        self.mark_controller_pass(entry);
        id
    }

    /// Whether nodes of this type can be given their size: the cluster has one, or the type's own figures are known.
    pub fn knows_instance_type(&self, instance_type: &str) -> bool {
        self.node_like(instance_type).is_some() || instance_types::lookup(instance_type).is_some()
    }

    fn node_like(&self, instance_type: &str) -> Option<&Node> {
        let label = |node: &&Node| node.meta.labels.get("node.kubernetes.io/instance-type").cloned();
        self.nodes.iter().map(|(_, node)| &**node).find(|node| label(node).as_deref() == Some(instance_type))
    }

    fn allocatable_of(&self, instance_type: &str) -> (i64, i64, i64) {
        let like = self.node_like(instance_type).map(|node| (node.cpu_milli, node.memory, node.pods));
        like.or_else(|| {
            instance_types::lookup(instance_type).map(|found| {
                let allocatable = found.allocatable();
                (
                    allocatable.cpu_millis as i64,
                    (allocatable.memory_mib << 20) as i64,
                    i64::from(allocatable.pods),
                )
            })
        })
        .unwrap_or(UNKNOWN_TYPE)
    }

    pub(super) fn node_becomes_ready(&mut self, id: NodeId, cause: EntryId) {
        if !self.nodes.exists(id) || !self.node_states[id.index()].up {
            return;
        }
        if self.proxy_pods.is_none() {
            // kube-proxy is not a pod that we know: it starts with the node.
            self.node_states[id.index()].proxy.since = Some(self.now + 1_000);
        }
        self.set_node_ready(id, ReadyCondition::True, cause);
    }

    /// Changes condition Ready; leaving True makes all pods of the node not Ready at once.
    pub(super) fn set_node_ready(&mut self, id: NodeId, ready: ReadyCondition, cause: EntryId) {
        if !self.nodes.exists(id) || self.nodes.last(id).ready == ready {
            return;
        }
        let what = if ready == ReadyCondition::True { What::Ready } else { What::NotReady };
        let entry = self.record(cause, Subject::Node(id), what);
        let node = self.nodes.edit(id);
        let was = std::mem::replace(&mut node.ready, ready);
        let mut taints = node.taints.to_vec();
        taints.retain(|taint| taint.key != NOT_READY);
        if ready != ReadyCondition::True {
            taints.push(Taint {
                key: NOT_READY.into(),
                effect: "NoSchedule".into(),
                value: None,
                time_added: None,
            });
        }
        node.taints = Arc::new(taints);
        if was == ReadyCondition::True {
            for pod in self.node_states[id.index()].pods.clone() {
                self.set_ready(pod, false, entry);
            }
        }
        self.node_changed(id, entry);
        self.mark_all_load_balancer_controllers(entry);
        // The DaemonSet controller looks at a node again when its taints change.
        self.mark_daemon_sets(entry);
        if ready == ReadyCondition::True {
            self.wake_scheduler(entry);
        }
    }

    pub(super) fn cordon(&mut self, id: NodeId, unschedulable: bool, cause: EntryId) {
        if !self.nodes.exists(id) || self.nodes.last(id).unschedulable == unschedulable {
            return;
        }
        let what = if unschedulable { What::Cordoned } else { What::Uncordoned };
        let entry = self.record(cause, Subject::Node(id), what);
        let node = self.nodes.edit(id);
        node.unschedulable = unschedulable;
        let mut taints = node.taints.to_vec();
        taints.retain(|taint| taint.key != UNSCHEDULABLE);
        if unschedulable {
            taints.push(Taint {
                key: UNSCHEDULABLE.into(),
                effect: "NoSchedule".into(),
                value: None,
                time_added: None,
            });
        }
        node.taints = Arc::new(taints);
        self.node_changed(id, entry);
        if !unschedulable {
            self.wake_scheduler(entry);
        }
    }

    pub(super) fn set_taints(&mut self, id: NodeId, taints: Vec<Taint>, cause: EntryId) {
        if *self.nodes.last(id).taints == taints {
            return;
        }
        let entry = self.record(cause, Subject::Node(id), What::Tainted);
        let fewer = taints.len() < self.nodes.last(id).taints.len();
        self.nodes.edit(id).taints = Arc::new(taints);
        self.node_changed(id, entry);
        self.evict_by_taints(id, entry);
        self.mark_daemon_sets(entry);
        if fewer {
            self.wake_scheduler(entry);
        }
        self.mark_all_load_balancer_controllers(entry);
    }

    /// The taint eviction controller: pods that do not tolerate a NoExecute taint go, budgets or not.
    fn evict_by_taints(&mut self, id: NodeId, cause: EntryId) {
        let taints = self.node_states[id.index()].taints.clone();
        if !taints.iter().any(|taint| taint.effect == selector::Effect::NoExecute) {
            return;
        }
        for pod in self.node_states[id.index()].pods.clone() {
            let tolerations = &self.specs[self.pods.last(pod).spec.index()].tolerations;
            match taint_eviction::delete_at(&taints, tolerations, self.now as i64) {
                Some(at) if at <= self.now as i64 => {
                    self.judge_removal(pod, cause);
                    self.delete_pod(pod, None, None, cause);
                }
                Some(at) => self.queue.push(at.unsigned_abs(), Event::TaintEviction(pod), cause),
                None => {}
            }
        }
    }

    pub(super) fn taint_eviction(&mut self, pod: PodId, cause: EntryId) {
        let Some(state) = self.pods.get(pod) else { return };
        let Some(node) = state.node.filter(|&node| self.nodes.exists(node)) else { return };
        let tolerations = &self.specs[state.spec.index()].tolerations;
        if taint_eviction::delete_at(&self.node_states[node.index()].taints, tolerations, 0).is_some() {
            self.judge_removal(pod, cause);
            self.delete_pod(pod, None, None, cause);
        }
    }

    /// The host of a node is gone: nothing answers, nothing is reported any more.
    pub(super) fn host_lost(&mut self, id: NodeId, cause: EntryId) {
        let state = &mut self.node_states[id.index()];
        if !state.up {
            return;
        }
        state.up = false;
        state.entry = cause;
        for pod in self.node_states[id.index()].pods.clone() {
            if matches!(self.pod_states[pod.index()].containers, Containers::Running { .. }) {
                self.judge_removal(pod, cause);
                self.expose(pod, cause);
            }
        }
        self.cut_node(id, cause);
        for pod in self.node_states[id.index()].pods.clone() {
            self.leader_ends(pod);
            self.pod_states[pod.index()].containers = Containers::Exited;
            self.pod_states[pod.index()].entry = cause;
        }
        self.node_inputs_change(id, cause);
        for service in 0..self.services.ids() {
            self.measure_capacity(ServiceId::from(service), cause);
        }
        if self.nodes.exists(id) {
            self.queue.push(self.now + self.parameters.node_silent_to_unknown, Event::NodeSilent(id), cause);
            self.queue.push(self.now + self.parameters.node_delete_after_gone, Event::NodeGone(id), cause);
        }
    }

    /// No heartbeat for too long.
    pub(super) fn node_silent(&mut self, id: NodeId, cause: EntryId) {
        if self.nodes.exists(id) && self.nodes.last(id).ready == ReadyCondition::True {
            let entry = self.record(cause, Subject::Node(id), What::NodeSilent);
            self.set_node_ready(id, ReadyCondition::Unknown, entry);
        }
    }

    /// The cloud node lifecycle controller deletes the Node of an instance that is gone.
    pub(super) fn node_gone(&mut self, id: NodeId, cause: EntryId) {
        let Some(node) = self.nodes.get(id).cloned() else { return };
        let entry = self.record(cause, Subject::Node(id), What::Deleted);
        self.nodes.remove(id, &node.meta.namespace, &node.meta.name);
        self.node_changed(id, entry);
        for pod in self.node_states[id.index()].pods.clone() {
            self.mark_services_of(pod, entry);
        }
        self.mark_controller_pass(entry);
        self.mark_daemon_sets(entry);
        // The pod collector finds the orphans at its next loop and waits out its quarantine.
        let wait = self.parameters.pod_gc_quarantine
            + self.chance_of(&[0x6763, u64::from(id.0)], self.parameters.pod_gc_loop);
        self.queue.push(self.now + wait, Event::OrphansCollected(id), entry);
    }

    pub(super) fn orphans_collected(&mut self, id: NodeId, cause: EntryId) {
        for pod in self.node_states[id.index()].pods.clone() {
            let entry = self.record(cause, Subject::Pod(pod), What::OrphanCollected);
            self.judge_removal(pod, entry);
            self.remove_pod(pod, entry);
        }
    }

    /// A target whose instance is gone is no longer in use.
    pub(super) fn target_invalid(&mut self, group: TargetGroupId, index: usize, cause: EntryId) {
        if self.target_groups[group.index()].targets[index].state != TargetState::Unused {
            self.target_unused(group, index, cause);
        }
    }

    pub(super) fn after_node_change(&mut self, id: NodeId, _cause: EntryId) {
        let taints =
            self.nodes.last(id).taints.iter().filter_map(|taint| selector::Taint::compile(taint).ok());
        self.node_states[id.index()].taints = Arc::new(taints.collect());
        self.scheduler_sees_node(id);
    }
}

/// `ip-10-0-1-13.ec2.internal`.
fn host_name(ip: u32) -> String {
    let [a, b, c, d] = ip.to_be_bytes();
    format!("ip-{a}-{b}-{c}-{d}.ec2.internal")
}
