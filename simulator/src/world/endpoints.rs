//! Endpoints of Services, and what each node's kube-proxy knows of them.
//!
//! Nothing is copied to the nodes: a proxy's knowledge is the newest version of the endpoints that is older than its
//! lag, computed when somebody asks.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    Time, World,
    ids::{EntryId, NodeId, PodId, ServiceId, TargetGroupId},
    log::{START, Subject, What},
    pods::Containers,
    queue::Event,
};
use crate::controllers::endpoint_slice;

/// One endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Endpoint {
    pub(super) node: NodeId,
    pub(super) pod: PodId,
}

/// A state of a Service's endpoints; both lists are ordered by node.
#[derive(Debug, Clone)]
pub(super) struct Version {
    pub(super) at: Time,
    pub(super) entry: EntryId,
    pub(super) ready: Arc<Vec<Endpoint>>,
    /// Serving and terminating: used where no ready one is left.
    pub(super) fallback: Arc<Vec<Endpoint>>,
}

/// A Service's state outside the API.
#[derive(Debug, Clone, Default)]
pub(super) struct ServiceState {
    /// Pods that its selector selects.
    pub(super) members: Vec<PodId>,
    /// Newest last; the first is the one before the others' lag.
    pub(super) versions: Vec<Version>,
    /// The entry by which a node lost its last endpoint, for nodes that have had one.
    pub(super) deserted: BTreeMap<NodeId, EntryId>,
    pub(super) pending: bool,
    pub(super) target_groups: Vec<TargetGroupId>,
    /// A sync of the AWS Load Balancer Controller is planned.
    pub(super) controller_pending: bool,
    /// The node set that the cloud controller manager last applied.
    pub(super) applied_nodes: Vec<NodeId>,
}

/// kube-proxy on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Proxy {
    /// Since when rules are in force.
    pub(super) since: Option<Time>,
    /// Since when they are no longer updated; they stay in force.
    pub(super) stopped_at: Option<Time>,
}

impl World {
    /// Plans a look at a Service's endpoints: soon after a change, a second after the last write under churn.
    pub(super) fn mark_endpoints(&mut self, service: ServiceId, cause: EntryId) {
        let state = &mut self.service_states[service.index()];
        if state.pending {
            return;
        }
        state.pending = true;
        let quiet_from =
            state.versions.last().map_or(0, |version| version.at + self.parameters.endpoints_stale_retry);
        let reacts = self.watch_lag() + self.parameters.endpoints_write;
        // Versions of the start of the run are old, whatever their time says.
        let churning =
            self.now > 0 && quiet_from > self.now && self.service_states[service.index()].versions.len() > 1;
        let at = if churning { quiet_from.max(self.now + reacts) } else { self.now + reacts };
        self.queue.push(at, Event::SyncEndpoints(service), cause);
    }

    /// The EndpointSlice controller looks at a Service.
    pub(super) fn sync_endpoints(&mut self, service: ServiceId, cause: EntryId) {
        self.service_states[service.index()].pending = false;
        if !self.services.exists(service) {
            return;
        }
        let publish = self.services.last(service).publish_not_ready;
        let (mut ready, mut fallback) = (Vec::new(), Vec::new());
        for &id in &self.service_states[service.index()].members {
            let Some(pod) = self.pods.get(id) else { continue };
            let Some(node) = pod.node else { continue };
            let Some(endpoint) = endpoint_slice::endpoint(
                &endpoint_slice::Pod {
                    phase: pod.phase,
                    has_address: pod.ip != 0,
                    ready: pod.ready,
                    terminating: pod.terminating(),
                    node_exists: self.nodes.exists(node),
                },
                publish,
            ) else {
                continue;
            };
            if endpoint.ready {
                ready.push(Endpoint { node, pod: id });
            } else if endpoint.serving && endpoint.terminating {
                fallback.push(Endpoint { node, pod: id });
            }
        }
        ready.sort_unstable();
        fallback.sort_unstable();
        let state = &self.service_states[service.index()];
        if let Some(last) = state.versions.last()
            && *last.ready == ready
            && *last.fallback == fallback
        {
            self.mark_load_balancer_controller(service, cause);
            return;
        }
        let what = What::EndpointsChanged { ready: ready.len() as u32, terminating: fallback.len() as u32 };
        let entry = self.record(cause, Subject::Service(service), what);
        let version = Version { at: self.now, entry, ready: Arc::new(ready), fallback: Arc::new(fallback) };
        self.add_version(service, version);
        self.sync_slice(service);
        self.measure_capacity(service, entry);
        self.mark_load_balancer_controller(service, entry);
    }

    fn add_version(&mut self, service: ServiceId, version: Version) {
        // Nothing lags more than this behind: the watch's delivery and the proxy's interval.
        let horizon = self.now.saturating_sub(self.watch_range().1 + self.parameters.kube_proxy_min_interval);
        let state = &mut self.service_states[service.index()];
        let known = state.versions.iter().rposition(|old| old.at <= horizon).unwrap_or(0);
        state.versions.drain(..known);
        let before = state.versions.last().cloned();
        if let Some(before) = &before {
            let nodes = before.ready.iter().chain(&*before.fallback).map(|endpoint| endpoint.node);
            let left = nodes.filter(|&node| {
                on_node(&version.ready, node).is_empty() && on_node(&version.fallback, node).is_empty()
            });
            state.deserted.extend(left.map(|node| (node, version.entry)));
        }
        state.versions.push(version);
        let Some(before) = before else { return };
        self.probe_inputs_change(service, &before);
    }

