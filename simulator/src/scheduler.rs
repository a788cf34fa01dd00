//! The scheduler: which node a pod is bound to, by the filters and scores of the default profile.
//!
//! A pure function of numbers and slices. Labels and selectors are matched by the caller, once, into slices with one
//! entry per node in the order of `nodes`: what a node allows, how many matching pods it has, and which domain of a
//! topology key it belongs to. So a decision costs a few passes over the nodes and no text but taints. Preemption is
//! not modelled, nor are requests other than cpu and memory.
//!
//! Source: kubernetes pkg/scheduler/schedule_one.go, pkg/scheduler/framework/plugins,
//! pkg/scheduler/apis/config/v1/default_plugins.go.

use std::net::IpAddr;

use crate::chance::Stream;
use crate::selector::{Effect, Taint, Toleration, tolerates, untolerated};

pub use affinity::{AffinityTerm, PodAffinity, PreferredTerm};
pub use score::PluginScores;
pub use spread::{Spread, SpreadConstraint};

mod affinity;
mod logarithm;
pub mod queue;
mod resources;
mod score;
mod spread;

#[cfg(test)]
mod tests;

/// Stands for a domain where a node lacks the label of the topology key.
pub const NO_DOMAIN: u32 = u32::MAX;

/// Nodes that suit a pod and are scored at least, if there are so many; in smaller clusters all are looked at.
pub const CANDIDATES_MIN: usize = 100;

/// Amounts of what a node has and a pod asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Resources {
    /// Thousandths of a processor.
    pub cpu_m: i64,
    /// Bytes.
    pub memory: i64,
}

impl Resources {
    /// The sum of two amounts.
    pub fn plus(self, other: Resources) -> Resources {
        Resources {
            cpu_m: self.cpu_m.saturating_add(other.cpu_m),
            memory: self.memory.saturating_add(other.memory),
        }
    }

    /// The difference of two amounts.
    pub fn minus(self, other: Resources) -> Resources {
        Resources {
            cpu_m: self.cpu_m.saturating_sub(other.cpu_m),
            memory: self.memory.saturating_sub(other.memory),
        }
    }
}

/// What scores assume of a container that requests no cpu: 100 mCPU. Filters count what is written.
pub const CPU_M_ASSUMED: i64 = 100;

/// What scores assume of a container that requests no memory: 200 MiB.
pub const MEMORY_ASSUMED: i64 = 200 * 1024 * 1024;

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

/// A port of the node that a pod takes for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostPort {
    /// The protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: u16,
    /// The address; `None`: all of the node's.
    pub address: Option<IpAddr>,
}

impl HostPort {
    /// Whether two pods cannot have these on one node.
    pub fn conflicts(&self, other: &HostPort) -> bool {
        let all = |address: Option<IpAddr>| address.is_none_or(|address| address.is_unspecified());
        self.protocol == other.protocol
            && self.port == other.port
            && (all(self.address) || all(other.address) || self.address == other.address)
    }
}

/// A node with what is bound to it. Terminating pods keep their share until they have ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeState {
    /// Its taints.
    pub taints: Vec<Taint>,
    /// It is cordoned.
    pub unschedulable: bool,
    /// What pods may request in all.
    pub allocatable: Resources,
    /// What its pods request.
    pub requested: Resources,
    /// The same, each container without a request counting as [`CPU_M_ASSUMED`] and [`MEMORY_ASSUMED`].
    pub requested_nonzero: Resources,
    /// Pods bound to it.
    pub pods: u32,
    /// Pods that may be.
    pub pods_allowed: u32,
    /// Ports that its pods have taken.
    pub host_ports: Vec<HostPort>,
}

impl NodeState {
    /// A pod was bound to the node.
    pub fn on_bound(&mut self, requests: Resources, requests_nonzero: Resources, host_ports: &[HostPort]) {
        self.requested = self.requested.plus(requests);
        self.requested_nonzero = self.requested_nonzero.plus(requests_nonzero);
        self.pods = self.pods.saturating_add(1);
        self.host_ports.extend_from_slice(host_ports);
    }

