//! Findings about load balancers and the connections that they promise to keep: who cuts them, and which zone would be
//! left without a target.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    findings::{
        Code, Report, selector,
        survey::{Certainty, Controller, Promise, Survey},
    },
    request::LetGo,
    view::{ObjectName, OwnerKind, Pod, Service, TargetGroup, TargetState},
};

/// The longest silence on a connection of which nothing else is known: clients send a message at least this often.
/// Large enough for most heartbeats, small enough to stay below the shortest idle timeout that a listener accepts (60 s).
const SILENCE: Duration = Duration::from_secs(45);

/// A contract from which on the wait for quiet is worth a remark.
const LONG: Duration = Duration::from_secs(3600);

/// The longest deregistration delay that a target group accepts. Source: ELBv2 API, `TargetGroupAttribute`.
const DEREGISTRATION_DELAY_MAX: Duration = Duration::from_secs(3600);

/// Targets per zone of a Network Load Balancer, and per target group. Source: Amazon EKS best practices, "Known limits
/// and service quotas".
const TARGETS_PER_ZONE: usize = 500;
const TARGETS_PER_GROUP: usize = 1000;

/// Annotations of Services. Source: aws-load-balancer-controller, `guide/service/annotations.md`.
const ANNOTATIONS: &str = "service.beta.kubernetes.io/aws-load-balancer-";

pub(super) fn look(survey: &Survey<'_>, report: &mut Report) {
    let groups = survey.cluster.aws.target_groups.values();
    let reaching: Vec<&TargetGroup> = groups
        .map(|group| &**group)
        .filter(|group| group.classic || survey.reaches_old_nodes(group))
        .collect();
    if reaching.is_empty() {
        let object = format!("NodeGroup {}", survey.request.from);
        let reason = format!(
            "none of {} target groups has one of its nodes or their pods as a target",
            survey.cluster.aws.target_groups.len()
        );
        report.add(
            Code::NoLoadBalancer,
            object,
            reason,
            "check that the load balancer is one of this cluster's",
        );
    }
    for group in &reaching {
        let object = service_object(&group.service);
        if group.classic {
            let reason = "its load balancer is a Classic one, whose targets' health is not read".to_owned();
            let fix = "move the Service to a Network Load Balancer first";
            report.add(Code::ClassicLoadBalancer, object, reason, fix);
            continue;
        }
        if let Some(promise) = survey.promise(group) {
            cuts(survey, report, group, promise, &object);
        }
        idle(survey, report, group, &object);
        zones(survey, report, group, &object);
        alone(survey, report, group);
        together(survey, report, group);
        labels(survey, report, group, &object);
    }
    // Nodes that join change the targets of every group of the cloud controller, whether old nodes are in it or not.
    for group in survey.cluster.aws.target_groups.values() {
        if group.drifted && !group.classic && !group.ip_targets && !group.load_balancer_controller {
            let reason = format!("attributes of {} are not what the annotations say", group.arn);
            let fix =
                "make annotations and target group agree, and let the controller sync, before the migration";
            report.add(Code::TargetGroupDrifted, service_object(&group.service), reason, fix);
        }
    }
    for group in survey.cluster.aws.target_groups.values().filter(|group| group.load_balancer_controller) {
        attributes(survey, report, group);
    }
    daemon_sets(survey, report);
    quotas(survey, report);
    others(survey, report);
}

/// What the annotations of a Service say of its target group, beside what the target group has. Only what the connections
/// of a migration depend on is compared.
fn attributes(survey: &Survey<'_>, report: &mut Report, group: &TargetGroup) {
    let Some(service) = survey.cluster.services.get(&group.service) else { return };
    let annotated = |name: &str| pairs(service.meta.annotations.get(&format!("{ANNOTATIONS}{name}")));
    let of_group = annotated("target-group-attributes");
    let cross_zone = "load_balancing.cross_zone.enabled";
    // The group's own word counts, unless it leaves it to the load balancer.
    let mut said = annotated("attributes");
    said.retain(|key, _| key == cross_zone);
    said.extend(of_group.into_iter().filter(|(_, value)| value != "use_load_balancer_configuration"));
    let has = [
        ("deregistration_delay.timeout_seconds", group.deregistration_delay.as_secs().to_string()),
        ("deregistration_delay.connection_termination.enabled", group.deregistration_cuts.to_string()),
        ("target_health_state.unhealthy.connection_termination.enabled", group.unhealthy_cuts.to_string()),
        (
            "target_health_state.unhealthy.draining_interval_seconds",
            group.unhealthy_draining_interval.as_secs().to_string(),
        ),
        (cross_zone, group.cross_zone.to_string()),
    ];
    let differing: Vec<String> = has
        .into_iter()
        .filter_map(|(key, has)| {
            let said = said.get(key).filter(|said| **said != has)?;
            Some(format!("{key} is {has}, annotated is {said}"))
        })
        .collect();
    if !differing.is_empty() {
        let reason = format!("of {}, {}", group.arn, differing.join("; "));
        let fix =
            "make them agree before the migration: change the annotation, or have the controller write it";
        report.add(Code::AttributesDiffer, service_object(&group.service), reason, fix);
    }
}