    /// Targets whose health check may answer differently once their proxy has seen the newest version.
    fn probe_inputs_change(&mut self, service: ServiceId, before: &Version) {
        let local = self.services.last(service).local;
        let newest =
            self.service_states[service.index()].versions.last().expect("one was just added").clone();
        for group in self.service_states[service.index()].target_groups.clone() {
            if self.target_groups[group.index()].ip_targets {
                continue;
            }
            for index in 0..self.target_groups[group.index()].targets.len() {
                let Some(node) = self.target_groups[group.index()].targets[index].node else { continue };
                let touched = if local {
                    on_node(&before.ready, node).is_empty() != on_node(&newest.ready, node).is_empty()
                } else {
                    usable(before).is_empty() != usable(&newest).is_empty()
                };
                if touched {
                    let at = self.now + self.proxy_lag(node, service, newest.at);
                    self.queue.push(at, Event::ProbeChanges(group, index as u32), newest.entry);
                }
            }
        }
    }

    fn proxy_lag(&self, node: NodeId, service: ServiceId, version_at: Time) -> Time {
        let bits = self.seed.hash(&[0x7072_6f78, u64::from(node.0), u64::from(service.0), version_at]);
        let p = &self.parameters;
        let (least, most) = self.watch_range();
        least
            + loadgen::chance::below(bits, most - least + 1)
            + loadgen::chance::below(loadgen::chance::mix(bits), p.kube_proxy_min_interval)
    }

    /// What the proxy of a node has in its rules now.
    pub(super) fn known_version(&self, node: NodeId, service: ServiceId) -> Option<&Version> {
        let proxy = self.node_states[node.index()].proxy;
        let since = proxy.since?;
        let as_of = proxy.stopped_at.unwrap_or(self.now).min(self.now);
        if since > self.now {
            return None;
        }
        let versions = &self.service_states[service.index()].versions;
        // What is older than the longest lag needs no draw; most of the time that is the newest.
        let longest_lag = self.watch_range().1 + self.parameters.kube_proxy_min_interval;
        versions
            .iter()
            .rev()
            .find(|version| {
                version.at <= since
                    || version.at + longest_lag <= as_of
                    || version.at + self.proxy_lag(node, service, version.at) <= as_of
            })
            .or(versions.first())
    }

    /// Endpoints that a node's proxy uses for new connections from outside.
    pub(super) fn external_endpoints<'a>(
        &self,
        version: &'a Version,
        node: NodeId,
        local: bool,
    ) -> &'a [Endpoint] {
        if !local {
            return usable(version);
        }
        let ready = on_node(&version.ready, node);
        if ready.is_empty() { on_node(&version.fallback, node) } else { ready }
    }

    /// Ready endpoints on a node, which its health-check node port counts.
    pub(super) fn local_ready(&self, node: NodeId, service: ServiceId) -> usize {
        self.known_version(node, service).map_or(0, |version| on_node(&version.ready, node).len())
    }

    /// Ready endpoints of a Service now, as the control plane has written them.
    pub fn ready_endpoints(&self, service: ServiceId) -> usize {
        self.service_states[service.index()].versions.last().map_or(0, |version| version.ready.len())
    }

    /// Cluster DNS has a ready endpoint, or there is no cluster DNS to ask.
    pub(super) fn dns_answers(&self) -> bool {
        self.dns.is_none_or(|service| self.ready_endpoints(service) > 0)
    }

    /// A kube-proxy pod started or stopped.
    pub(super) fn on_proxy_pod(&mut self, pod: PodId, node: NodeId, runs: bool) {
        if !self.is_proxy_pod(pod) {
            return;
        }
        let now = self.now;
        let proxy = &mut self.node_states[node.index()].proxy;
        if runs {
            // The first full sync takes a moment.
            *proxy = Proxy { since: proxy.since.or(Some(now + 1_000)), stopped_at: None };
        } else {
            proxy.stopped_at = Some(now);
        }
        self.node_inputs_change(node, self.pod_states[pod.index()].entry);
    }

    /// Every target on a node is probed with a new answer from about now on.
    pub(super) fn node_inputs_change(&mut self, node: NodeId, cause: EntryId) {
        for group in 0..self.target_groups.len() {
            for index in 0..self.target_groups[group].targets.len() {
                if self.target_groups[group].targets[index].node == Some(node) {
                    self.queue.push(
                        self.now + 1_001,
                        Event::ProbeChanges(TargetGroupId::from(group), index as u32),
                        cause,
                    );
                }
            }
        }
    }

    /// Endpoints of the start of a run, which every proxy knows.
    pub(super) fn first_endpoints(&mut self, service: ServiceId) {
        self.sync_endpoints(service, START);
    }

    /// Whether a pod's process accepts connections.
    pub(super) fn accepts(&self, pod: PodId) -> bool {
        matches!(self.pod_states[pod.index()].containers, Containers::Running { .. })
            && self.pods.last(pod).node.is_some_and(|node| self.node_states[node.index()].up)
    }
}

/// Cluster policy: every ready endpoint; where there is none, those that serve while they terminate.
pub(super) fn usable(version: &Version) -> &[Endpoint] {
    if version.ready.is_empty() { &version.fallback } else { &version.ready }
}

/// The endpoints on one node, of a list ordered by node.
pub(super) fn on_node(endpoints: &[Endpoint], node: NodeId) -> &[Endpoint] {
    let from = endpoints.partition_point(|endpoint| endpoint.node < node);
    let to = from + endpoints[from..].partition_point(|endpoint| endpoint.node == node);
    &endpoints[from..to]
}
