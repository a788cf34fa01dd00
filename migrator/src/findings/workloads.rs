//! Findings about workloads: what cannot run beside its old self, what cannot be evicted, and what is not settled.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    findings::{
        Code, Report, selector,
        survey::{Controller, Once, Survey, Workload},
    },
    view::{Deployment, DisruptionBudget, ObjectName, OwnerKind, StatefulSet},
};

/// Kinds whose controllers write a repository's state back. Source: the projects' own API groups.
const GIT_OPS: [&str; 3] = [
    "argoproj.io/Application",
    "helm.toolkit.fluxcd.io/HelmRelease",
    "kustomize.toolkit.fluxcd.io/Kustomization",
];

/// Names under which programs write to objects, and who they are. Those that compare all the time, then those that write when
/// somebody deploys. Sources: argo-cd `common.ArgoCDSSAManager`, Flux' controllers, KEDA's operator and Helm by the names of
/// their programs.
const RECONCILERS: [(&str, &str); 5] = [
    ("argocd-application-controller", "Argo CD"),
    ("argocd-controller", "Argo CD"),
    ("helm-controller", "Flux"),
    ("kustomize-controller", "Flux"),
    ("keda", "KEDA"),
];
const DEPLOYERS: [(&str, &str); 1] = [("helm", "Helm")];

/// Workloads that are named of those that one finding is about.
const NAMED: usize = 5;

pub(super) fn look(survey: &Survey<'_>, report: &mut Report) {
    for workload in &survey.workloads {
        match workload.controller {
            Controller::Deployment(deployment) => on_deployment(survey, report, workload, deployment),
            Controller::StatefulSet(set) => on_stateful_set(survey, report, workload, set),
            Controller::Job => {
                let reason = format!("{} of its pods run on old nodes", workload.old_pods.len());
                let fix = "let it finish first, or give it a podFailurePolicy that ignores disruptions";
                report.add(Code::JobRuns, workload.object.clone(), reason, fix);
            }
            Controller::Other => {
                let codes = (Code::UnknownControllerServes, Code::UnknownController);
                let fix = "move it by its controller's own means before the migration";
                serves_or_not(survey, report, workload, codes, "", fix);
            }
            Controller::Nobody => {
                let codes = (Code::BarePodServes, Code::BarePod);
                serves_or_not(survey, report, workload, codes, "", "create it through a Deployment");
            }
        }
        if !workload.surged() {
            evictable(survey, report, workload);
        }
        local_data(report, workload);
    }
    budgets_above_scale(survey, report);
    managers(survey, report);
    vertical_autoscalers(survey, report);
    own_pod(survey, report);
    let kinds = GIT_OPS.iter().filter_map(|kind| Some((kind, survey.cluster.other_kinds.get(*kind)?)));
    for (kind, count) in kinds.filter(|(_, count)| **count > 0) {
        let reason = format!("{count} objects of kind {kind}");
        let fix = "have it ignore spec.replicas and annotations under nodeferry.io, or suspend it";
        report.add(Code::GitOps, "Cluster", reason, fix);
    }
}