/// The pairs of an annotation: `a=b,c=d`.
fn pairs(annotation: Option<&String>) -> BTreeMap<String, String> {
    let words = annotation.into_iter().flat_map(|text| text.split(','));
    let pairs = words.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned())).collect()
}

fn service_object(service: &ObjectName) -> String {
    format!("Service {}/{}", service.namespace, service.name)
}

/// Who may end a connection before its contract does.
fn cuts(survey: &Survey<'_>, report: &mut Report, group: &TargetGroup, promise: Promise, object: &str) {
    let settings = &survey.request.settings;
    let Promise { grace_period, pre_stop, lost, contract } = promise;
    if grace_period <= lost {
        let code = if group.ip_targets { Code::IpGraceTooShort } else { Code::ContractEmpty };
        let (grace, lost) = (seconds(grace_period), seconds(lost));
        let reason = format!("its pods have a grace period of {grace}, of which {lost} protect nobody");
        let fix = format!("raise terminationGracePeriodSeconds to {lost} plus the longest connection");
        report.add(code, object, reason, fix);
    }
    // A connection may arrive as late as the propagation after the deregistration, and live as long as its contract.
    let needed = contract + settings.propagation;
    if group.deregistration_cuts && group.deregistration_delay < needed && !contract.is_zero() {
        let reason = format!(
            "connections are cut {} after the deregistration, but may arrive until {} after it and live {}",
            seconds(group.deregistration_delay),
            seconds(settings.propagation),
            seconds(contract)
        );
        let mut fix = "set deregistration_delay.connection_termination.enabled to false".to_owned();
        if needed <= DEREGISTRATION_DELAY_MAX {
            fix += &format!(", or the delay to {}", seconds(needed));
        }
        report.add(Code::CutAtEndOfDelay, object, reason, fix);
    }
    // Until SIGTERM nothing changes for the application; a pre-stop hook that outlasts the contract hides it.
    let hidden = pre_stop >= contract + lost;
    if group.ip_targets && group.unhealthy_cuts && !hidden {
        let reason = format!(
            "a pod whose port closes within {} of its deletion turns unhealthy, and its connections are reset",
            seconds(grace_period)
        );
        let fix = "set target_health_state.unhealthy.connection_termination.enabled to false, unless the application \
                   keeps its port open until its clients have left";
        report.add(Code::CutWhenPortCloses, object, reason, fix);
    }
    if survey.request.closes_at_sigterm.contains(&group.service) && !hidden && !contract.is_zero() {
        let local = survey.cluster.services.get(&group.service).is_some_and(|service| service.local);
        // Only a scale-back is held; what is evicted goes when its node is released.
        let evicted = survey.workloads.iter().any(|workload| {
            let mut services = survey.services_of(workload.namespace(), workload.labels());
            !workload.surged() && services.any(|service| service.meta.name == group.service)
        });
        let holdable = local && !group.ip_targets && !evicted;
        let held = settings.let_go == LetGo::Before && holdable;
        if !held {
            let reason = format!(
                "it closes its connections at SIGTERM, {} after a pod's deletion, but they may live {}",
                seconds(pre_stop),
                seconds(contract)
            );
            let fix = if holdable {
                "let old pods go only when the contract has ended (let-go before), or add a pre-stop hook"
                    .to_owned()
            } else {
                format!("add a pre-stop hook that sleeps {}", seconds(contract + lost))
            };
            report.add(Code::ClosesAtSigterm, object, reason, fix);
        }
    }
    if contract > LONG {
        let wait = contract + settings.quiet_margin;
        let reason = format!("connections may live {}; the old nodes are kept that long", seconds(contract));
        let fix =
            format!("plan for {} before the group is deleted, or state a shorter contract", hours(wait));
        report.add(Code::LongContract, object, reason, fix);
    }
}

