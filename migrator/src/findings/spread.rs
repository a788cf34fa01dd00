//! Whether rules that keep pods of one workload apart leave room for its new pods: required anti-affinity against
//! itself, hard topology spread, host ports. Rules between different workloads are not judged.
//!
//! While a workload moves, all its old and new pods exist together, except where each new one follows an eviction.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use k8s_openapi::api::core::v1::{Container, PodAffinityTerm, PodSpec, TopologySpreadConstraint};

use crate::{
    findings::{
        selector,
        survey::{Place, Survey, Workload, ZONE},
    },
    view::{Node, Pod, PodPhase},
};

/// How many new pods found room, of how many, by a rule.
pub(super) struct Room {
    pub(super) rule: String,
    pub(super) placed: usize,
    pub(super) wanted: usize,
}

impl Room {
    pub(super) fn is_too_little(&self) -> bool {
        self.placed < self.wanted
    }
}

/// Where a pod on this place counts under a topology key. A node that does not exist yet is taken to be in the zone
/// that a balanced group gives it.
fn domain(place: &Place, key: &str) -> Option<String> {
    let likely = || place.likely_zone.as_ref().filter(|_| key == ZONE).map(|zone| zone.to_string());
    place.labels.get(key).cloned().or_else(likely)
}

fn domain_of_node(node: &Node, key: &str) -> Option<String> {
    node.meta.labels.get(key).cloned()
}

fn runs(pod: &Pod) -> bool {
    !matches!(pod.phase, PodPhase::Succeeded | PodPhase::Failed)
}

/// Required anti-affinity of the workload against its own pods: one pod per domain, terminating ones included.
pub(super) fn anti_affinity(survey: &Survey<'_>, workload: &Workload<'_>) -> Vec<Room> {
    let affinity = workload.spec().kubernetes.affinity.as_ref();
    let anti = affinity.and_then(|affinity| affinity.pod_anti_affinity.as_ref());
    let terms = anti.and_then(|anti| anti.required_during_scheduling_ignored_during_execution.as_ref());
    terms
        .into_iter()
        .flatten()
        .filter(|term| concerns_itself(term, workload))
        .map(|term| one_per_domain(survey, workload, term))
        .collect()
}

fn concerns_itself(term: &PodAffinityTerm, workload: &Workload<'_>) -> bool {
    let selector = term.label_selector.as_ref();
    let namespaces = term.namespaces.as_deref().unwrap_or_default();
    // Labels of namespaces are not in the view: only the empty selector, which means all of them, can be judged.
    let here = match &term.namespace_selector {
        Some(namespace_selector) => *namespace_selector == Default::default(),
        None => namespaces.is_empty() || namespaces.iter().any(|it| **it == *workload.namespace()),
    };
    here && selector.is_some_and(|selector| selector::selects(selector, workload.labels()))
}

fn one_per_domain(survey: &Survey<'_>, workload: &Workload<'_>, term: &PodAffinityTerm) -> Room {
    let key = &term.topology_key;
    let selector = term.label_selector.clone().unwrap_or_default();
    let mut taken: BTreeMap<String, u32> = BTreeMap::new();
    for pod in survey.cluster.pods.values().filter(|pod| {
        runs(pod)
            && *pod.meta.name.namespace == *workload.namespace()
            && selector::selects(&selector, &pod.meta.labels)
    }) {
        let node = pod.node.as_ref().and_then(|node| survey.cluster.nodes.get(node));
        if let Some(domain) = node.and_then(|node| domain_of_node(node, key)) {
            *taken.entry(domain).or_default() += 1;
        }
    }
    let mut open: BTreeMap<Option<Arc<str>>, BTreeSet<String>> = BTreeMap::new();
    for place in admitting(survey, workload) {
        let Some(domain) = domain(place, key) else { continue };
        if let Some(zone) = &place.likely_zone {
            open.entry(Some(zone.clone())).or_default().insert(domain.clone());
        }
        open.entry(None).or_default().insert(domain);
    }
    let mut placed = 0;
    for (pod, zone) in needs(survey, workload) {
        leave(survey, workload, pod, key, &mut taken);
        let mut here = open.get(&zone).into_iter().flatten();
        let Some(free) = here.find(|domain| taken.get(*domain).copied().unwrap_or(0) == 0) else {
            break;
        };
        *taken.entry(free.clone()).or_default() += 1;
        placed += 1;
    }
    Room { rule: format!("required anti-affinity by {key}"), placed, wanted: workload.old_pods.len() }
}