fn on_deployment(survey: &Survey<'_>, report: &mut Report, workload: &Workload<'_>, deployment: &Deployment) {
    let object = || workload.object.clone();
    let wanted = deployment.replicas;
    let active_sets = survey.cluster.replica_sets.values().filter(|set| {
        let owner = set.owner.as_ref();
        owner.is_some_and(|owner| owner.uid == deployment.meta.uid)
            && (set.replicas > 0 || set.status_replicas > 0)
    });
    let active_sets = active_sets.count();
    if deployment.observed_generation < deployment.generation
        || deployment.status_replicas != wanted
        || deployment.updated_replicas != wanted
        || active_sets > 1
    {
        let reason = format!(
            "{wanted} replicas are wanted, there are {} in {active_sets} active ReplicaSets, {} of them up to date{}",
            deployment.status_replicas,
            deployment.updated_replicas,
            if deployment.paused { "; it is paused" } else { "" }
        );
        let fix =
            if deployment.paused { "resume and finish the rollout" } else { "wait for the rollout to end" };
        report.add(Code::NotConverged, object(), reason, fix);
    }
    not_ready(survey, report, workload, deployment.ready_replicas, wanted);

    if let Some(once) = workload.once {
        let (why, fix) = match once {
            Once::Recreate => (
                "its strategy is Recreate".to_owned(),
                "use a rolling update if two of its pods may run at once",
            ),
            Once::Volume(claim) => {
                let why = format!("one node at a time may mount claim {}", claim.meta.name.name);
                (why, "use a volume that many nodes may mount")
            }
            Once::Keda(autoscaler) => {
                let why =
                    format!("its autoscaler {} belongs to a KEDA ScaledObject", autoscaler.meta.name.name);
                (why, "pause the ScaledObject with the annotation autoscaling.keda.sh/paused-replicas")
            }
        };
        let codes = (Code::EvictedDeploymentServes, Code::EvictedDeployment);
        serves_or_not(survey, report, workload, codes, &format!("{why}; "), fix);
    } else if wanted == 1 && matches!(&*deployment.max_surge, "0" | "0%") {
        let reason = "it has one replica, and its rolling update has maxSurge 0".to_owned();
        let fix = "see that two of its pods may run at once, or set its strategy to Recreate to have it moved by eviction";
        report.add(Code::SingletonSurged, object(), reason, fix);
    }
    if workload.surged()
        && let Some(autoscaler) = survey.autoscaler_of(deployment)
    {
        let name = &autoscaler.meta.name.name;
        let surge = u32::try_from(workload.old_pods.len()).unwrap_or(u32::MAX);
        let most = wanted.saturating_add(surge);
        if most > autoscaler.max {
            let reason =
                format!("it runs {most} pods while it moves; the maximum of {name} is {}", autoscaler.max);
            report.add(
                Code::AboveMaximum,
                object(),
                reason,
                "see that what limits the maximum bears so many pods",
            );
        }
    }
}