fn idle(survey: &Survey<'_>, report: &mut Report, group: &TargetGroup, object: &str) {
    let silence = survey.request.longest_silence.get(&group.service).copied().unwrap_or(SILENCE);
    if group.idle_timeout <= silence {
        let reason = format!(
            "connections may be silent for {}, and are forgotten after {}",
            seconds(silence),
            seconds(group.idle_timeout)
        );
        let fix =
            "raise tcp.idle_timeout.seconds of the listener, or have the clients send keepalives more often";
        report.add(Code::IdleTimeoutTooShort, object, reason, fix);
    }
}

/// Zones that serve now and would have no new target.
fn zones(survey: &Survey<'_>, report: &mut Report, group: &TargetGroup, object: &str) {
    if group.cross_zone {
        return;
    }
    let mut lacking: BTreeMap<Code, Vec<String>> = BTreeMap::new();
    for (zone, example) in survey.old_target_zones(group) {
        let code = match survey.new_zones.get(&zone) {
            Some(Certainty::Sure) => continue,
            Some(Certainty::Possible) => Code::ZoneMayStayEmpty,
            None => Code::ZoneWithoutTarget,
        };
        lacking.entry(code).or_default().push(format!("{zone} ({example})"));
    }
    for (code, zones) in lacking {
        let zones = zones.join(", ");
        let (nodes, covered) = (survey.new_nodes, survey.new_zones.len());
        let (reason, fix) = if code == Code::ZoneMayStayEmpty {
            let reason =
                format!("{zones} may get none of {nodes} new nodes, which are spread over {covered} zones");
            (reason, format!("ask for at least {covered} nodes"))
        } else {
            let reason = format!("cross-zone load balancing is off and {zones} gets no new node");
            (
                reason,
                "add a subnet of the zone to the new group, or turn cross-zone load balancing on".to_owned(),
            )
        };
        report.add(code, object, reason, fix);
    }
}

/// Zones in which one pod of a StatefulSet, or one node with its pods, is all that serves. A StatefulSet cannot have its
/// new pod first, and with externalTrafficPolicy Local or ip targets no other node of the zone can stand in.
fn alone(survey: &Survey<'_>, report: &mut Report, group: &TargetGroup) {
    let local = survey.cluster.services.get(&group.service).is_some_and(|service| service.local);
    let pods = survey.pods_behind(&group.service);
    // A StatefulSet of one replica is a finding of its own.
    if group.cross_zone || !(local || group.ip_targets) || pods.len() < 2 {
        return;
    }
    let mut targets: BTreeMap<&str, BTreeMap<&str, &Pod>> = BTreeMap::new();
    for pod in pods.into_iter().filter(|pod| pod.is_ready()) {
        let Some(node) = pod.node.as_ref().and_then(|node| survey.cluster.nodes.get(node)) else { continue };
        let Some(zone) = &node.zone else { continue };
        let target = if group.ip_targets { &pod.meta.name.name } else { &node.meta.name.name };
        targets.entry(zone).or_default().insert(target, pod);
    }
    for (zone, targets) in targets {
        let is_moved = |pod: &&Pod| is_stateful(pod) && survey.on_old_node(pod);
        let Some((target, pod)) = targets.iter().next().map(|(target, pod)| (*target, *pod)) else {
            continue;
        };
        let Some(owner) = pod.owner.as_ref().filter(|_| targets.values().all(is_moved)) else { continue };
        let (service, object) = (service_object(&group.service), object_of(pod, &owner.name));
        let reason = if targets.len() == 1 {
            format!("{target} is the only target of {service} in zone {zone}")
        } else if targets.values().any(|pod| may_leave_zone(survey, pod, zone)) {
            let count = targets.len();
            format!(
                "the {count} targets of {service} in zone {zone} may be replaced in another zone, so that one is left"
            )
        } else {
            continue;
        };
        let fix = "turn cross-zone load balancing on, or run two of its pods in the zone, on different nodes, with \
                   volumes or a node selector that keep them there";
        report.add(Code::StatefulSetAloneInZone, object, reason, fix);
    }
}

