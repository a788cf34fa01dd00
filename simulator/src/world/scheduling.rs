//! The scheduler's queue, and what it sees of the cluster for one pod.

use super::{
    World,
    ids::{EntryId, NodeId, PodId},
    log::{Subject, What},
    objects::{Pod, PodOwner},
    queue::Event,
    spec::{Spread, Topology},
};
use crate::scheduler;

/// The scheduler's state between events.
#[derive(Debug, Clone, Default)]
pub(super) struct Scheduler {
    /// Pods to try, in the order of their arrival.
    active: Vec<PodId>,
    /// Pods that fit nowhere, until something changes.
    unschedulable: Vec<PodId>,
    planned: bool,
    /// Nodes that exist, and their states in the same order.
    nodes: Vec<NodeId>,
    states: Vec<scheduler::NodeState>,
    slots: Vec<Option<u32>>,
    /// Where the next decision starts to look.
    start: usize,
    /// Pods on nodes that have required anti-affinity terms.
    refusing: Vec<PodId>,
}

impl Scheduler {
    fn slot(&self, node: NodeId) -> Option<usize> {
        self.slots.get(node.index()).copied().flatten().map(|slot| slot as usize)
    }

    fn add(&mut self, node: NodeId) -> usize {
        let slot = self.nodes.len();
        if self.slots.len() <= node.index() {
            self.slots.resize(node.index() + 1, None);
        }
        self.slots[node.index()] = Some(slot as u32);
        self.nodes.push(node);
        self.states.push(scheduler::NodeState::default());
        slot
    }

    fn remove(&mut self, node: NodeId) {
        let Some(slot) = self.slot(node) else { return };
        self.slots[node.index()] = None;
        self.nodes.swap_remove(slot);
        self.states.swap_remove(slot);
        if let Some(&moved) = self.nodes.get(slot) {
            self.slots[moved.index()] = Some(slot as u32);
        }
    }

    pub(super) fn first_unschedulable(&self) -> Option<PodId> {
        self.unschedulable.first().copied()
    }
}

impl World {
    pub(super) fn enqueue_pod(&mut self, id: PodId, cause: EntryId) {
        if std::mem::replace(&mut self.pod_states[id.index()].queued, true) {
            return;
        }
        self.scheduler.active.push(id);
        self.plan_schedule(cause);
    }

    fn plan_schedule(&mut self, cause: EntryId) {
        if !self.scheduler.planned && !self.scheduler.active.is_empty() {
            self.scheduler.planned = true;
            let at = self.now + self.parameters.scheduler_bind.max(1);
            self.queue.push(at, Event::Schedule, cause);
        }
    }

    /// Something changed that may make room: pods that fitted nowhere are tried again when their backoff is over.
    pub(super) fn wake_scheduler(&mut self, cause: EntryId) {
        for id in std::mem::take(&mut self.scheduler.unschedulable) {
            let ready_at = self.pod_states[id.index()].backoff_until;
            self.queue.push(ready_at.max(self.now + 1), Event::ScheduleAgain(id), cause);
        }
    }

    pub(super) fn schedule_again(&mut self, id: PodId, cause: EntryId) {
        if self.pods.get(id).is_some_and(|pod| pod.node.is_none() && pod.active()) {
            self.enqueue_pod(id, cause);
        }
    }

    /// Takes the first pod of the highest priority and looks for its node.
    pub(super) fn schedule(&mut self, cause: EntryId) {
        self.scheduler.planned = false;
        let priority = |id: &PodId| self.specs[self.pods.last(*id).spec.index()].priority;
        let Some(highest) = self.scheduler.active.iter().map(priority).max() else { return };
        let position =
            self.scheduler.active.iter().position(|id| priority(id) == highest).expect("one has it");
        let id = self.scheduler.active.remove(position);
        self.pod_states[id.index()].queued = false;
        if self.pods.get(id).is_some_and(|pod| pod.node.is_none() && pod.active()) {
            let created = self.pod_states[id.index()].entry;
            match self.find_node(id) {
                Ok(node) => self.bind(id, node, created),
                Err(message) => self.no_node(id, message, created),
            }
        }
        self.plan_schedule(cause);
    }

    fn no_node(&mut self, id: PodId, message: String, cause: EntryId) {
        let state = &mut self.pod_states[id.index()];
        state.attempts += 1;
        // 1, 2, 4, 8 seconds, then 10, flushed each second.
        let backoff = self.parameters.scheduler_backoff << (state.attempts - 1).min(6);
        let backoff = backoff.min(self.parameters.scheduler_backoff_max);
        let flush = self.parameters.scheduler_flush.max(1);
        state.backoff_until = (self.now + backoff).div_ceil(flush) * flush;
        self.scheduler.unschedulable.push(id);
        if self.pods.last(id).unschedulable.as_deref() != Some(message.as_str()) {
            let entry = self.record(cause, Subject::Pod(id), What::Unschedulable);
            self.pods.edit(id).unschedulable = Some(message.into());
            self.pod_changed(id, entry);
        }
        self.mark_scan(cause);
    }

