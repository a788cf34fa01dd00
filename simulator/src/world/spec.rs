//! Pod specifications, compiled once for all pods of a template.

use std::sync::Arc;

use k8s_openapi::api::core::v1 as core;

use super::{Time, World, ids::SpecId};
use crate::scheduler::{HostPort, Protocol};
use crate::selector::{LabelSelector, NodeAffinity, SelectorError, Toleration};

/// What the world reads of a pod's specification.
#[derive(Debug, Clone)]
pub struct Spec {
    /// The specification itself.
    pub kubernetes: Arc<core::PodSpec>,
    /// Namespace of its pods.
    pub namespace: Arc<str>,
    /// Requested CPU in thousandths of a core, as the scheduler sums it.
    pub cpu_milli: i64,
    /// Requested memory in bytes.
    pub memory: i64,
    /// The same with the scheduler's defaults for containers that request nothing.
    pub nonzero_cpu_milli: i64,
    /// The same for memory.
    pub nonzero_memory: i64,
    /// Grace period in milliseconds.
    pub grace: Time,
    /// How long preStop hooks take, in milliseconds; what cannot be told counts as nothing.
    pub pre_stop: Time,
    /// Runs in the host's network.
    pub host_network: bool,
    /// Has a readiness probe.
    pub probed: bool,
    pub(super) probe_initial: Time,
    pub(super) probe_period: Time,
    /// Resolves names through cluster DNS.
    pub(super) uses_dns: bool,
    /// Has a readiness gate of the load balancer controller.
    pub(super) gated: bool,
    /// Its pods never become ready: none was, when the run began.
    pub(super) failing: bool,
    /// A critical pod of the system.
    pub(super) critical: bool,
    /// Priority.
    pub(super) priority: i32,
    /// Its images, as one number: pulled together.
    pub(super) image: u32,
    pub(super) host_ports: Vec<HostPort>,
    pub(super) tolerations: Vec<Toleration>,
    pub(super) node_affinity: NodeAffinity,
    pub(super) affinity: Vec<AffinityTerm>,
    pub(super) spread: Vec<Spread>,
    pub(super) claims: Vec<Arc<str>>,
}

/// The domains that pods are spread over or drawn to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Topology {
    Hostname,
    Zone,
    /// Some other label.
    Label(Arc<str>),
}

impl Topology {
    fn new(key: &str) -> Topology {
        match key {
            "kubernetes.io/hostname" => Topology::Hostname,
            "topology.kubernetes.io/zone" | "failure-domain.beta.kubernetes.io/zone" => Topology::Zone,
            other => Topology::Label(other.into()),
        }
    }
}

/// A term of pod affinity or anti-affinity.
#[derive(Debug, Clone)]
pub(super) struct AffinityTerm {
    pub(super) selector: LabelSelector,
    /// `None`: all namespaces.
    pub(super) namespaces: Option<Vec<Arc<str>>>,
    pub(super) topology: Topology,
    pub(super) anti: bool,
    /// `None`: required.
    pub(super) weight: Option<i64>,
}

/// A topology spread constraint.
#[derive(Debug, Clone)]
pub(super) struct Spread {
    pub(super) selector: LabelSelector,
    pub(super) topology: Topology,
    pub(super) max_skew: i32,
    pub(super) hard: bool,
    pub(super) min_domains: i32,
    pub(super) honor_affinity: bool,
    pub(super) honor_taints: bool,
}

/// Requests of the pods on a node.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Requested {
    pub(super) cpu_milli: i64,
    pub(super) memory: i64,
    pub(super) nonzero_cpu_milli: i64,
    pub(super) nonzero_memory: i64,
    pub(super) pods: i64,
}

impl Requested {
    /// Adds a pod's requests, or takes them away (`sign` -1).
    pub(super) fn change(&mut self, spec: &Spec, sign: i64) {
        self.cpu_milli = self.cpu_milli.saturating_add(sign.saturating_mul(spec.cpu_milli));
        self.memory = self.memory.saturating_add(sign.saturating_mul(spec.memory));
        self.nonzero_cpu_milli =
            self.nonzero_cpu_milli.saturating_add(sign.saturating_mul(spec.nonzero_cpu_milli));
        self.nonzero_memory = self.nonzero_memory.saturating_add(sign.saturating_mul(spec.nonzero_memory));
        self.pods += sign;
    }
}