/// The old pods, each with the zone that its new pod has to be in. Where a load balancer keeps its zones apart, each of
/// them needs one new pod first; the others may be anywhere.
fn needs<'a>(survey: &Survey<'_>, workload: &Workload<'a>) -> Vec<(&'a Pod, Option<Arc<str>>)> {
    let mut zones = BTreeSet::new();
    let mut needs: Vec<_> = workload
        .old_pods
        .iter()
        .map(|pod| {
            let node = pod.node.as_ref().and_then(|node| survey.cluster.nodes.get(node));
            let zone = node.and_then(|node| node.zone.clone()).filter(|zone| {
                // A zone without new nodes is a finding of its own.
                survey.new_zones.contains_key(zone) && survey.is_zonal(workload)
            });
            (*pod, zone.filter(|zone| zones.insert(zone.clone())))
        })
        .collect();
    needs.sort_by_key(|(_, zone)| zone.is_none());
    needs
}

/// Places that admit the workload's pods.
fn admitting<'s>(survey: &'s Survey<'_>, workload: &Workload<'_>) -> impl Iterator<Item = &'s Place> {
    let spec = workload.spec();
    survey.places.iter().filter(move |place| place.admits(spec))
}

/// An evicted pod makes room before its replacement is placed.
fn leave(
    survey: &Survey<'_>,
    workload: &Workload<'_>,
    pod: &Pod,
    key: &str,
    counts: &mut BTreeMap<String, u32>,
) {
    let node = pod.node.as_ref().and_then(|node| survey.cluster.nodes.get(node));
    if let (false, Some(domain)) = (workload.surged(), node.and_then(|node| domain_of_node(node, key)))
        && let Some(count) = counts.get_mut(&domain)
    {
        *count = count.saturating_sub(1);
    }
}

/// Hard topology spread: the new pod's domain may exceed the emptiest by the maximum skew.
pub(super) fn topology_spread(survey: &Survey<'_>, workload: &Workload<'_>) -> Vec<Room> {
    let constraints = workload.spec().kubernetes.topology_spread_constraints.iter().flatten();
    let hard = constraints.filter(|constraint| {
        let selector = constraint.label_selector.as_ref();
        constraint.when_unsatisfiable == "DoNotSchedule"
            && selector.is_some_and(|selector| selector::selects(selector, workload.labels()))
    });
    hard.map(|constraint| within_skew(survey, workload, constraint)).collect()
}

fn within_skew(survey: &Survey<'_>, workload: &Workload<'_>, constraint: &TopologySpreadConstraint) -> Room {
    let key = &constraint.topology_key;
    let mut counts = domains(survey, workload, constraint);
    let open: BTreeSet<String> = admitting(survey, workload).filter_map(|place| domain(place, key)).collect();
    let skew = u32::try_from(constraint.max_skew).unwrap_or(0);
    let too_few =
        constraint.min_domains.is_some_and(|least| usize::try_from(least).is_ok_and(|it| counts.len() < it));
    let mut placed = 0;
    // The order does not matter: a domain that admits pods and is the emptiest always takes one more.
    for pod in &workload.old_pods {
        leave(survey, workload, pod, key, &mut counts);
        let least = if too_few { 0 } else { counts.values().copied().min().unwrap_or(0) };
        let emptiest = open.iter().min_by_key(|domain| counts.get(*domain).copied().unwrap_or(0));
        let Some(emptiest) = emptiest else { break };
        let count = counts.entry(emptiest.clone()).or_default();
        if *count + 1 > least + skew {
            break;
        }
        *count += 1;
        placed += 1;
    }
    Room {
        rule: format!("topology spread by {key} with maxSkew {skew}"),
        placed,
        wanted: workload.old_pods.len(),
    }
}