    /// A volume that one node may mount is mounted elsewhere.
    pub(super) fn volume_busy(&self, id: PodId, node: NodeId) -> bool {
        let pod = self.pods.last(id);
        self.claims_of(id).any(|(name, claim)| {
            claim.single_node
                && self.pods.iter().any(|(other, state)| {
                    other != id
                        && state.node.is_some_and(|elsewhere| elsewhere != node)
                        && !state.finished()
                        && state.meta.namespace == pod.meta.namespace
                        && self.claims_of(other).any(|(claimed, _)| claimed == name)
                })
        })
    }

    /// Claims that a pod mounts and that are known, those of its StatefulSet's templates included.
    pub fn claims_of(&self, id: PodId) -> impl Iterator<Item = (String, &super::build::Claim)> {
        let pod = self.pods.last(id);
        let spec = &self.specs[pod.spec.index()];
        let own = spec.claims.iter().map(|name| name.to_string());
        let templates = match pod.owner {
            super::objects::PodOwner::StatefulSet(set, ordinal) => {
                let set = self.stateful_sets.last(set);
                set.volume_claims.iter().map(|claim| format!("{claim}-{}-{ordinal}", set.meta.name)).collect()
            }
            _ => Vec::new(),
        };
        own.chain(templates).filter_map(move |name| {
            let key = (pod.meta.namespace.clone(), name.as_str().into());
            self.volumes.claims.get(&key).map(|claim| (name, claim))
        })
    }

    /// Shows the scheduler one pod and all nodes, and asks it.
    fn find_node(&mut self, id: PodId) -> Result<NodeId, String> {
        let pod = self.pods.last(id).clone();
        let spec = &self.specs[pod.spec.index()];
        let nodes = &self.scheduler.nodes;
        let named = |node: &NodeId| {
            let meta = &self.nodes.last(*node).meta;
            (meta.name.clone(), meta.labels.clone())
        };
        let affinity_allows: Option<Vec<bool>> = (!spec.node_affinity.requires_nothing()).then(|| {
            nodes.iter().map(named).map(|(name, labels)| spec.node_affinity.allows(&name, &labels)).collect()
        });
        let affinity_preference: Option<Vec<i64>> = (!spec.node_affinity.prefers_nothing()).then(|| {
            nodes
                .iter()
                .map(named)
                .map(|(name, labels)| spec.node_affinity.preference(&name, &labels))
                .collect()
        });
        let zoned: Vec<&super::build::Claim> =
            self.claims_of(id).map(|(_, claim)| claim).filter(|claim| !claim.zones.is_empty()).collect();
        let volumes_allow: Option<Vec<bool>> = (!zoned.is_empty()).then(|| {
            let reaches =
                |node: &NodeId| zoned.iter().all(|claim| claim.zones.contains(&self.nodes.last(*node).zone));
            nodes.iter().map(reaches).collect()
        });

        let hosts: Vec<u32> = (0..nodes.len() as u32).collect();
        let zones: Vec<u32> = nodes.iter().map(|node| self.node_states[node.index()].zone.0).collect();
        let domains = |topology: &Topology| match topology {
            Topology::Hostname => hosts.clone(),
            Topology::Zone => zones.clone(),
            Topology::Label(key) => self.label_domains(key),
        };
        // Constraints of its own, or else the default ones over the pods of its controller.
        let own: Vec<Counted> = spec
            .spread
            .iter()
            .map(|spread| {
                let matching = self
                    .label_sets
                    .matching(Some(std::slice::from_ref(&pod.meta.namespace)), &spread.selector);
                Counted {
                    domains: domains(&spread.topology),
                    matching: self.count_pods(&matching, false),
                    itself: spread.selector.matches(&pod.meta.labels),
                }
            })
            .collect();
        let of_kind = |hard: bool| -> Vec<scheduler::SpreadConstraint<'_>> {
            spec.spread
                .iter()
                .zip(&own)
                .filter(|(spread, _)| spread.hard == hard)
                .map(|(spread, counted)| counted.constraint(spread))
                .collect()
        };
        let (required, mut preferred) = (of_kind(true), of_kind(false));
        let siblings = self.count_siblings(&pod);
        let is_default = spec.spread.is_empty() && siblings.is_some();
        if let Some(siblings) = siblings.as_deref().filter(|_| is_default) {
            preferred.extend(scheduler::SpreadConstraint::default_for(&hosts, &zones, siblings));
        }