impl World {
    /// Compiles a specification; an equal one is found again.
    pub(super) fn add_spec(
        &mut self,
        namespace: &Arc<str>,
        kubernetes: core::PodSpec,
    ) -> Result<SpecId, SelectorError> {
        let mut neutral = kubernetes;
        neutral.node_name = None;
        let known =
            self.specs.iter().rposition(|spec| spec.namespace == *namespace && *spec.kubernetes == neutral);
        if let Some(index) = known {
            return Ok(SpecId::from(index));
        }
        let image = self.image_number(&neutral);
        let spec = Spec::compile(namespace, neutral, image)?;
        self.specs.push(spec);
        Ok(SpecId::from(self.specs.len() - 1))
    }

    fn image_number(&mut self, spec: &core::PodSpec) -> u32 {
        let images = spec
            .containers
            .iter()
            .map(|container| container.image.as_deref().unwrap_or(""))
            .collect::<Vec<_>>();
        let key: Arc<str> = images.join(" ").into();
        let next = self.images.len() as u32;
        *self.images.entry(key).or_insert(next)
    }
}

impl Spec {
    /// Claims that its pods mount.
    pub fn claims(&self) -> &[Arc<str>] {
        &self.claims
    }

    fn compile(namespace: &Arc<str>, kubernetes: core::PodSpec, image: u32) -> Result<Spec, SelectorError> {
        let spec = &kubernetes;
        let requested = requests(spec);
        let readiness = spec.containers.iter().filter_map(|container| container.readiness_probe.as_ref());
        let seconds = |value: Option<i32>, default: i32| {
            Time::from(value.unwrap_or(default).max(0).unsigned_abs()) * 1_000
        };
        let probe_initial =
            readiness.clone().map(|probe| seconds(probe.initial_delay_seconds, 0)).max().unwrap_or(0);
        let probe_period = readiness
            .clone()
            .map(|probe| seconds(probe.period_seconds, 10))
            .max()
            .unwrap_or(10_000)
            .max(1_000);
        let host_network = spec.host_network.unwrap_or(false);
        let priority_class = spec.priority_class_name.as_deref().unwrap_or("");
        let pod_affinity = spec.affinity.as_ref();
        let mut affinity = Vec::new();
        if let Some(terms) = pod_affinity.and_then(|affinity| affinity.pod_affinity.as_ref()) {
            add_terms(
                &mut affinity,
                namespace,
                false,
                terms.required_during_scheduling_ignored_during_execution.as_deref(),
                terms.preferred_during_scheduling_ignored_during_execution.as_deref(),
            )?;
        }
        if let Some(terms) = pod_affinity.and_then(|affinity| affinity.pod_anti_affinity.as_ref()) {
            add_terms(
                &mut affinity,
                namespace,
                true,
                terms.required_during_scheduling_ignored_during_execution.as_deref(),
                terms.preferred_during_scheduling_ignored_during_execution.as_deref(),
            )?;
        }
        let spread = spec
            .topology_spread_constraints
            .iter()
            .flatten()
            .map(|constraint| {
                Ok(Spread {
                    selector: LabelSelector::compile(constraint.label_selector.as_ref())?,
                    topology: Topology::new(&constraint.topology_key),
                    max_skew: constraint.max_skew,
                    hard: constraint.when_unsatisfiable == "DoNotSchedule",
                    min_domains: constraint.min_domains.unwrap_or(1),
                    honor_affinity: constraint.node_affinity_policy.as_deref() != Some("Ignore"),
                    honor_taints: constraint.node_taints_policy.as_deref() == Some("Honor"),
                })
            })
            .collect::<Result<Vec<_>, SelectorError>>()?;
        Ok(Spec {
            namespace: namespace.clone(),
            cpu_milli: requested.0,
            memory: requested.1,
            nonzero_cpu_milli: requested.2,
            nonzero_memory: requested.3,
            grace: match spec.termination_grace_period_seconds {
                Some(grace) if grace < 0 => 1_000,
                Some(grace) => grace.unsigned_abs().saturating_mul(1_000).min(u64::from(u32::MAX) * 1_000),
                None => 30_000,
            },
            pre_stop: spec.containers.iter().map(pre_stop).max().unwrap_or(0),
            host_network,
            probed: readiness.count() > 0,
            probe_initial,
            probe_period,
            uses_dns: !host_network
                && &**namespace != "kube-system"
                && spec.dns_policy.as_deref() != Some("Default"),
            gated: spec
                .readiness_gates
                .iter()
                .flatten()
                .any(|gate| gate.condition_type.starts_with("target-health.elbv2.k8s.aws")),
            failing: false,
            critical: priority_class.starts_with("system-"),
            priority: spec.priority.unwrap_or(0),
            image,
            host_ports: spec
                .containers
                .iter()
                .flat_map(|container| container.ports.iter().flatten())
                .filter_map(|port| {
                    let number = port.host_port.or(host_network.then_some(port.container_port))?;
                    let protocol = match port.protocol.as_deref() {
                        Some("UDP") => Protocol::Udp,
                        Some("SCTP") => Protocol::Sctp,
                        _ => Protocol::Tcp,
                    };
                    let address = port.host_ip.as_deref().and_then(|ip| ip.parse().ok());
                    Some(HostPort { protocol, port: u16::try_from(number).ok()?, address })
                })
                .collect(),
            tolerations: spec
                .tolerations
                .iter()
                .flatten()
                .map(Toleration::compile)
                .collect::<Result<Vec<_>, SelectorError>>()?,
            node_affinity: NodeAffinity::compile(spec)?,
            affinity,
            spread,
            claims: spec
                .volumes
                .iter()
                .flatten()
                .filter_map(|volume| volume.persistent_volume_claim.as_ref())
                .map(|claim| claim.claim_name.as_str().into())
                .collect(),
            kubernetes: Arc::new(kubernetes),
        })
    }
}

