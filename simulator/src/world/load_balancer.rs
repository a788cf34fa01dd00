//! Network Load Balancers: target groups, their health checks, and the two controllers that keep their targets.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Time, World,
    endpoints::usable,
    ids::{EntryId, InstanceId, NodeId, PodId, ServiceId, TargetGroupId, ZoneId},
    log::{START, Subject, What},
    objects::ReadyCondition,
    queue::Event,
};
use crate::{
    controllers::{node_lifecycle::ConditionStatus, service_load_balancer as controllers},
    import::aws,
    parameters::FirstHealthy,
};

/// What a target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetKey {
    /// An instance, on the Service's node port.
    Instance(InstanceId),
    /// A pod, by its address.
    Pod(PodId),
}

/// Health state of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the ELBv2 API's own")]
pub enum TargetState {
    Initial,
    Healthy,
    Unhealthy,
    UnhealthyDraining,
    Draining,
    /// No longer registered.
    Unused,
}

/// A target, registered now or once.
#[derive(Debug, Clone)]
pub struct Target {
    /// What it is.
    pub key: TargetKey,
    /// Its zone.
    pub zone: ZoneId,
    /// Node that receives its traffic.
    pub node: Option<NodeId>,
    /// State.
    pub state: TargetState,
    /// Since when, in milliseconds since the start of the run.
    pub since: Time,
    /// Until when some load balancer node may still send new flows, though the state says otherwise.
    pub(super) stale_until: Time,
    /// What a probe would find.
    pub(super) passes: bool,
    /// Probes have begun.
    pub(super) checking: bool,
    /// Raised when what a probe finds changes: older planned transitions are void.
    pub(super) generation: u32,
    /// The entry of its last transition.
    pub(super) entry: EntryId,
}

/// A target group with its listener and load balancer.
#[derive(Debug, Clone)]
pub struct TargetGroup {
    /// ARN.
    pub arn: Arc<str>,
    /// The Service that it serves.
    pub service: ServiceId,
    /// Which controller keeps its targets.
    pub controller: aws::Controller,
    /// Sort of its load balancer. An Application Load Balancer carries no traffic in this model. A Classic one has no
    /// target groups; its instances stand here all the same.
    pub kind: aws::LoadBalancerKind,
    /// Targets are pods.
    pub ip_targets: bool,
    /// Zones of the load balancer.
    pub zones: Vec<ZoneId>,
    /// Cross-zone load balancing.
    pub cross_zone: bool,
    /// Idle timeout in milliseconds.
    pub idle_timeout: Time,
    /// Deregistration delay in milliseconds.
    pub deregistration_delay: Time,
    /// Flows are cut at the end of the delay.
    pub deregistration_cuts: bool,
    /// Flows of a target that turns unhealthy are cut.
    pub unhealthy_cuts: bool,
    /// How long a target stays `unhealthy.draining`, in milliseconds.
    pub unhealthy_draining_interval: Time,
    /// Probe interval in milliseconds.
    pub interval: Time,
    /// Probes that must pass.
    pub healthy_threshold: u32,
    /// Probes that must fail.
    pub unhealthy_threshold: u32,
    /// Targets, in the order of their first registration.
    pub targets: Vec<Target>,
    /// Labels that a node must have to be a target.
    pub node_labels: BTreeMap<String, String>,
    /// What the next sync of its controller changes, where it is not what the Service's annotations say.
    pub drift: Option<Drift>,
    /// Raised with every transition.
    pub(super) version: u32,
    pub(super) routes: Vec<Route>,
    /// Per zone of `zones`: in DNS, and since when.
    pub(super) resolves: Vec<(bool, Time)>,
    /// Per zone of `zones`: the entry by which its last healthy target was lost, so that it fails open.
    pub(super) lost_health: Vec<EntryId>,
    /// Some target is healthy.
    pub(super) healthy: bool,
    /// The entry by which the last healthy target of all was lost, the last time: every zone stood in DNS then, and
    /// stands in clients' caches for a while after.
    pub(super) lost_all_health: EntryId,
    /// The entry of the last transition of any target.
    pub(super) entry: EntryId,
}