        let terms: Vec<Counted> = spec
            .affinity
            .iter()
            .map(|term| {
                let matching = self.label_sets.matching(term.namespaces.as_deref(), &term.selector);
                let itself = matching.get(pod.labels.index()).copied().unwrap_or(false);
                Counted {
                    domains: domains(&term.topology),
                    matching: self.count_pods(&matching, true),
                    itself,
                }
            })
            .collect();
        let which = |anti: bool| spec.affinity.iter().zip(&terms).filter(move |(term, _)| term.anti == anti);
        let required_affinity: Vec<scheduler::AffinityTerm<'_>> = which(false)
            .filter(|(term, _)| term.weight.is_none())
            .map(|(_, counted)| counted.term())
            .collect();
        let required_anti: Vec<scheduler::AffinityTerm<'_>> = which(true)
            .filter(|(term, _)| term.weight.is_none())
            .map(|(_, counted)| counted.term())
            .collect();
        let preferred_affinity: Vec<scheduler::PreferredTerm<'_>> = spec
            .affinity
            .iter()
            .zip(&terms)
            .filter_map(|pair| {
                let weight = pair.0.weight?;
                Some(scheduler::PreferredTerm {
                    weight: if pair.0.anti { -weight } else { weight },
                    term: pair.1.term(),
                })
            })
            .collect();
        let blocked = self.blocked_by_others(&pod);