fn is_stateful(pod: &Pod) -> bool {
    pod.owner.as_ref().is_some_and(|owner| owner.kind == OwnerKind::StatefulSet)
}

/// Whether the pod that replaces this one may be placed outside its zone.
fn may_leave_zone(survey: &Survey<'_>, pod: &Pod, zone: &str) -> bool {
    let namespace = &pod.meta.name.namespace;
    let claims = pod.spec.volume_claims.iter().filter_map(|claim| {
        let name = ObjectName { namespace: namespace.clone(), name: claim.clone() };
        survey.cluster.volume_claims.get(&name)
    });
    let kept = claims
        .filter(|claim| !claim.zones.is_empty())
        .any(|claim| claim.zones.iter().all(|it| **it == *zone));
    let mut places = survey.places.iter().filter(|place| place.admits(&pod.spec));
    !kept && places.any(|place| place.likely_zone.as_deref().is_some_and(|other| other != zone))
}

/// Nodes with several pods of a StatefulSet behind a Local Service: excluding such a node at once would take more
/// endpoints away than the one that the Service can miss.
fn together(survey: &Survey<'_>, report: &mut Report, group: &TargetGroup) {
    let local = survey.cluster.services.get(&group.service).is_some_and(|service| service.local);
    if !local || group.ip_targets {
        return;
    }
    let mut on_node: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
    let pods = survey.pods_behind(&group.service);
    let old = pods.into_iter().filter(|pod| pod.is_ready() && survey.on_old_node(pod));
    for pod in old.filter(|pod| pod.owner.as_ref().is_some_and(|it| it.kind == OwnerKind::StatefulSet)) {
        if let Some(node) = &pod.node {
            on_node.entry(node).or_default().push(pod);
        }
    }
    for (node, pods) in on_node.into_iter().filter(|(_, pods)| pods.len() > 1) {
        let Some((pod, owner)) = pods.first().and_then(|pod| Some((pod, pod.owner.as_ref()?))) else {
            continue;
        };
        let service = service_object(&group.service);
        let reason = format!("node {node} has {} of the pods behind {service}", pods.len());
        let fix = "nothing, or spread its pods over the old nodes, one on each, to be faster";
        report.add(Code::StatefulSetSharesNode, object_of(pod, &owner.name), reason, fix);
    }
}

fn object_of(pod: &Pod, set: &str) -> String {
    format!("StatefulSet {}/{set}", pod.meta.name.namespace)
}

/// The Service's own choice of nodes.
fn labels(survey: &Survey<'_>, report: &mut Report, group: &TargetGroup, object: &str) {
    let Some(wanted) = group.target_node_labels.as_ref().filter(|_| !group.ip_targets) else { return };
    let pairs = pairs(Some(&wanted.to_string()));
    let mut new = survey.places.iter().filter(|place| place.new).peekable();
    if new.peek().is_some() && !new.any(|place| selector::contains(&pairs, &place.labels)) {
        let reason = format!("its targets are nodes with {wanted}, which no new node has");
        let fix = "add the labels to the node group's configuration, or change the Service's annotation \
                   aws-load-balancer-target-node-labels";
        report.add(Code::TargetLabelsMissing, object, reason, fix);
    }
}

/// DaemonSets that serve from the old nodes: nothing moves their pods, they end with the node.
fn daemon_sets(survey: &Survey<'_>, report: &mut Report) {
    for set in survey.cluster.daemon_sets.values() {
        let namespace = &set.meta.name.namespace;
        let here = survey.cluster.pods.values().filter(|pod| {
            let owner = pod.owner.as_ref();
            survey.on_old_node(pod)
                && pod.meta.name.namespace == *namespace
                && owner.is_some_and(|it| it.kind == OwnerKind::DaemonSet && it.name == set.meta.name.name)
        });
        let here = here.count();
        if here == 0 {
            continue;
        }
        // Pods on nodes of a group that is adopted serve already and replace none.
        let places = survey.places.iter().filter(|place| place.new && !place.real);
        let joining = places.filter(|place| place.admits(&set.template)).count();
        // A DaemonSet that runs on no new node at all is a finding of its own.
        let stays_behind = !survey.places.iter().any(|place| place.new && place.admits(&set.template));
        let object = format!("DaemonSet {namespace}/{}", set.meta.name.name);
        for service in survey.services_of(namespace, &set.template_labels) {
            if survey.serves_inside(service) {
                let name = service_object(&service.meta.name);
                let reason =
                    format!("clients of {name} inside the cluster reach its pods on old nodes to the end");
                let fix = "keep the DaemonSet off the old nodes by its node selector before they are deleted";
                report.add(Code::DaemonSetServesToTheEnd, &object, reason, fix);
            }
            for group in survey.target_groups_of(service).filter(|group| survey.reaches_old_nodes(group)) {
                daemon_set(report, &object, service, group);
                if service.local && !group.ip_targets && joining < here && !stays_behind {
                    let name = service_object(&service.meta.name);
                    let reason =
                        format!("{here} old nodes serve {name} with its pods, and {joining} nodes join");
                    let fix = "create the new group with at least as many nodes";
                    report.add(Code::FewerDaemonSetPods, object.clone(), reason, fix);
                }
            }
        }
    }
}