impl TargetGroup {
    /// Keeps since which entry load balancer nodes have no healthy target to choose from.
    pub(super) fn note_health(&mut self, entry: EntryId) {
        let healthy = |zone: Option<ZoneId>| {
            let mut targets = self.targets.iter();
            targets.any(|t| t.state == TargetState::Healthy && zone.is_none_or(|zone| t.zone == zone))
        };
        let noted = |healthy: bool, lost: EntryId| match (healthy, lost) {
            (true, _) => START,
            (false, START) => entry,
            (false, earlier) => earlier,
        };
        let scope = |zone: &ZoneId| Some(*zone).filter(|_| !self.cross_zone);
        let lost_health =
            self.zones.iter().zip(&self.lost_health).map(|(zone, &lost)| noted(healthy(scope(zone)), lost));
        let lost_health = lost_health.collect();
        let healthy = healthy(None);
        self.lost_health = lost_health;
        if self.healthy && !healthy {
            self.lost_all_health = entry;
        }
        self.healthy = healthy;
    }

    /// Why a connect was sent to this target: its own last transition, or what made its zone, or all zones,
    /// fail open.
    pub(super) fn why_chosen(&self, target: u32, zone: usize, now: Time) -> EntryId {
        let target = &self.targets[target as usize];
        let meant = target.state == TargetState::Healthy || target.stale_until > now;
        if meant { target.entry } else { target.entry.max(self.lost_health[zone]).max(self.lost_all_health) }
    }
}

/// What a controller finds other than it would have made it, and makes so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drift {
    /// The health check or the protocol differs: the group is replaced by a new one, and deleted.
    pub replaced: bool,
    /// Cross-zone load balancing as it is to be.
    pub cross_zone: bool,
    /// Probe interval as it is to be, in milliseconds.
    pub interval: Time,
    /// Probes that must pass.
    pub healthy_threshold: u32,
    /// Probes that must fail.
    pub unhealthy_threshold: u32,
}

impl TargetGroup {
    /// Its load balancer's traffic is simulated.
    pub fn carries_traffic(&self) -> bool {
        self.kind != aws::LoadBalancerKind::Application
    }
}

/// The targets that one zone's load balancer nodes choose from, until something changes.
#[derive(Debug, Clone, Default)]
pub(super) struct Route {
    version: u32,
    valid_until: Time,
    candidates: Vec<u32>,
}

impl World {
    /// The state of target health as DescribeTargetHealth shows it.
    pub fn target_groups(&self) -> &[TargetGroup] {
        &self.target_groups
    }

    // ---- registration ----

    fn register(&mut self, group: TargetGroupId, key: TargetKey, cause: EntryId) {
        let (zone, node) = match key {
            TargetKey::Instance(instance) => {
                let instance = &self.instances[instance.index()];
                (instance.zone, instance.node)
            }
            TargetKey::Pod(pod) => {
                let Some(node) = self.pods.last(pod).node else { return };
                (self.node_states[node.index()].zone, Some(node))
            }
        };
        let now = self.now;
        let targets = &mut self.target_groups[group.index()].targets;
        let index = match targets.iter().position(|target| target.key == key) {
            Some(index) => index,
            None => {
                targets.push(Target {
                    key,
                    zone,
                    node,
                    state: TargetState::Unused,
                    since: now,
                    stale_until: 0,
                    passes: false,
                    checking: false,
                    generation: 0,
                    entry: cause,
                });
                targets.len() - 1
            }
        };
        let target = &mut targets[index];
        target.node = node;
        target.checking = false;
        target.generation += 1;
        let generation = target.generation;
        self.target_becomes(group, index, TargetState::Initial, cause);
        let at = now + self.parameters.nlb_registration_delay;
        self.queue.push(at, Event::TargetRegistered(group, index as u32, generation), cause);
    }

    fn deregister(&mut self, group: TargetGroupId, index: usize, cause: EntryId) {
        let delay = self.target_groups[group.index()].deregistration_delay;
        self.target_becomes(group, index, TargetState::Draining, cause);
        let target = &self.target_groups[group.index()].targets[index];
        let entry = target.entry;
        self.queue.push(self.now + delay, Event::TargetDrained(group, index as u32), entry);
    }