    /// A pod of the node has ended or is gone.
    pub fn on_released(&mut self, requests: Resources, requests_nonzero: Resources, host_ports: &[HostPort]) {
        self.requested = self.requested.minus(requests);
        self.requested_nonzero = self.requested_nonzero.minus(requests_nonzero);
        self.pods = self.pods.saturating_sub(1);
        for port in host_ports {
            if let Some(position) = self.host_ports.iter().position(|taken| taken == port) {
                self.host_ports.swap_remove(position);
            }
        }
    }
}

/// An image of a pod to be scheduled.
#[derive(Debug, Clone, Copy)]
pub struct Image<'a> {
    /// Its size in bytes.
    pub size: i64,
    /// Which nodes have it.
    pub on_node: &'a [bool],
}

/// A pod to be scheduled. Every slice per node has one entry for each of the nodes; `None` and empty slices mean that
/// the pod asks nothing of the kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct PodRequest<'a> {
    /// Its tolerations.
    pub tolerations: &'a [Toleration],
    /// The larger of the sum over its containers (and sidecars) and of what any init container needs, plus overhead.
    pub requests: Resources,
    /// The same, each container without a request counting as [`CPU_M_ASSUMED`] and [`MEMORY_ASSUMED`].
    pub requests_nonzero: Resources,
    /// Ports of the node that it takes.
    pub host_ports: &'a [HostPort],
    /// Per node: its node selector and required node affinity match.
    pub affinity_allows: Option<&'a [bool]>,
    /// Per node: the sum of the weights of preferred node affinity terms that match.
    pub affinity_preference: Option<&'a [i64]>,
    /// Per node: its volumes can be reached from there.
    pub volumes_allow: Option<&'a [bool]>,
    /// How it spreads.
    pub spread: Spread<'a>,
    /// Which pods it seeks and avoids.
    pub pod_affinity: PodAffinity<'a>,
    /// The images of its containers, as far as nodes have them.
    pub images: &'a [Image<'a>],
    /// Its containers, init containers included.
    pub containers: u32,
}

/// Why a node does not suit a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the text that Kubernetes shows for each says what it means: Reason::text")]
pub enum Reason {
    NodeUnschedulable,
    UntoleratedTaint,
    NodeAffinity,
    NodePorts,
    TooManyPods,
    InsufficientCpu,
    InsufficientMemory,
    VolumeZone,
    SpreadLabelMissing,
    Spread,
    PodAffinity,
    PodAntiAffinity,
    ExistingPodAntiAffinity,
}

impl Reason {
    /// All of them.
    pub const ALL: [Reason; 13] = [
        Reason::NodeUnschedulable,
        Reason::UntoleratedTaint,
        Reason::NodeAffinity,
        Reason::NodePorts,
        Reason::TooManyPods,
        Reason::InsufficientCpu,
        Reason::InsufficientMemory,
        Reason::VolumeZone,
        Reason::SpreadLabelMissing,
        Reason::Spread,
        Reason::PodAffinity,
        Reason::PodAntiAffinity,
        Reason::ExistingPodAntiAffinity,
    ];

    /// What the event of the pod says.
    pub fn text(self) -> &'static str {
        match self {
            Reason::NodeUnschedulable => "node(s) were unschedulable",
            Reason::UntoleratedTaint => "node(s) had untolerated taint(s)",
            Reason::NodeAffinity => "node(s) didn't match Pod's node affinity/selector",
            Reason::NodePorts => "node(s) didn't have free ports for the requested pod ports",
            Reason::TooManyPods => "Too many pods",
            Reason::InsufficientCpu => "Insufficient cpu",
            Reason::InsufficientMemory => "Insufficient memory",
            Reason::VolumeZone => "node(s) had no available volume zone",
            Reason::SpreadLabelMissing => {
                "node(s) didn't match pod topology spread constraints (missing required label)"
            }
            Reason::Spread => "node(s) didn't match pod topology spread constraints",
            Reason::PodAffinity => "node(s) didn't match pod affinity rules",
            Reason::PodAntiAffinity => "node(s) didn't match pod anti-affinity rules",
            Reason::ExistingPodAntiAffinity => "node(s) didn't satisfy existing pods anti-affinity rules",
        }
    }
}