/// Who else writes the replicas of what is surged, each with the workloads that it manages.
fn managers(survey: &Survey<'_>, report: &mut Report) {
    let mut managed: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for workload in survey.workloads.iter().filter(|workload| workload.surged()) {
        let Controller::Deployment(deployment) = workload.controller else { continue };
        for manager in deployment.replicas_managers.iter() {
            managed.entry(manager).or_default().push(&workload.object);
        }
    }
    let mut told = |code, names: &[(&'static str, &str)], fix: &str| {
        for (name, who) in names {
            let Some(workloads) = managed.get(name) else { continue };
            let some = workloads.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
            let more = workloads.len().saturating_sub(NAMED);
            let more = if more == 0 { String::new() } else { format!(" and {more} more") };
            let reason = format!("{who} ({name}) manages spec.replicas of {some}{more}");
            report.add(code, "Cluster", reason, fix);
        }
    };
    let fix = "have it ignore spec.replicas, or suspend it for the time of the migration";
    told(Code::ReplicasManaged, &RECONCILERS, fix);
    told(Code::ReplicasDeployed, &DEPLOYERS, "see that nobody deploys these during the migration");
}

/// Autoscalers that evict pods by themselves, or change what new pods request.
fn vertical_autoscalers(survey: &Survey<'_>, report: &mut Report) {
    for (name, autoscaler) in &survey.cluster.vertical_pod_autoscalers {
        if matches!(&*autoscaler.mode, "Off" | "Initial") {
            continue;
        }
        let (kind, target) = &autoscaler.target;
        let object = format!("{kind} {}/{target}", name.namespace);
        if survey.workloads.iter().any(|workload| workload.object == object) {
            let reason = format!("VerticalPodAutoscaler {} has the mode {}", name.name, autoscaler.mode);
            let fix = "set its updateMode to Off for the time of the migration";
            report.add(Code::VerticalAutoscaler, object, reason, fix);
        }
    }
}

/// Where this very program runs.
fn own_pod(survey: &Survey<'_>, report: &mut Report) {
    let Some(name) = &survey.expectations.own_pod else { return };
    let pod = survey.cluster.pods.get(name).filter(|pod| survey.on_old_node(pod));
    if let Some(node) = pod.and_then(|pod| pod.node.as_ref()) {
        let reason = format!("it runs this program, on {node}");
        let fix = "run it elsewhere: outside the cluster, or with a node selector for another node group";
        report.add(Code::OwnPod, format!("Pod {}/{}", name.namespace, name.name), reason, fix);
    }
}

fn on_stateful_set(survey: &Survey<'_>, report: &mut Report, workload: &Workload<'_>, set: &StatefulSet) {
    if set.observed_generation < set.generation {
        let reason =
            format!("generation {} was observed, {} is wanted", set.observed_generation, set.generation);
        report.add(Code::NotConverged, workload.object.clone(), reason, "wait for the rollout to end");
    }
    not_ready(survey, report, workload, set.ready_replicas, set.replicas);
    if set.replicas == 1 {
        let codes = (Code::LonelyStatefulSet, Code::LonelyStatefulSetPauses);
        serves_or_not(survey, report, workload, codes, "", "run two replicas, or accept the gap");
    }
}

/// Pods that are not Ready stand in the way where they stay, or where no other pod of their template is Ready.
fn not_ready(survey: &Survey<'_>, report: &mut Report, workload: &Workload<'_>, ready: u32, wanted: u32) {
    if ready >= wanted {
        return;
    }
    let mut reason = format!("{ready} of {wanted} replicas are Ready");
    let stays = survey.pods_of(workload).find(|pod| {
        // One without a node may still find one.
        pod.node.is_some() && !survey.on_old_node(pod) && !pod.is_ready()
    });
    let code = match stays {
        Some(pod) => {
            reason += &format!("; {} stays on a node that is not left", pod.meta.name.name);
            Code::NotReady
        }
        None if ready == 0 => Code::NotReady,
        None => Code::OldPodsNotReady,
    };
    report.add(code, workload.object.clone(), reason, "wait until all are Ready, or repair them");
}

/// The first code where a load balancer would miss the pods, the second where none would.
fn serves_or_not(
    survey: &Survey<'_>,
    report: &mut Report,
    workload: &Workload<'_>,
    (serves, not): (Code, Code),
    why: &str,
    fix: &str,
) {
    let pods = workload.old_pods.len();
    let (code, reason) = match survey.balanced_service_of(workload.namespace(), workload.labels()) {
        Some(service) => {
            let name = &service.meta.name.name;
            let balanced = if service.load_balancer { "load-balanced " } else { "" };
            (
                serves,
                format!("{why}{balanced}Service {name} lacks them while its {pods} old pods are evicted"),
            )
        }
        None => (not, format!("{why}its {pods} old pods are evicted")),
    };
    report.add(code, workload.object.clone(), reason, fix);
}

/// Whether the eviction API will let the workload's pods go.
fn evictable(survey: &Survey<'_>, report: &mut Report, workload: &Workload<'_>) {
    let budgets: Vec<&DisruptionBudget> = survey
        .cluster
        .disruption_budgets
        .values()
        .map(|budget| &**budget)
        .filter(|budget| {
            *budget.meta.name.namespace == *workload.namespace()
                && selector::selects(&budget.selector, workload.labels())
        })
        .collect();
    if let [first, second, ..] = budgets.as_slice() {
        let reason = format!("{} and {} both select its pods", first.meta.name.name, second.meta.name.name);
        report.add(Code::TwoBudgets, workload.object.clone(), reason, "keep one of the budgets");
        return;
    }
    let Some(budget) = budgets.first() else { return };
    let allowed = match scale(survey, budget) {
        Some(scale) => scale.saturating_sub(desired_healthy(budget, scale)),
        // Where a pod's controller is unknown, the disruption controller allows nothing; its own word counts.
        None => u32::try_from(budget.disruptions_allowed).unwrap_or(0),
    };
    if allowed == 0 {
        let reason = format!("budget {} ({}) allows no disruption", budget.meta.name.name, written(budget));
        let fix = "allow one disruption for the time of the migration";
        report.add(Code::BudgetAllowsNothing, workload.object.clone(), reason, fix);
    }
}

/// Scaling back to the original size asks no budget, but it is held to what the budget demands at that size.
fn budgets_above_scale(survey: &Survey<'_>, report: &mut Report) {
    for budget in survey.cluster.disruption_budgets.values() {
        let concerns = survey.workloads.iter().any(|workload| {
            workload.surged()
                && *budget.meta.name.namespace == *workload.namespace()
                && selector::selects(&budget.selector, workload.labels())
        });
        let Some(scale) = scale(survey, budget).filter(|_| concerns) else { continue };
        let wanted = desired_healthy(budget, scale);
        if wanted > scale {
            let name = &budget.meta.name;
            let object = format!("PodDisruptionBudget {}/{}", name.namespace, name.name);
            let reason =
                format!("it wants {wanted} healthy pods ({}), and there are {scale}", written(budget));
            report.add(
                Code::BudgetAboveScale,
                object,
                reason,
                format!("lower it to {scale}, or raise the replicas"),
            );
        }
    }
}

fn written(budget: &DisruptionBudget) -> String {
    match (&budget.min_available, &budget.max_unavailable) {
        (Some(amount), _) => format!("minAvailable {amount}"),
        (None, Some(amount)) => format!("maxUnavailable {amount}"),
        (None, None) => "no bound".to_owned(),
    }
}

/// Replicas of the distinct controllers of a budget's pods; `None` where one has no scale. Pods without a controller
/// do not count. Source: `disruption.go:getExpectedScale`.
fn scale(survey: &Survey<'_>, budget: &DisruptionBudget) -> Option<u32> {
    let cluster = survey.cluster;
    let mut scales: BTreeMap<(OwnerKind, &str), u32> = BTreeMap::new();
    for pod in cluster.pods.values().filter(|pod| {
        pod.is_active()
            && pod.meta.name.namespace == budget.meta.name.namespace
            && selector::selects(&budget.selector, &pod.meta.labels)
    }) {
        let Some(owner) = &pod.owner else { continue };
        let name = ObjectName { namespace: pod.meta.name.namespace.clone(), name: owner.name.clone() };
        let replicas = match owner.kind {
            OwnerKind::StatefulSet => cluster.stateful_sets.get(&name)?.replicas,
            OwnerKind::ReplicaSet => {
                let set = cluster.replica_sets.get(&name)?;
                let above = set.owner.as_ref().map(|owner| ObjectName { name: owner.name.clone(), ..name });
                match above {
                    None => set.replicas,
                    Some(above) => {
                        let deployment = cluster.deployments.get(&above)?;
                        scales.insert((OwnerKind::Other, &deployment.meta.uid), deployment.replicas);
                        continue;
                    }
                }
            }
            _ => return None,
        };
        scales.insert((owner.kind, &owner.uid), replicas);
    }
    Some(scales.values().sum())
}

/// Percentages round up, both ways. Source: `disruption.go:getExpectedPodCount`.
fn desired_healthy(budget: &DisruptionBudget, scale: u32) -> u32 {
    let resolved = |amount: &str| match amount.strip_suffix('%') {
        Some(percent) => percent.parse::<u64>().map_or(scale, |percent| {
            u32::try_from((percent * u64::from(scale)).div_ceil(100)).unwrap_or(u32::MAX)
        }),
        None => amount.parse().unwrap_or(scale),
    };
    match (budget.min_available.as_deref(), budget.max_unavailable.as_deref()) {
        (Some(least), _) => resolved(least),
        (None, Some(most)) => scale.saturating_sub(resolved(most)),
        (None, None) => 0,
    }
}

/// Claims that the workload's pods on old nodes mount.
pub(super) fn claims<'a>(survey: &Survey<'a>, workload: &Workload<'_>) -> Vec<&'a crate::view::VolumeClaim> {
    let names: BTreeSet<ObjectName> = workload
        .old_pods
        .iter()
        .flat_map(|pod| {
            let namespace = &pod.meta.name.namespace;
            let named = |name| ObjectName { namespace: namespace.clone(), name };
            pod.spec.volume_claims.iter().cloned().map(named)
        })
        .collect();
    names.iter().filter_map(|name| survey.cluster.volume_claims.get(name)).map(|claim| &**claim).collect()
}

fn local_data(report: &mut Report, workload: &Workload<'_>) {
    let volumes = workload.spec().kubernetes.volumes.iter().flatten();
    let mut kept: Vec<String> = Vec::new();
    for volume in volumes {
        // What is in memory is meant to be lost.
        let on_disk = volume.empty_dir.as_ref().is_some_and(|it| it.medium.as_deref() != Some("Memory"));
        if on_disk {
            kept.push(format!("emptyDir {}", volume.name));
        }
        if let Some(path) = &volume.host_path {
            kept.push(format!("hostPath {}", path.path));
        }
    }
    if !kept.is_empty() {
        let reason = format!("it mounts {}", kept.join(", "));
        report.add(Code::LocalData, workload.object.clone(), reason, "see that nothing there has to survive");
    }
}