    /// The end of the deregistration delay.
    pub(super) fn target_drained(&mut self, group: TargetGroupId, index: u32, cause: EntryId) {
        let target = &self.target_groups[group.index()].targets[index as usize];
        if target.state != TargetState::Draining
            || target.since + self.target_groups[group.index()].deregistration_delay > self.now
        {
            return;
        }
        self.target_becomes(group, index as usize, TargetState::Unused, cause);
        if self.target_groups[group.index()].deregistration_cuts {
            let entry = self.target_groups[group.index()].targets[index as usize].entry;
            self.cut_target(group, index, entry);
        }
    }

    /// Registration has reached the load balancer's nodes: probes begin.
    pub(super) fn target_registered(
        &mut self,
        group: TargetGroupId,
        index: u32,
        generation: u32,
        cause: EntryId,
    ) {
        let target = &mut self.target_groups[group.index()].targets[index as usize];
        if target.generation != generation || target.state != TargetState::Initial {
            return;
        }
        target.checking = true;
        target.passes = false;
        target.generation += 1;
        self.target_groups[group.index()].version += 1;
        let passes = self.passes(group, index as usize);
        self.plan_transition(group, index as usize, passes, cause);
    }

    // ---- health ----

    /// What a probe of a target finds now.
    pub(super) fn passes(&self, group: TargetGroupId, index: usize) -> bool {
        let owner = &self.target_groups[group.index()];
        let target = &owner.targets[index];
        let Some(node) = target.node else { return false };
        if !self.node_states[node.index()].up {
            return false;
        }
        match target.key {
            TargetKey::Pod(pod) => self.accepts(pod),
            TargetKey::Instance(_) if self.services.last(owner.service).local => {
                self.local_ready(node, owner.service) > 0
            }
            TargetKey::Instance(_) => {
                self.known_version(node, owner.service).is_some_and(|version| !usable(version).is_empty())
            }
        }
    }

    /// Something that probes look at may have changed.
    pub(super) fn probe_changes(&mut self, group: TargetGroupId, index: u32, cause: EntryId) {
        let target = &self.target_groups[group.index()].targets[index as usize];
        if !target.checking || target.state == TargetState::Unused {
            return;
        }
        let passes = self.passes(group, index as usize);
        if passes != target.passes {
            self.plan_transition(group, index as usize, passes, cause);
        }
    }

    /// Plans the transition that follows if probes keep finding the same: threshold probes, on the group's interval.
    fn plan_transition(&mut self, group: TargetGroupId, index: usize, passes: bool, cause: EntryId) {
        let now = self.now;
        let phase_bits = self.seed.hash(&[0x7072_6f62, u64::from(group.0), index as u64]);
        let owner = &mut self.target_groups[group.index()];
        let interval = owner.interval.max(1);
        let target = &mut owner.targets[index];
        target.passes = passes;
        target.generation += 1;
        let threshold = match (passes, target.state) {
            (true, TargetState::Initial)
                if self.parameters.nlb_checks_to_first_healthy == FirstHealthy::OneCheck =>
            {
                1
            }
            (true, _) => owner.healthy_threshold,
            (false, _) => owner.unhealthy_threshold,
        };
        let phase = loadgen::chance::below(phase_bits, interval);
        let first = now + (interval + phase - now % interval) % interval;
        let at = first + u64::from(threshold.max(1) - 1) * interval;
        let event = Event::TargetHealth(group, index as u32, target.generation);
        self.queue.push(at, event, cause);
    }