/// How many nodes failed for each reason. A node without room counts once for everything it lacks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Failures {
    counts: [u32; Reason::ALL.len()],
}

impl Failures {
    /// The reasons that occurred, with the number of nodes.
    pub fn iter(&self) -> impl Iterator<Item = (Reason, u32)> + '_ {
        Reason::ALL.into_iter().zip(self.counts).filter(|&(_, count)| count > 0)
    }

    /// The message of the event FailedScheduling in a cluster of so many nodes.
    pub fn message(&self, nodes: usize) -> String {
        if nodes == 0 {
            return "no nodes available to schedule pods".to_owned();
        }
        let mut parts: Vec<String> =
            self.iter().map(|(reason, count)| format!("{count} {}", reason.text())).collect();
        parts.sort_unstable();
        format!("0/{nodes} nodes are available: {}.", parts.join(", "))
    }

    fn add(&mut self, reason: Reason) {
        // The reasons are declared in the order of `Reason::ALL`.
        self.counts[reason as usize] += 1;
    }
}

/// What the scheduler decides about a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The position of the node; `None`: no node suits, the pod stays pending.
    pub chosen: Option<usize>,
    /// Nodes that suit, among those looked at.
    pub feasible: usize,
    /// Why the other nodes that were looked at do not.
    pub failures: Failures,
    /// Where the next decision starts to look.
    pub next_start: usize,
}

/// Decides about one pod.
///
/// From 100 nodes on only as many candidates as [`candidates_wanted`] says are sought, beginning at `start`: the
/// `next_start` of the decision before. Ties between the best are drawn from `ties`; without a tie nothing is drawn.
///
/// # Panics
/// Where a slice per node has another length than `nodes`.
pub fn schedule(pod: &PodRequest<'_>, nodes: &[NodeState], start: usize, ties: &mut Stream) -> Decision {
    let filter = Filter::prepare(pod, nodes);
    let wanted = candidates_wanted(nodes.len());
    let mut failures = Failures::default();
    let mut candidates = Vec::new();
    let mut looked_at = 0;
    let first = start.checked_rem(nodes.len()).unwrap_or(0);
    for position in (first..nodes.len()).chain(0..first) {
        if candidates.len() == wanted {
            break;
        }
        looked_at += 1;
        if filter.passes(position, &mut failures) {
            candidates.push(position);
        }
    }
    let next_start = (first + looked_at).checked_rem(nodes.len()).unwrap_or(0);
    let chosen =
        if candidates.len() < 2 { candidates.first().copied() } else { best(pod, nodes, &candidates, ties) };
    Decision { chosen, feasible: candidates.len(), failures, next_start }
}

/// Every node that suits the pod, however many, with the scores of each; not scored where it is the only one.
///
/// # Panics
/// As [`schedule`].
pub fn evaluate(pod: &PodRequest<'_>, nodes: &[NodeState]) -> (Vec<usize>, Vec<PluginScores>) {
    let filter = Filter::prepare(pod, nodes);
    let mut failures = Failures::default();
    let feasible: Vec<usize> = (0..nodes.len()).filter(|&i| filter.passes(i, &mut failures)).collect();
    let scores = if feasible.len() < 2 { Vec::new() } else { score::score(pod, nodes, &feasible) };
    (feasible, scores)
}

/// How many nodes that suit are enough in a cluster of this size.
///
/// Source: kubernetes pkg/scheduler/schedule_one.go:numFeasibleNodesToFind.
pub fn candidates_wanted(nodes: usize) -> usize {
    if nodes < CANDIDATES_MIN {
        return nodes;
    }
    let percentage = 50_usize.saturating_sub(nodes / 125).max(5);
    (nodes * percentage / 100).max(CANDIDATES_MIN)
}