        let request = scheduler::PodRequest {
            tolerations: &spec.tolerations,
            requests: scheduler::Resources { cpu_m: spec.cpu_milli, memory: spec.memory },
            requests_nonzero: scheduler::Resources {
                cpu_m: spec.nonzero_cpu_milli,
                memory: spec.nonzero_memory,
            },
            host_ports: &spec.host_ports,
            affinity_allows: affinity_allows.as_deref(),
            affinity_preference: affinity_preference.as_deref(),
            volumes_allow: volumes_allow.as_deref(),
            spread: scheduler::Spread { required: &required, preferred: &preferred, is_default },
            pod_affinity: scheduler::PodAffinity {
                required: &required_affinity,
                matches_itself: which(false)
                    .filter(|(term, _)| term.weight.is_none())
                    .all(|(_, counted)| counted.itself),
                required_anti: &required_anti,
                blocked: blocked.as_deref(),
                preferred: &preferred_affinity,
            },
            // Sizes of images are not in an export.
            images: &[],
            containers: spec.kubernetes.containers.len() as u32,
        };
        let decision =
            scheduler::schedule(&request, &self.scheduler.states, self.scheduler.start, &mut self.ties);
        self.scheduler.start = decision.next_start;
        match decision.chosen {
            Some(position) => Ok(self.scheduler.nodes[position]),
            None => Err(decision.failures.message(self.scheduler.nodes.len())),
        }
    }

    /// Domains of a topology key that is neither hostname nor zone, numbered in the order of their values.
    fn label_domains(&self, key: &str) -> Vec<u32> {
        let value = |node: &NodeId| self.nodes.last(*node).meta.labels.get(key);
        let mut values: Vec<&String> = self.scheduler.nodes.iter().filter_map(value).collect();
        values.sort_unstable();
        values.dedup();
        let domain = |node: &NodeId| {
            value(node)
                .and_then(|value| values.binary_search(&value).ok())
                .map_or(scheduler::NO_DOMAIN, |at| at as u32)
        };
        self.scheduler.nodes.iter().map(domain).collect()
    }

    /// Per node, its pods whose label set matches.
    fn count_pods(&self, matching: &[bool], terminating_too: bool) -> Vec<u32> {
        let counts = |id: &PodId| {
            let pod = self.pods.last(*id);
            matching.get(pod.labels.index()).copied().unwrap_or(false)
                && !pod.finished()
                && (terminating_too || !pod.terminating())
        };
        self.scheduler
            .nodes
            .iter()
            .map(|node| self.node_states[node.index()].pods.iter().filter(|id| counts(id)).count() as u32)
            .collect()
    }

    /// Per node, the pods of the same controller; `None` for a pod that no controller with a selector owns. A Service
    /// narrows nothing: whatever selects this pod selects its siblings.
    fn count_siblings(&self, pod: &Pod) -> Option<Vec<u32>> {
        let siblings = match pod.owner {
            PodOwner::ReplicaSet(set) => self.owners.pods_of_set(set),
            PodOwner::StatefulSet(set, _) => self.owners.pods_of_stateful_set(set),
            _ => return None,
        };
        let mut counts = vec![0; self.scheduler.nodes.len()];
        for &id in siblings {
            let sibling = self.pods.last(id);
            let slot = sibling.node.and_then(|node| self.scheduler.slot(node));
            if let Some(slot) = slot.filter(|_| sibling.active()) {
                counts[slot] += 1;
            }
        }
        Some(counts)
    }

    /// Per node, whether a pod that runs in one of its domains refuses this one by a required anti-affinity term.
    fn blocked_by_others(&self, pod: &Pod) -> Option<Vec<bool>> {
        let mut blocked: Option<Vec<bool>> = None;
        for &other in &self.scheduler.refusing {
            let Some(state) = self.pods.get(other).filter(|state| !state.finished()) else { continue };
            let Some(node) = state.node else { continue };
            let spec = &self.specs[state.spec.index()];
            for term in spec.affinity.iter().filter(|term| term.anti && term.weight.is_none()) {
                let named = term.namespaces.as_ref().is_none_or(|names| names.contains(&pod.meta.namespace));
                if !named || !term.selector.matches(&pod.meta.labels) {
                    continue;
                }
                let Some(domain) = self.domain_of(node, &term.topology) else { continue };
                let blocked = blocked.get_or_insert_with(|| vec![false; self.scheduler.nodes.len()]);
                for (slot, &candidate) in self.scheduler.nodes.iter().enumerate() {
                    blocked[slot] |= self.domain_of(candidate, &term.topology).as_ref() == Some(&domain);
                }
            }
        }
        blocked
    }

    fn domain_of(&self, node: NodeId, topology: &Topology) -> Option<String> {
        let labels = &self.nodes.last(node).meta.labels;
        match topology {
            Topology::Hostname => Some(node.0.to_string()),
            Topology::Zone => Some(self.node_states[node.index()].zone.0.to_string()),
            Topology::Label(key) => labels.get(&**key).cloned(),
        }
    }

    // ---- nodes as the scheduler sees them ----

    /// A node exists, or has changed.
    pub(super) fn scheduler_sees_node(&mut self, id: NodeId) {
        if !self.nodes.exists(id) {
            self.scheduler.remove(id);
            return;
        }
        let node = self.nodes.last(id);
        let slot = match self.scheduler.slot(id) {
            Some(slot) => slot,
            None => self.scheduler.add(id),
        };
        let state = &mut self.scheduler.states[slot];
        state.unschedulable = node.unschedulable;
        state.allocatable = scheduler::Resources { cpu_m: node.cpu_milli, memory: node.memory };
        state.pods_allowed = u32::try_from(node.pods).unwrap_or(0);
        let taints = &self.node_states[id.index()].taints;
        if state.taints != **taints {
            state.taints = taints.to_vec();
        }
    }

    /// A pod takes its share of its node, or gives it back.
    pub(super) fn take_share(&mut self, id: PodId, takes: bool) {
        if std::mem::replace(&mut self.pod_states[id.index()].takes_share, takes) == takes {
            return;
        }
        let pod = self.pods.last(id);
        let Some(node) = pod.node else { return };
        let spec = &self.specs[pod.spec.index()];
        self.node_states[node.index()].requested.change(spec, if takes { 1 } else { -1 });
        if spec.affinity.iter().any(|term| term.anti && term.weight.is_none()) {
            if takes {
                self.scheduler.refusing.push(id);
            } else {
                self.scheduler.refusing.retain(|&other| other != id);
            }
        }
        let Some(slot) = self.scheduler.slot(node) else { return };
        let requests = scheduler::Resources { cpu_m: spec.cpu_milli, memory: spec.memory };
        let nonzero = scheduler::Resources { cpu_m: spec.nonzero_cpu_milli, memory: spec.nonzero_memory };
        let state = &mut self.scheduler.states[slot];
        if takes {
            state.on_bound(requests, nonzero, &spec.host_ports);
        } else {
            state.on_released(requests, nonzero, &spec.host_ports);
        }
    }
}

/// Domains and matching pods per node, and whether the pod matches itself.
struct Counted {
    domains: Vec<u32>,
    matching: Vec<u32>,
    itself: bool,
}

impl Counted {
    fn constraint(&self, spread: &Spread) -> scheduler::SpreadConstraint<'_> {
        scheduler::SpreadConstraint {
            max_skew: spread.max_skew,
            min_domains: spread.min_domains,
            matches_itself: self.itself,
            is_hostname: spread.topology == Topology::Hostname,
            honors_affinity: spread.honor_affinity,
            honors_taints: spread.honor_taints,
            domains: &self.domains,
            matching: &self.matching,
        }
    }

    fn term(&self) -> scheduler::AffinityTerm<'_> {
        scheduler::AffinityTerm { domains: &self.domains, matching: &self.matching }
    }
}