    /// Enough probes have agreed.
    pub(super) fn target_health(
        &mut self,
        group: TargetGroupId,
        index: u32,
        generation: u32,
        cause: EntryId,
    ) {
        let owner = &self.target_groups[group.index()];
        let target = &owner.targets[index as usize];
        if target.generation != generation || !target.checking {
            return;
        }
        let (state, passes) = (target.state, target.passes);
        match (state, passes) {
            (TargetState::Unused, _) | (TargetState::Draining, true) => {}
            (TargetState::Draining, false) => {
                // Documentation hints that a draining target that fails its checks is treated as unhealthy.
                if owner.unhealthy_cuts
                    && self.parameters.nlb_draining_unhealthy_cuts
                    && !self.fails_open(group)
                {
                    self.cut_target(group, index, cause);
                }
            }
            (_, true) => self.target_becomes(group, index as usize, TargetState::Healthy, cause),
            (_, false) => {
                let draining = !owner.unhealthy_cuts && owner.unhealthy_draining_interval > 0;
                let next = if draining { TargetState::UnhealthyDraining } else { TargetState::Unhealthy };
                let cuts = owner.unhealthy_cuts;
                self.target_becomes(group, index as usize, next, cause);
                if cuts && !self.fails_open(group) {
                    let entry = self.target_groups[group.index()].targets[index as usize].entry;
                    self.cut_target(group, index, entry);
                }
            }
        }
    }

    /// No target is healthy in any zone: traffic goes to all of them, and flows are left alone.
    fn fails_open(&self, group: TargetGroupId) -> bool {
        !self.target_groups[group.index()].targets.iter().any(|target| target.state == TargetState::Healthy)
    }

    fn target_becomes(&mut self, group: TargetGroupId, index: usize, state: TargetState, cause: EntryId) {
        let what = match state {
            TargetState::Initial => What::TargetInitial,
            TargetState::Healthy => What::TargetHealthy,
            TargetState::Unhealthy | TargetState::UnhealthyDraining => What::TargetUnhealthy,
            TargetState::Draining => What::TargetDraining,
            TargetState::Unused => What::TargetUnused,
        };
        let entry = self.record(cause, Subject::Target(group, index as u32), what);
        let now = self.now;
        let bits = self.seed.hash(&[0x7374_616c, u64::from(group.0), index as u64, now]);
        let window = match state {
            TargetState::Draining => self.parameters.nlb_dereg_propagation,
            TargetState::Unhealthy | TargetState::UnhealthyDraining => {
                self.parameters.nlb_unhealthy_propagation
            }
            _ => 0,
        };
        // The last load balancer node learns of it at the end of the window, or somewhat before.
        let window = window - loadgen::chance::below(bits, window / 4 + 1);
        let owner = &mut self.target_groups[group.index()];
        let target = &mut owner.targets[index];
        target.stale_until = match target.state {
            TargetState::Healthy => now + window,
            _ => target.stale_until,
        };
        if matches!(state, TargetState::Healthy | TargetState::Initial) {
            target.stale_until = 0;
        }
        target.state = state;
        target.since = now;
        target.entry = entry;
        owner.version += 1;
        owner.entry = entry;
        owner.note_health(entry);
        let service = owner.service;
        self.update_names(group);
        self.measure_capacity(service, entry);
    }

    /// A zone leaves DNS when it has no healthy target, unless no zone has one.
    pub(super) fn update_names(&mut self, group: TargetGroupId) {
        let now = self.now;
        let owner = &mut self.target_groups[group.index()];
        let healthy = |zone: Option<ZoneId>| {
            owner.targets.iter().any(|target| {
                target.state == TargetState::Healthy && zone.is_none_or(|zone| target.zone == zone)
            })
        };
        let anywhere = healthy(None);
        let resolves: Vec<bool> =
            owner.zones.iter().map(|&zone| !anywhere || owner.cross_zone || healthy(Some(zone))).collect();
        for (slot, now_resolves) in owner.resolves.iter_mut().zip(resolves) {
            if slot.0 != now_resolves {
                *slot = (now_resolves, now);
            }
        }
    }