fn add_terms(
    into: &mut Vec<AffinityTerm>,
    namespace: &Arc<str>,
    anti: bool,
    required: Option<&[core::PodAffinityTerm]>,
    preferred: Option<&[core::WeightedPodAffinityTerm]>,
) -> Result<(), SelectorError> {
    let required = required.unwrap_or_default().iter().map(|term| (term, None));
    let preferred = preferred
        .unwrap_or_default()
        .iter()
        .map(|term| (&term.pod_affinity_term, Some(i64::from(term.weight))));
    for (term, weight) in required.chain(preferred) {
        let named: Vec<Arc<str>> =
            term.namespaces.iter().flatten().map(|name| name.as_str().into()).collect();
        // A namespace selector is taken to select every namespace: labels of namespaces are not simulated.
        let namespaces = match (&term.namespace_selector, named.is_empty()) {
            (Some(_), _) => None,
            (None, true) => Some(vec![namespace.clone()]),
            (None, false) => Some(named),
        };
        into.push(AffinityTerm {
            selector: LabelSelector::compile(term.label_selector.as_ref())?,
            namespaces,
            topology: Topology::new(&term.topology_key),
            anti,
            weight,
        });
    }
    Ok(())
}

/// A `sleep` handler, or an exec of `sleep N`; of other hooks the length cannot be told.
fn pre_stop(container: &core::Container) -> Time {
    let Some(hook) = container.lifecycle.as_ref().and_then(|lifecycle| lifecycle.pre_stop.as_ref()) else {
        return 0;
    };
    if let Some(sleep) = &hook.sleep {
        return sleep.seconds.max(0).unsigned_abs().saturating_mul(1_000);
    }
    let words: Vec<&str> = hook
        .exec
        .iter()
        .flat_map(|exec| exec.command.iter().flatten())
        .flat_map(|argument| argument.split_whitespace())
        .collect();
    words
        .windows(2)
        .find(|pair| pair[0] == "sleep" || pair[0].ends_with("/sleep"))
        .and_then(|pair| pair[1].trim_end_matches(['s', ';']).parse::<u64>().ok())
        .map_or(0, |seconds| seconds.saturating_mul(1_000))
}

/// Requests of a pod: CPU, memory, and both with the scheduler's defaults of 100 mCPU and 200 MiB. Init containers run
/// before the others, so the largest of them counts if it is larger than their sum; sidecars are added to both.
fn requests(spec: &core::PodSpec) -> (i64, i64, i64, i64) {
    let of = |container: &core::Container| {
        let requests = container.resources.as_ref().and_then(|resources| resources.requests.as_ref());
        let cpu = requests.and_then(|all| all.get("cpu")).and_then(|quantity| cpu_milli(&quantity.0));
        let memory = requests.and_then(|all| all.get("memory")).and_then(|quantity| bytes(&quantity.0));
        [cpu.unwrap_or(0), memory.unwrap_or(0), cpu.unwrap_or(100), memory.unwrap_or(200 << 20)]
    };
    let mut sum = [0i64; 4];
    for container in &spec.containers {
        add(&mut sum, of(container));
    }
    let mut sidecars = [0i64; 4];
    let mut largest = [0i64; 4];
    for container in spec.init_containers.iter().flatten() {
        if container.restart_policy.as_deref() == Some("Always") {
            add(&mut sidecars, of(container));
            add(&mut sum, of(container));
        } else {
            let mut with = sidecars;
            add(&mut with, of(container));
            for (most, value) in largest.iter_mut().zip(with) {
                *most = (*most).max(value);
            }
        }
    }
    for (total, most) in sum.iter_mut().zip(largest) {
        *total = (*total).max(most);
    }
    if let Some(overhead) = &spec.overhead {
        let cpu = overhead.get("cpu").and_then(|quantity| cpu_milli(&quantity.0)).unwrap_or(0);
        let memory = overhead.get("memory").and_then(|quantity| bytes(&quantity.0)).unwrap_or(0);
        add(&mut sum, [cpu, memory, cpu, memory]);
    }
    (sum[0], sum[1], sum[2], sum[3])
}