fn best(pod: &PodRequest<'_>, nodes: &[NodeState], candidates: &[usize], ties: &mut Stream) -> Option<usize> {
    let totals: Vec<i64> = score::score(pod, nodes, candidates).iter().map(PluginScores::total).collect();
    let highest = *totals.iter().max()?;
    let tied: Vec<usize> = candidates
        .iter()
        .zip(&totals)
        .filter(|&(_, &total)| total == highest)
        .map(|(&node, _)| node)
        .collect();
    let drawn = if tied.len() > 1 { ties.below(tied.len() as u64) as usize } else { 0 };
    tied.get(drawn).copied()
}

/// The filters, with what they need to know of all nodes together.
struct Filter<'a> {
    pod: &'a PodRequest<'a>,
    nodes: &'a [NodeState],
    tolerates_cordons: bool,
    spread: Vec<spread::Domains>,
    affinity: affinity::Domains,
}

impl<'a> Filter<'a> {
    fn prepare(pod: &'a PodRequest<'a>, nodes: &'a [NodeState]) -> Self {
        let check =
            |len: usize| assert!(len == nodes.len(), "{len} entries per node for {} nodes", nodes.len());
        [pod.affinity_allows, pod.volumes_allow, pod.pod_affinity.blocked]
            .into_iter()
            .flatten()
            .for_each(|slice| check(slice.len()));
        pod.affinity_preference.into_iter().for_each(|slice| check(slice.len()));
        pod.images.iter().for_each(|image| check(image.on_node.len()));
        pod.spread.lengths().chain(pod.pod_affinity.lengths()).for_each(check);

        let cordon = Taint {
            key: "node.kubernetes.io/unschedulable".to_owned(),
            value: String::new(),
            effect: Effect::NoSchedule,
        };
        Filter {
            pod,
            nodes,
            tolerates_cordons: tolerates(pod.tolerations, &cordon),
            spread: spread::domains(pod, nodes),
            affinity: affinity::domains(&pod.pod_affinity),
        }
    }

    /// Runs the filters in the order of the default profile; the first that fails says why.
    fn passes(&self, position: usize, failures: &mut Failures) -> bool {
        let (pod, node) = (self.pod, &self.nodes[position]);
        let allows = |slice: Option<&[bool]>| slice.is_none_or(|slice| slice[position]);
        if node.unschedulable && !self.tolerates_cordons {
            failures.add(Reason::NodeUnschedulable);
        } else if untolerated(&node.taints, pod.tolerations).is_some() {
            failures.add(Reason::UntoleratedTaint);
        } else if !allows(pod.affinity_allows) {
            failures.add(Reason::NodeAffinity);
        } else if pod.host_ports.iter().any(|port| node.host_ports.iter().any(|taken| taken.conflicts(port)))
        {
            failures.add(Reason::NodePorts);
        } else if !resources::fits(pod.requests, node, failures) {
            // It has added everything that is lacking.
        } else if !allows(pod.volumes_allow) {
            failures.add(Reason::VolumeZone);
        } else if let Some(reason) = spread::violated(&pod.spread, &self.spread, position) {
            failures.add(reason);
        } else if let Some(reason) = affinity::violated(&pod.pod_affinity, &self.affinity, position) {
            failures.add(reason);
        } else {
            return true;
        }
        false
    }
}

/// Sums what each node has over the nodes of each domain; domains are the positions of the answer.
fn sum_by_domain(domains: &[u32], matching: &[u32], counts: impl Fn(usize) -> bool) -> Vec<i64> {
    let size =
        domains.iter().filter(|&&domain| domain != NO_DOMAIN).max().map_or(0, |&last| last as usize + 1);
    let mut sums = vec![0; size];
    for (position, (&domain, &matching)) in domains.iter().zip(matching).enumerate() {
        if domain != NO_DOMAIN && counts(position) {
            sums[domain as usize] += i64::from(matching);
        }
    }
    sums
}