    /// Targets that the load balancer nodes of a zone choose from now.
    pub(super) fn candidates(&mut self, group: TargetGroupId, zone_index: usize) -> &[u32] {
        let now = self.now;
        let initial = self.parameters.nlb_initial_gets_traffic;
        let owner = &mut self.target_groups[group.index()];
        let route = &owner.routes[zone_index];
        if route.version != owner.version || now >= route.valid_until {
            let zone = owner.zones[zone_index];
            let in_scope = |target: &Target| owner.cross_zone || target.zone == zone;
            let mut valid_until = Time::MAX;
            let mut candidates = Vec::new();
            let mut healthy = false;
            for (index, target) in owner.targets.iter().enumerate().filter(|(_, target)| in_scope(target)) {
                healthy |= target.state == TargetState::Healthy;
                let stale = target.stale_until > now;
                if stale {
                    valid_until = valid_until.min(target.stale_until);
                }
                if target.state == TargetState::Healthy
                    || stale
                    || initial && target.checking && target.state == TargetState::Initial
                {
                    candidates.push(index as u32);
                }
            }
            // A Classic Load Balancer without a healthy instance answers nobody.
            if !healthy && owner.kind != aws::LoadBalancerKind::Classic {
                // Fail open: all registered targets of the scope.
                for (index, target) in owner.targets.iter().enumerate().filter(|(_, target)| in_scope(target))
                {
                    let registered = matches!(
                        target.state,
                        TargetState::Initial | TargetState::Unhealthy | TargetState::UnhealthyDraining
                    );
                    if registered && !candidates.contains(&(index as u32)) {
                        candidates.push(index as u32);
                    }
                }
            }
            owner.routes[zone_index] = Route { version: owner.version, valid_until, candidates };
        }
        &self.target_groups[group.index()].routes[zone_index].candidates
    }

    // ---- cloud controller manager ----

    /// A node event that the service controller acts on.
    pub(super) fn mark_controller_pass(&mut self, cause: EntryId) {
        self.mark_all_load_balancer_controllers(cause);
        if self.controller.pass_planned {
            return;
        }
        self.controller.pass_planned = true;
        if !self.controller.busy {
            let at = self.now + self.watch_lag();
            self.queue.push(at, Event::ControllerPass, cause);
        }
    }

    /// One pass over all load-balanced Services, one after the other.
    pub(super) fn controller_pass(&mut self, cause: EntryId) {
        self.controller.pass_planned = false;
        self.controller.busy = true;
        self.controller.nodes = self.controller_nodes();
        self.controller.services = self
            .services
            .iter()
            .filter(|&(id, _)| {
                self.service_states[id.index()].target_groups.iter().any(|group| {
                    self.target_groups[group.index()].controller == aws::Controller::CloudControllerManager
                }) && self.service_states[id.index()].applied_nodes != self.controller.nodes
            })
            .map(|(id, _)| id)
            .collect();
        self.controller.services.reverse();
        self.next_controller_service(cause);
    }

    /// Nodes that the service controller keeps among the targets.
    pub(super) fn controller_nodes(&self) -> Vec<NodeId> {
        self.nodes
            .iter()
            .filter(|&(id, node)| {
                node.instance.is_some() && controllers::in_load_balancer(&self.seen_node(id))
            })
            .map(|(id, _)| id)
            .collect()
    }

    /// What the controller of a target group wants registered now.
    pub(super) fn wanted_targets(&self, group: TargetGroupId) -> Vec<TargetKey> {
        let owner = &self.target_groups[group.index()];
        match owner.controller {
            aws::Controller::AwsLoadBalancerController if owner.ip_targets => self.wanted_pods(owner.service),
            aws::Controller::AwsLoadBalancerController => self.wanted_nodes(group),
            aws::Controller::CloudControllerManager => self.as_targets(group, &self.controller_nodes()),
        }
    }

    /// The instances of nodes, as far as they run and the Service's annotation lets their labels pass.
    fn as_targets(&self, group: TargetGroupId, nodes: &[NodeId]) -> Vec<TargetKey> {
        let wanted = &self.target_groups[group.index()].node_labels;
        nodes
            .iter()
            .map(|&node| self.nodes.last(node))
            .filter(|node| wanted.iter().all(|(key, value)| node.meta.labels.get(key) == Some(value)))
            .filter_map(|node| node.instance)
            .filter(|instance| self.instances[instance.index()].runs())
            .map(TargetKey::Instance)
            .collect()
    }

    fn next_controller_service(&mut self, cause: EntryId) {
        if self.controller.services.is_empty() {
            self.controller.busy = false;
            if self.controller.pass_planned {
                self.queue.push(self.now + 1, Event::ControllerPass, cause);
            }
            return;
        }
        // More workers share the Services; the time a Service takes shrinks in proportion.
        let each = self.parameters.ccm_ensure_time / u64::from(self.parameters.ccm_workers.max(1));
        self.queue.push(self.now + each.max(1), Event::ControllerService, cause);
    }