fn daemon_set(report: &mut Report, object: &str, service: &Service, group: &TargetGroup) {
    let name = service_object(&service.meta.name);
    if service.local && !group.ip_targets {
        let reason = format!("it serves {name} from the old nodes until they are deleted");
        let fix = "nothing: the deletion waits for the longest contract after the nodes' release";
        report.add(Code::DaemonSetServes, object, reason, fix);
        return;
    }
    let why = if group.ip_targets { "its pods are targets" } else { "externalTrafficPolicy is Cluster" };
    let reason = format!("{name} sends new connections to its pods on old nodes to the end, because {why}");
    let fix = "set externalTrafficPolicy to Local (instance targets), or keep the DaemonSet off the old nodes by its \
               node selector before they are deleted";
    report.add(Code::DaemonSetServesToTheEnd, object, reason, fix);
}

/// Quotas that old and new targets share while both serve.
fn quotas(survey: &Survey<'_>, report: &mut Report) {
    let mut by_service: BTreeMap<&ObjectName, Vec<&TargetGroup>> = BTreeMap::new();
    for group in survey.cluster.aws.target_groups.values().filter(|group| !group.classic) {
        by_service.entry(&group.service).or_default().push(group);
    }
    let new = usize::try_from(survey.new_nodes).unwrap_or(usize::MAX);
    for (service, groups) in by_service {
        let counts = |group: &TargetGroup| {
            let used = group.targets.iter().filter(|target| target.state != TargetState::Unused).count();
            // Pods of ip targets double at most.
            used + if group.ip_targets { used } else { new }
        };
        let largest = groups.iter().map(|group| counts(group)).max().unwrap_or(0);
        let sum: usize = groups.iter().map(|group| counts(group)).sum();
        let cross_zone = groups.iter().any(|group| group.cross_zone);
        let per_zone = if cross_zone { sum } else { sum.div_ceil(survey.new_zones.len().max(1)) };
        if largest > TARGETS_PER_GROUP || per_zone > TARGETS_PER_ZONE {
            let reason =
                format!("old and new targets are {largest} in one group and about {per_zone} in one zone");
            let fix = "ask AWS to raise the quotas, or restrict the Service's targets to fewer nodes";
            report.add(Code::TargetQuota, service_object(service), reason, fix);
        }
    }
}

fn others(survey: &Survey<'_>, report: &mut Report) {
    let ingresses = survey.cluster.other_kinds.get("networking.k8s.io/Ingress").copied().unwrap_or(0);
    if ingresses > 0 {
        let reason = format!("{ingresses} Ingresses; load balancers made for them are not looked at");
        let fix = "see that the pods behind application load balancers have a pre-stop hook of some minutes";
        report.add(Code::Ingresses, "Cluster", reason, fix);
    }
    for workload in &survey.workloads {
        let Controller::Deployment(deployment) = workload.controller else { continue };
        let named = workload.labels().get("app.kubernetes.io/name").map(String::as_str);
        let is_controller = named == Some("aws-load-balancer-controller");
        if is_controller && deployment.replicas == 1 {
            let reason = "its only replica runs on an old node".to_owned();
            report.add(Code::ControllerAlone, workload.object.clone(), reason, "run two replicas");
        }
    }
}

pub(super) fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs())
}

fn hours(duration: Duration) -> String {
    let minutes = duration.as_secs().div_ceil(60);
    format!("{} h {} min", minutes / 60, minutes % 60)
}