fn add(to: &mut [i64; 4], what: [i64; 4]) {
    for (total, value) in to.iter_mut().zip(what) {
        *total = total.saturating_add(value);
    }
}

/// A CPU quantity in thousandths of a core, rounded up; `None` where it is no quantity.
pub fn cpu_milli(text: &str) -> Option<i64> {
    Quantity::parse(text).map(|quantity| quantity.times(1_000))
}

/// A quantity of bytes (or of anything countable), rounded up; `None` where it is no quantity.
pub fn bytes(text: &str) -> Option<i64> {
    Quantity::parse(text).map(|quantity| quantity.times(1))
}

/// Whether the API server reads this text as a quantity.
pub(crate) fn is_quantity(text: &str) -> bool {
    Quantity::parse(text).is_some()
}

/// A Kubernetes quantity: its digits, and what they are multiplied with.
/// Source: `apimachinery/pkg/api/resource/quantity.go`, `parseQuantityString` and `suffix.go`.
struct Quantity<'a> {
    negative: bool,
    whole: &'a str,
    fraction: &'a str,
    scale: Scale,
}

enum Scale {
    /// A power of ten.
    Decimal(i64),
    /// A power of two.
    Binary(u32),
}

impl Quantity<'_> {
    fn parse(text: &str) -> Option<Quantity<'_>> {
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let scale = match suffix {
            "n" => Scale::Decimal(-9),
            "u" => Scale::Decimal(-6),
            "m" => Scale::Decimal(-3),
            "" => Scale::Decimal(0),
            "k" => Scale::Decimal(3),
            "M" => Scale::Decimal(6),
            "G" => Scale::Decimal(9),
            "T" => Scale::Decimal(12),
            "P" => Scale::Decimal(15),
            "E" => Scale::Decimal(18),
            "Ki" => Scale::Binary(10),
            "Mi" => Scale::Binary(20),
            "Gi" => Scale::Binary(30),
            "Ti" => Scale::Binary(40),
            "Pi" => Scale::Binary(50),
            "Ei" => Scale::Binary(60),
            exponent => Scale::Decimal(exponent.strip_prefix(['e', 'E'])?.parse::<i32>().ok()?.into()),
        };
        Some(Quantity { negative: text.starts_with('-'), whole, fraction, scale })
    }

    /// So many times its value, rounded away from zero. What is too large is the largest number, as for the API server.
    fn times(&self, factor: i64) -> i64 {
        let size = self.size_times(factor);
        if self.negative { -size } else { size }
    }

    fn size_times(&self, factor: i64) -> i64 {
        const DIGITS_MAX: usize = 18;
        let whole = self.whole.trim_start_matches('0');
        let fraction = self.fraction.trim_end_matches('0');
        if whole.is_empty() && fraction.is_empty() {
            return 0;
        }
        let (kept, dropped) = fraction.split_at(fraction.len().min(DIGITS_MAX));
        let (tens, twos) = match self.scale {
            Scale::Decimal(tens) => (tens - kept.len() as i64, 0),
            Scale::Binary(twos) => (-(kept.len() as i64), twos),
        };
        // 36 digits fit into 127 bits; more before the point are too many for any number of this program.
        let Ok(mut size) = format!("{whole:0>1}{kept}").parse::<i128>() else { return i64::MAX };
        size = size.saturating_mul(i128::from(factor)).saturating_mul(1 << twos);
        let power = u32::try_from(tens.unsigned_abs()).ok().and_then(|power| 10_i128.checked_pow(power));
        let (floor, exact) = match (tens < 0, power) {
            (false, Some(power)) => (size.saturating_mul(power), true),
            (false, None) => (if size > 0 { i128::MAX } else { 0 }, true),
            (true, Some(power)) => (size / power, size % power == 0),
            (true, None) => (0, false),
        };
        // What was dropped lies beyond the rounding, but is there.
        let size = floor.saturating_add(i128::from(!exact || !dropped.is_empty()));
        i64::try_from(size).unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests;
