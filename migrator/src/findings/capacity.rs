//! Findings about room: what the old nodes hold has to fit on the new ones and, while both run, in resource quotas.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::{api::core::v1::PodSpec, apimachinery::pkg::api::resource::Quantity};

use crate::{
    findings::{
        Code, Report,
        survey::{self, Place, Survey},
    },
    quantity,
    view::{ObjectName, Pod, Resources},
};

pub(super) fn look(survey: &Survey<'_>, report: &mut Report) {
    quotas(survey, report);
    let object = format!("NodeGroup {}", survey.request.to);
    if survey.places.iter().any(|place| place.new && place.free.is_none()) {
        let reason = format!("no node of type {} is in the cluster", survey.new_instance_types().join(", "));
        let fix = "see that the new nodes hold what the old ones hold, or adopt a group whose nodes exist";
        report.add(Code::CapacityUnknown, object, reason, fix);
        return;
    }
    let items = items(survey);
    let lacking: Vec<String> = shortages(survey, &items);
    if !lacking.is_empty() {
        let fix = "ask for more or larger nodes";
        report.add(Code::CapacityTooSmall, object, lacking.join("; "), fix);
        return;
    }
    for order in [Order::LargestFirst, Order::Spread] {
        let left = unplaced(survey, &items, order);
        if let Some(first) = left.first() {
            let pods = if left.len() == 1 { "pod finds" } else { "pods find" };
            let name = &first.meta.name.name;
            let reason = format!("{} {pods} no node {}, {name} among them", left.len(), order.words());
            report.add(Code::CapacityTight, object, reason, "ask for one node more");
            return;
        }
    }
}

/// A pod to be placed.
struct Item<'a> {
    pod: &'a Pod,
    /// Zones that it has to stay in; empty where any will do.
    zones: Vec<Arc<str>>,
}

impl Item<'_> {
    fn may_go(&self, place: &Place) -> bool {
        let here = self.zones.is_empty() || place.zone.as_ref().is_some_and(|zone| self.zones.contains(zone));
        here && place.admits(&self.pod.spec)
    }
}

/// One new pod for each old one. Pods that no place admits are findings of their own and left out.
fn items<'a>(survey: &Survey<'a>) -> Vec<Item<'a>> {
    let mut items = Vec::new();
    for workload in &survey.workloads {
        let zonal = survey.is_zonal(workload);
        for pod in &workload.old_pods {
            let namespace = &pod.meta.name.namespace;
            let claims = pod.spec.volume_claims.iter().filter_map(|name| {
                let name = ObjectName { namespace: namespace.clone(), name: name.clone() };
                survey.cluster.volume_claims.get(&name)
            });
            let volume = claims.map(|claim| &claim.zones).find(|zones| !zones.is_empty()).cloned();
            let node = pod.node.as_ref().and_then(|node| survey.cluster.nodes.get(node));
            let zone = node.and_then(|node| node.zone.clone()).filter(|_| zonal).map(|zone| vec![zone]);
            let item = Item { pod, zones: volume.or(zone).unwrap_or_default() };
            if survey.places.iter().any(|place| item.may_go(place)) {
                items.push(item);
            }
        }
    }
    items
}

/// Resources by the name that Kubernetes gives them.
fn named(resources: Resources) -> [(&'static str, u64); 3] {
    [("cpu", resources.cpu_milli), ("memory", resources.memory), ("pods", resources.pods)]
}

/// What is lacking however pods are placed: in sum over all zones, in sum over one zone, or for one pod alone.
fn shortages(survey: &Survey<'_>, items: &[Item<'_>]) -> Vec<String> {
    let mut lacking = Vec::new();
    let everything: Vec<&Item<'_>> = items.iter().collect();
    lacking.extend(shortage(survey, &everything, "all zones"));
    let mut by_zone: BTreeMap<&Arc<str>, Vec<&Item<'_>>> = BTreeMap::new();
    for item in items {
        if let [zone] = item.zones.as_slice() {
            by_zone.entry(zone).or_default().push(item);
        }
    }
    for (zone, items) in by_zone {
        lacking.extend(shortage(survey, &items, zone));
    }
    // A pod too large for any node is worth naming where the sums would let it in.
    if lacking.is_empty() {
        lacking.extend(items.iter().find(|item| !fits_alone(survey, item)).map(|item| {
            let Resources { cpu_milli, memory, .. } = item.pod.spec.requests;
            format!("{} ({cpu_milli}m cpu, {memory} bytes) fits on no node", item.pod.meta.name.name)
        }));
    }
    lacking
}

fn fits_alone(survey: &Survey<'_>, item: &Item<'_>) -> bool {
    let mut places = survey.places.iter().filter(|place| item.may_go(place));
    places.any(|place| place.free.is_some_and(|free| fits(free, one_pod(item.pod))))
}

fn fits(free: Resources, requests: Resources) -> bool {
    named(free).iter().zip(named(requests)).all(|(free, wanted)| wanted.1 <= free.1)
}