    pub(super) fn controller_service(&mut self, cause: EntryId) {
        let Some(service) = self.controller.services.pop() else { return };
        let nodes = self.controller.nodes.clone();
        for group in self.service_states[service.index()].target_groups.clone() {
            if self.target_groups[group.index()].controller == aws::Controller::CloudControllerManager {
                if let Some(drift) = self.target_groups[group.index()].drift.take() {
                    self.undo_drift(group, drift, cause);
                }
                let wanted = self.as_targets(group, &nodes);
                self.set_targets(group, &wanted, cause);
            }
        }
        self.service_states[service.index()].applied_nodes = nodes;
        self.next_controller_service(cause);
    }

    /// An update of nodes runs the whole ensure path, which makes the group what the annotations say. One whose health
    /// check or protocol differs is replaced: a new group is made, the listener switched, the old group deleted at once.
    /// That its flows end with it is assumed: nothing is left that would forward them.
    /// Source: cloud-provider-aws, `ensureLoadBalancerv2` and `reconcileLBAttributes`.
    fn undo_drift(&mut self, group: TargetGroupId, drift: Drift, cause: EntryId) {
        let owner = &mut self.target_groups[group.index()];
        owner.cross_zone = drift.cross_zone;
        owner.version += 1;
        if drift.replaced {
            owner.interval = drift.interval;
            owner.healthy_threshold = drift.healthy_threshold;
            owner.unhealthy_threshold = drift.unhealthy_threshold;
            for index in 0..self.target_groups[group.index()].targets.len() {
                if self.target_groups[group.index()].targets[index].state != TargetState::Unused {
                    self.target_unused(group, index, cause);
                    let entry = self.target_groups[group.index()].targets[index].entry;
                    self.cut_target(group, index as u32, entry);
                }
            }
        }
        self.update_names(group);
        let service = self.target_groups[group.index()].service;
        self.measure_capacity(service, cause);
    }

    /// Deregisters first, then registers; draining targets do not count as registered.
    fn set_targets(&mut self, group: TargetGroupId, wanted: &[TargetKey], cause: EntryId) {
        let registered =
            |target: &Target| !matches!(target.state, TargetState::Draining | TargetState::Unused);
        for index in 0..self.target_groups[group.index()].targets.len() {
            let target = &self.target_groups[group.index()].targets[index];
            if registered(target) && !wanted.contains(&target.key) {
                self.deregister(group, index, cause);
            }
        }
        for &key in wanted {
            let targets = &self.target_groups[group.index()].targets;
            if !targets.iter().any(|target| target.key == key && registered(target)) {
                self.register(group, key, cause);
            }
        }
    }

    // ---- AWS Load Balancer Controller ----

    pub(super) fn mark_all_load_balancer_controllers(&mut self, cause: EntryId) {
        for service in 0..self.service_states.len() {
            let id = ServiceId::from(service);
            let instances = self.service_states[service].target_groups.iter().any(|group| {
                let group = &self.target_groups[group.index()];
                group.controller == aws::Controller::AwsLoadBalancerController && !group.ip_targets
            });
            if instances {
                self.mark_load_balancer_controller(id, cause);
            }
        }
    }

    pub(super) fn mark_load_balancer_controller(&mut self, service: ServiceId, cause: EntryId) {
        let ours = self.service_states[service.index()].target_groups.iter().any(|group| {
            self.target_groups[group.index()].controller == aws::Controller::AwsLoadBalancerController
        });
        if !ours || self.service_states[service.index()].controller_pending {
            return;
        }
        self.service_states[service.index()].controller_pending = true;
        let at = self.now + self.watch_lag() + self.parameters.lbc_reconcile;
        self.queue.push(at, Event::LoadBalancerController(service), cause);
    }