/// Pods by domain, empty domains included. By default nodes that the pod's node selector excludes are no domains, and
/// tainted nodes are. Source: `podtopologyspread/common.go:filterTopologySpreadConstraints`.
fn domains(
    survey: &Survey<'_>,
    workload: &Workload<'_>,
    constraint: &TopologySpreadConstraint,
) -> BTreeMap<String, u32> {
    let key = &constraint.topology_key;
    let spec = workload.spec();
    let honor_affinity = constraint.node_affinity_policy.as_deref() != Some("Ignore");
    let honor_taints = constraint.node_taints_policy.as_deref() == Some("Honor");
    let mut counts = BTreeMap::new();
    for place in survey.places.iter().filter(|place| !place.real && place.admits(spec)) {
        if let Some(domain) = domain(place, key) {
            counts.entry(domain).or_default();
        }
    }
    let mut domain_nodes: BTreeMap<&str, String> = BTreeMap::new();
    for (name, node) in &survey.cluster.nodes {
        let selected = selector::unmet(&spec.kubernetes, &node.meta.labels, Some(name)).is_none();
        let left = survey.old_nodes.contains_key(&**name) && !selector::tolerates_anything(&spec.tolerations);
        let tainted = left || !selector::tolerates_all(&spec.tolerations, &node.taints);
        if (honor_affinity && !selected) || (honor_taints && tainted) {
            continue;
        }
        if let Some(domain) = domain_of_node(node, key) {
            counts.entry(domain.clone()).or_default();
            domain_nodes.insert(name, domain);
        }
    }
    let selector = constraint.label_selector.clone().unwrap_or_default();
    let keys = constraint.match_label_keys.as_deref().unwrap_or_default();
    for pod in survey.cluster.pods.values().filter(|pod| {
        pod.is_active()
            && *pod.meta.name.namespace == *workload.namespace()
            && selector::selects(&selector, &pod.meta.labels)
            && keys.iter().all(|key| pod.meta.labels.get(key) == workload.labels().get(key))
    }) {
        if let Some(domain) = pod.node.as_ref().and_then(|node| domain_nodes.get(&**node)) {
            *counts.entry(domain.clone()).or_default() += 1;
        }
    }
    counts
}

/// Host ports: each node gives one once.
pub(super) fn host_ports(survey: &Survey<'_>, workload: &Workload<'_>) -> Option<Room> {
    let wanted = ports(&workload.spec().kubernetes);
    let (_, first) = wanted.first()?;
    let clashes = |spec: &PodSpec| !ports(spec).is_disjoint(&wanted);
    let free = admitting(survey, workload).filter(|place| {
        if !place.real {
            return !survey.daemon_sets_at(place).any(|set| clashes(&set.template.kubernetes));
        }
        let pods = survey.cluster.pods.values();
        !pods
            .filter(|pod| runs(pod) && pod.node.as_deref() == Some(&*place.name))
            .any(|pod| clashes(&pod.spec.kubernetes))
    });
    let mut free: Vec<&Place> = free.collect();
    let mut placed = 0;
    for (_, zone) in needs(survey, workload) {
        let Some(at) = free.iter().position(|place| zone.is_none() || place.likely_zone == zone) else {
            break;
        };
        free.remove(at);
        placed += 1;
    }
    Some(Room { rule: format!("host port {first}"), placed, wanted: workload.old_pods.len() })
}

fn ports(spec: &PodSpec) -> BTreeSet<(String, i32)> {
    let host_network = spec.host_network == Some(true);
    let of = |container: &Container| {
        let ports = container.ports.clone().unwrap_or_default();
        ports.into_iter().filter_map(move |port| {
            let number = port.host_port.filter(|port| *port > 0);
            let number = number.or(host_network.then_some(port.container_port))?;
            Some((port.protocol.unwrap_or_else(|| "TCP".to_owned()), number))
        })
    };
    spec.containers.iter().flat_map(of).collect()
}