fn shortage(survey: &Survey<'_>, items: &[&Item<'_>], zone: &str) -> Option<String> {
    let places = survey.places.iter().filter(|place| items.iter().any(|item| item.may_go(place)));
    let room = places.filter_map(|place| place.free).fold(Resources::default(), plus);
    let wanted = items.iter().map(|item| one_pod(item.pod)).fold(Resources::default(), plus);
    let short = named(wanted).into_iter().zip(named(room)).filter(|(wanted, room)| wanted.1 > room.1);
    let short: Vec<String> =
        short.map(|(wanted, room)| format!("{} {} of {}", wanted.0, room.1, wanted.1)).collect();
    (!short.is_empty()).then(|| format!("in {zone} there is {}", short.join(", ")))
}

fn one_pod(pod: &Pod) -> Resources {
    Resources { pods: 1, ..pod.spec.requests }
}

fn plus(one: Resources, other: Resources) -> Resources {
    Resources {
        cpu_milli: one.cpu_milli + other.cpu_milli,
        memory: one.memory + other.memory,
        pods: one.pods + other.pods,
    }
}

/// In which order pods are placed, and on which of the nodes with room.
#[derive(Clone, Copy)]
enum Order {
    /// The largest first, each on the first node: what packs best.
    LargestFirst,
    /// As they come, each on the emptiest node: what the scheduler's default scores come to.
    Spread,
}

impl Order {
    fn words(self) -> &'static str {
        match self {
            Self::LargestFirst => "although the largest were placed first",
            Self::Spread => "when each goes to the emptiest, as the scheduler has it",
        }
    }
}

/// Pods that find no node when they are placed one after the other.
fn unplaced<'a>(survey: &Survey<'_>, items: &[Item<'a>], order: Order) -> Vec<&'a Pod> {
    let mut items: Vec<&Item<'_>> = items.iter().collect();
    if let Order::LargestFirst = order {
        items.sort_by_key(|item| {
            let requests = item.pod.spec.requests;
            std::cmp::Reverse((requests.memory, requests.cpu_milli))
        });
    }
    let mut free: Vec<Resources> = survey.places.iter().map(|place| place.free.unwrap_or_default()).collect();
    let mut left = Vec::new();
    for item in items {
        let requests = one_pod(item.pod);
        let mut with_room = survey
            .places
            .iter()
            .zip(&mut free)
            .filter(|(place, free)| item.may_go(place) && fits(**free, requests));
        let place = match order {
            Order::LargestFirst => with_room.next(),
            // The first of those that are equally empty.
            Order::Spread => {
                with_room.min_by_key(|(_, free)| std::cmp::Reverse((free.cpu_milli, free.memory)))
            }
        };
        match place {
            Some((_, free)) => *free = survey::less(*free, requests),
            None => left.push(item.pod),
        }
    }
    left
}

/// Quotas count old and new pods together. Scopes of a quota are not known: it is taken to count every pod.
fn quotas(survey: &Survey<'_>, report: &mut Report) {
    for quota in survey.cluster.resource_quotas.values() {
        let namespace = &quota.meta.name.namespace;
        let surged = survey
            .workloads
            .iter()
            .filter(|workload| workload.surged() && *workload.namespace() == **namespace);
        let pods: Vec<&Pod> = surged.flat_map(|workload| workload.old_pods.iter().copied()).collect();
        let sum = |of: fn(&Pod) -> u64| pods.iter().map(|pod| of(pod)).sum::<u64>();
        let mut lacking = Vec::new();
        for (resource, (hard, used)) in &quota.hard_and_used {
            let surge = match resource.as_str() {
                "pods" | "count/pods" => sum(|_| 1),
                "cpu" | "requests.cpu" => sum(|pod| pod.spec.requests.cpu_milli),
                "memory" | "requests.memory" => sum(|pod| pod.spec.requests.memory),
                "limits.cpu" => sum(|pod| limit(&pod.spec.kubernetes, "cpu")),
                "limits.memory" => sum(|pod| limit(&pod.spec.kubernetes, "memory") / 1000),
                _ => continue,
            };
            if surge > hard.saturating_sub(*used) {
                lacking.push(format!("{resource}: {used} of {hard} used, the surge needs {surge} more"));
            }
        }
        if !lacking.is_empty() {
            let object = format!("ResourceQuota {namespace}/{}", quota.meta.name.name);
            let fix = "raise the quota for the time of the migration";
            report.add(Code::QuotaTooSmall, object, lacking.join("; "), fix);
        }
    }
}

/// Sum of the containers' limits in thousandths; what has no limit is refused or defaulted by others.
fn limit(spec: &PodSpec, resource: &str) -> u64 {
    let limits = spec.containers.iter().filter_map(|container| {
        let Quantity(text) = container.resources.as_ref()?.limits.as_ref()?.get(resource)?;
        quantity::milli(text)
    });
    limits.sum()
}