    pub(super) fn load_balancer_controller(&mut self, service: ServiceId, cause: EntryId) {
        if !self.load_balancer_controller_leads() {
            self.await_load_balancer_leader(service, cause);
            return;
        }
        self.service_states[service.index()].controller_pending = false;
        for group in self.service_states[service.index()].target_groups.clone() {
            if self.target_groups[group.index()].controller == aws::Controller::AwsLoadBalancerController {
                let wanted = self.wanted_targets(group);
                self.set_targets(group, &wanted, cause);
            }
        }
    }

    fn wanted_pods(&self, service: ServiceId) -> Vec<TargetKey> {
        let state = &self.service_states[service.index()];
        let ready = state.versions.last().map(|version| version.ready.clone()).unwrap_or_default();
        let mut wanted: Vec<TargetKey> = ready.iter().map(|endpoint| TargetKey::Pod(endpoint.pod)).collect();
        // A pod that only waits for its readiness gate is registered as well, or the gate could never open.
        for &pod in &state.members {
            if self.pods.get(pod).is_some_and(|pod| pod.active() && !pod.ready)
                && !self.pod_states[pod.index()].gate
                && self.accepts(pod)
            {
                wanted.push(TargetKey::Pod(pod));
            }
        }
        wanted
    }

    fn wanted_nodes(&self, group: TargetGroupId) -> Vec<TargetKey> {
        let ids: Vec<NodeId> = self.nodes.iter().map(|(id, _)| id).collect();
        let seen: Vec<controllers::Node<'_>> = ids.iter().map(|&id| self.seen_node(id)).collect();
        let nodes: Vec<NodeId> =
            controllers::aws_targets(&seen).into_iter().map(|index| ids[index]).collect();
        self.as_targets(group, &nodes)
    }

    fn seen_node(&self, id: NodeId) -> controllers::Node<'_> {
        let node = self.nodes.last(id);
        let labels = &node.meta.labels;
        controllers::Node {
            exclude_label: labels.get(controllers::EXCLUDE_LABEL).map(String::as_str),
            taints: &self.node_states[id.index()].taints,
            ready: match node.ready {
                ReadyCondition::True => ConditionStatus::True,
                ReadyCondition::False => ConditionStatus::False,
                ReadyCondition::Unknown => ConditionStatus::Unknown,
            },
            deleting: node.meta.deletion_at.is_some(),
            provider_id: node.provider_id.as_deref().unwrap_or(""),
            aws_excluded: labels.contains_key("node-role.kubernetes.io/master")
                || labels.contains_key("alpha.service-controller.kubernetes.io/exclude-balancer")
                || labels.get("eks.amazonaws.com/compute-type").map(String::as_str) == Some("fargate"),
        }
    }

    /// The readiness gate's condition follows the target's health, at the controller's poll.
    pub(super) fn gate_condition(&mut self, pod: PodId, cause: EntryId) {
        if !self.pods.get(pod).is_some_and(|state| state.active()) || self.pod_states[pod.index()].gate {
            return;
        }
        let healthy = self.target_groups.iter().all(|group| {
            group
                .targets
                .iter()
                .filter(|target| target.key == TargetKey::Pod(pod))
                .all(|target| target.state == TargetState::Healthy)
        }) && self
            .target_groups
            .iter()
            .any(|group| group.targets.iter().any(|t| t.key == TargetKey::Pod(pod)));
        if healthy && self.load_balancer_controller_leads() {
            self.pod_states[pod.index()].gate = true;
            self.set_ready(pod, true, cause);
        } else {
            self.queue.push(self.now + self.parameters.lbc_gate_poll, Event::GateCondition(pod), cause);
        }
    }
}

/// The service controller's state between events.
#[derive(Debug, Clone, Default)]
pub(super) struct ServiceController {
    pub(super) pass_planned: bool,
    pub(super) busy: bool,
    pub(super) nodes: Vec<NodeId>,
    pub(super) services: Vec<ServiceId>,
}

impl World {
    /// An instance that is gone leaves its target groups at once.
    pub(super) fn target_unused(&mut self, group: TargetGroupId, index: usize, cause: EntryId) {
        self.target_becomes(group, index, TargetState::Unused, cause);
        self.target_groups[group.index()].targets[index].stale_until = 0;
    }
}
