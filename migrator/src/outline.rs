//! A plan as people read it: its steps in order, what each changes, how long it takes and why, and how it is undone.
//!
//! Says what is planned on the view at hand; what a step finds when it comes to it is decided then.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

use crate::{
    plan::{Plan, WorkloadKind},
    request::{LetGo, Strategy},
    situation::shown,
    view::{Bounds, ClusterView, Node, ObjectName, Pod},
};

/// A step of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// What it does, as a phrase.
    pub does: &'static str,
    /// How it is undone, as a phrase.
    pub inverse: &'static str,
    /// The phases of decisions that belong to it.
    #[serde(skip)]
    pub phases: &'static [&'static str],
}

/// The steps of the single move, in order.
pub const STEPS: [Step; 13] = [
    Step {
        name: "freeze",
        does: "keep the autoscalers from resizing anything",
        inverse: "the bounds and processes that were noted are put back",
        phases: &["freeze", "freeze-autoscaler", "freeze-rebalancing", "freeze-autoscalers"],
    },
    Step {
        name: "new-group",
        does: "create the new node group, kept out of the load balancers",
        inverse: "the group and its launch template are deleted",
        phases: &["new-group", "exclude-new"],
    },
    Step {
        name: "taint",
        does: "let no new pod onto the old nodes",
        inverse: "the taints are taken away",
        phases: &["taint", "taint-group", "untaint", "untaint-group"],
    },
    Step {
        name: "surge",
        does: "start a new pod for each old one, system workloads first",
        inverse: "the new pods are scaled away",
        phases: &["annotate", "surge", "surge-system", "surge-user", "surge-zone"],
    },
    Step {
        name: "admit",
        does: "let the new nodes into the load balancers",
        inverse: "they are excluded again",
        phases: &["admit"],
    },
    Step {
        name: "gate",
        does: "wait until the new targets are healthy wherever old ones are",
        inverse: "nothing was changed",
        phases: &["gate"],
    },
    Step {
        name: "exclude",
        does: "take the old nodes out of the load balancers",
        inverse: "they are admitted again",
        phases: &["exclude-old"],
    },
    Step {
        name: "release",
        does: "wait until no load balancer sends the old nodes anything",
        inverse: "nothing was changed",
        phases: &["release"],
    },
    Step {
        name: "scale-back",
        does: "remove exactly the old pods, each with its grace period",
        inverse: "they are started again on the old nodes",
        phases: &["deletion-cost", "scale-back", "scale-back-system", "scale-back-user", "restore-cost"],
    },
    Step {
        name: "move-rest",
        does: "move what cannot run twice, node by node",
        inverse: "it is moved back the same way",
        phases: &["evict", "move-rest", "shed"],
    },
    Step {
        name: "quiet",
        does: "wait until the last connection through an old node must have ended",
        inverse: "nothing was changed",
        phases: &["quiet", "soak"],
    },
    Step {
        name: "delete",
        does: "delete the old node group, which is empty by now",
        inverse: "none: this is the point of no return",
        phases: &["commit", "delete", "delete-template", "gone"],
    },
    Step {
        name: "restore",
        does: "put every value back that was noted, and remove every mark",
        inverse: "none is needed",
        phases: &[
            "moved",
            "restore",
            "restore-autoscaler",
            "restore-copies",
            "restore-rebalancing",
            "finish",
        ],
    },
];

/// The step that a phase belongs to.
pub fn step_of(phase: &str) -> Option<&'static Step> {
    STEPS.iter().find(|step| step.phases.contains(&phase))
}

/// The step of this name.
pub fn step_named(name: &str) -> Option<&'static Step> {
    STEPS.iter().find(|step| step.name == name)
}

/// The phases before which a migration is to be held in order to stop after a step.
pub fn phases_after(step: &str) -> Vec<&'static str> {
    let later = STEPS.iter().skip_while(|one| one.name != step).skip(1);
    later.flat_map(|one| one.phases).copied().collect()
}

/// One object that a step changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Which, with its kind.
    pub object: String,
    /// What it shows now.
    pub before: String,
    /// What it will show.
    pub after: String,
}

/// A step of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outlined {
    /// The step.
    #[serde(flatten)]
    pub step: Step,
    /// What it changes.
    pub changes: Vec<Change>,
    /// Shortest and longest that it is expected to take, in seconds.
    pub lasts_s: (u64, u64),
    /// Why it takes so long.
    pub because: String,
    /// What runs in addition from this step on, and costs money.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra_capacity: Option<String>,
    /// Nothing leads back from here.
    pub point_of_no_return: bool,
}

/// How long a pod that was evicted takes, in seconds, from its end until its replacement serves: an image is pulled, a volume
/// is attached elsewhere, probes pass. As generous as the surge, with five minutes more for the volume.
const REPLACED: u64 = 900;

/// How long EKS takes to carry out an update of a group. Source: aws.md section 9.
const UPDATE: (u64, u64) = (5, 180);

/// The steps of a plan. Those of the recipes are in another order and without changes: they are there to be compared, not
/// to be recommended.
pub fn outline(plan: &Plan, cluster: &ClusterView) -> Vec<Outlined> {
    let order: &[&str] = match plan.strategy {
        Strategy::SingleMove => &[],
        Strategy::Recipe => &[
            "new-group",
            "taint",
            "freeze",
            "surge",
            "exclude",
            "release",
            "delete",
            "scale-back",
            "restore",
        ],
        Strategy::RecipeDescaleFirst => &[
            "new-group",
            "taint",
            "freeze",
            "surge",
            "exclude",
            "release",
            "scale-back",
            "delete",
            "restore",
        ],
    };
    let mut steps: Vec<Outlined> = STEPS.iter().map(|step| outlined(plan, cluster, step)).collect();
    if !order.is_empty() {
        steps.retain(|one| order.contains(&one.step.name));
        steps.sort_by_key(|one| order.iter().position(|name| *name == one.step.name));
    }
    if plan.keep_group {
        steps.retain(|one| one.step.name != "delete");
    }
    steps
}

fn outlined(plan: &Plan, cluster: &ClusterView, step: &Step) -> Outlined {
    let settings = &plan.settings;
    let old_nodes = || cluster.nodes.values().filter(|node| node.node_group.as_ref() == Some(&plan.from));
    let (changes, lasts_s, because) = match step.name {
        "freeze" => {
            let settle = settings.autoscaler_settle.as_secs();
            let because =
                format!("EKS carries out an update, then an autoscaler's cache of {settle} s expires");
            (freeze(plan, cluster), (UPDATE.0 + settle, UPDATE.1 + settle), because)
        }
        "new-group" => {
            let because = "EKS creates the group, instances boot and their nodes become Ready".to_owned();
            (new_group(plan), (90, 600), because)
        }
        "taint" => {
            let mut changes = vec![change(
                format!("NodeGroup {}", plan.from),
                "no taint of ours".to_owned(),
                format!("{}:NO_SCHEDULE", crate::marks::TAINT),
            )];
            changes.extend(old_nodes().map(|node| tainted(node)));
            (changes, UPDATE, "EKS carries out an update".to_owned())
        }
        "surge" => {
            let because =
                "images are pulled and pods become ready, system workloads before the others".to_owned();
            (surge(plan, cluster), (30, 600), because)
        }
        "admit" => (Vec::new(), (5, 60), "kube-proxy and the pods of the new nodes serve".to_owned()),
        "gate" => {
            let propagation = settings.propagation.as_secs();
            let because =
                format!("targets register and pass their checks, then {propagation} s of propagation");
            (Vec::new(), (60, 180 + propagation), because)
        }
        "exclude" => {
            (old_nodes().map(|node| excluded(node)).collect(), (1, 10), "one write for each node".to_owned())
        }
        "release" => {
            let propagation = settings.propagation.as_secs();
            let because =
                format!("the controllers deregister the nodes, then {propagation} s of propagation");
            (Vec::new(), (propagation, propagation + 300), because)
        }
        "scale-back" => {
            let grace = longest_grace(plan, cluster, WorkloadKind::Deployment).as_secs();
            let before = if settings.let_go == LetGo::Before { plan.longest_contract().as_secs() } else { 0 };
            let because = format!("the longest grace period of a pod that ends is {grace} s");
            (scale_back(plan, cluster), (before + 10, before + grace + 60), because)
        }
        "move-rest" => {
            let sets = old_pods(plan, cluster, WorkloadKind::StatefulSet);
            let pods: u64 = sets.values().copied().map(u64::from).sum();
            let grace = longest_grace(plan, cluster, WorkloadKind::StatefulSet).as_secs();
            let because = if pods == 0 {
                "there is nothing of the kind".to_owned()
            } else {
                format!(
                    "{pods} pods one by one: each ends, within {grace} s, starts on a new node and becomes ready"
                )
            };
            (rest(plan, &sets), (30 * pods, (grace + REPLACED) * pods), because)
        }
        "quiet" => {
            let longest = plan.longest_contract() + settings.quiet_margin + settings.soak;
            let because = format!(
                "the longest connection may live for {} s since its node was released",
                plan.longest_contract().as_secs()
            );
            // Most of it passes while pods take their grace period.
            (Vec::new(), (settings.soak.as_secs(), longest.as_secs()), because)
        }
        "delete" => {
            let group = cluster.aws.node_groups.get(&plan.from);
            let before = group.map_or_else(String::new, |group| bounds(group.bounds));
            let changes = vec![change(format!("NodeGroup {}", plan.from), before, "deleted".to_owned())];
            (changes, (60, 600), "EKS drains the empty nodes and terminates the instances".to_owned())
        }
        _ => (restore(plan), (UPDATE.0, 2 * UPDATE.1), "EKS carries out updates".to_owned()),
    };
    Outlined {
        step: *step,
        changes,
        lasts_s,
        because,
        extra_capacity: extra(plan, cluster, step.name),
        point_of_no_return: step.name == "delete",
    }
}

fn extra(plan: &Plan, cluster: &ClusterView, step: &str) -> Option<String> {
    match step {
        "new-group" => {
            let creation = plan.creation.as_ref()?;
            let types: Vec<&str> = creation.group.instance_types.iter().map(|kind| &**kind).collect();
            Some(format!("{} instances of {}", creation.group.bounds.desired, types.join(" or ")))
        }
        "surge" => {
            let pods: u32 = old_pods(plan, cluster, WorkloadKind::Deployment).values().sum();
            Some(format!("{pods} pods"))
        }
        _ => None,
    }
}

fn change(object: String, before: String, after: String) -> Change {
    Change { object, before, after }
}

fn bounds(bounds: Bounds) -> String {
    format!("min {}, max {}, desired {}", bounds.min, bounds.max, bounds.desired)
}

fn freeze(plan: &Plan, cluster: &ClusterView) -> Vec<Change> {
    let mut changes = Vec::new();
    if let Some(group) = cluster.aws.node_groups.get(&plan.from) {
        let now = group.bounds.desired;
        let frozen = Bounds { min: now, max: now, desired: now };
        changes.push(change(format!("NodeGroup {}", group.name), bounds(group.bounds), bounds(frozen)));
        if let Some(name) = &group.auto_scaling_group {
            let object = format!("AutoScalingGroup {name}");
            changes.push(change(
                object,
                "AZRebalance runs".to_owned(),
                "AZRebalance is suspended".to_owned(),
            ));
        }
    }
    for autoscaler in cluster.horizontal_pod_autoscalers.values().filter(|one| !one.keda) {
        let name = ObjectName {
            namespace: autoscaler.meta.name.namespace.clone(),
            name: autoscaler.target.1.clone(),
        };
        if plan.workloads.iter().any(|workload| workload.name == name) {
            let before = format!("min {}, max {}", autoscaler.min, autoscaler.max);
            let object = format!("HorizontalPodAutoscaler {}", shown(&autoscaler.meta.name));
            changes.push(change(object, before, "min = max = what runs".to_owned()));
        }
    }
    changes
}

fn new_group(plan: &Plan) -> Vec<Change> {
    let Some(creation) = &plan.creation else {
        let after = "used as it is".to_owned();
        return vec![change(format!("NodeGroup {}", plan.to), "exists".to_owned(), after)];
    };
    let (template, group) = (&creation.launch_template, &creation.group);
    let types: Vec<&str> = group.instance_types.iter().map(|kind| &**kind).collect();
    let volume = format!(
        "{} {} GiB, {} IOPS, {} MiB/s{}",
        template.volume_type,
        template.volume_size,
        template.volume_iops,
        template.volume_throughput,
        if template.encrypted { ", encrypted" } else { "" }
    );
    let shape = format!(
        "{}; {}; {}; {}; subnets {}",
        bounds(group.bounds),
        types.join(" or "),
        group.ami_type,
        group.capacity_type,
        group.subnets.join(" ")
    );
    vec![
        change(format!("LaunchTemplate {}", template.name), "absent".to_owned(), volume),
        change(format!("NodeGroup {}", group.name), "absent".to_owned(), shape),
    ]
}

fn tainted(node: &Node) -> Change {
    let object = format!("Node {}", node.meta.name.name);
    change(object, format!("{} taints", node.taints.len()), format!("+ {}:NoSchedule", crate::marks::TAINT))
}

fn excluded(node: &Node) -> Change {
    let object = format!("Node {}", node.meta.name.name);
    change(object, "in the load balancers".to_owned(), format!("label {}", crate::marks::EXCLUDE))
}

/// Active pods of each planned workload of a kind on the old nodes.
fn old_pods<'a>(plan: &'a Plan, cluster: &ClusterView, kind: WorkloadKind) -> BTreeMap<&'a ObjectName, u32> {
    let mut counts = BTreeMap::new();
    for workload in plan.workloads.iter().filter(|workload| workload.kind == kind) {
        let uid = match kind {
            WorkloadKind::Deployment => cluster.deployments.get(&workload.name).map(|it| &it.meta.uid),
            WorkloadKind::StatefulSet => cluster.stateful_sets.get(&workload.name).map(|it| &it.meta.uid),
        };
        let Some(uid) = uid else { continue };
        let owned = |pod: &&std::sync::Arc<Pod>| {
            let owner = pod.owner.as_ref();
            let above = owner.and_then(|owner| {
                let name =
                    ObjectName { namespace: pod.meta.name.namespace.clone(), name: owner.name.clone() };
                cluster.replica_sets.get(&name)?.owner.as_ref()
            });
            let owner = if kind == WorkloadKind::Deployment { above } else { owner };
            let of = owner.is_some_and(|owner| owner.uid == *uid);
            let node = pod.node.as_ref().and_then(|node| cluster.nodes.get(node));
            of && pod.is_active() && node.is_some_and(|node| node.node_group.as_ref() == Some(&plan.from))
        };
        let count = cluster.pods.values().filter(owned).count();
        counts.insert(&workload.name, u32::try_from(count).unwrap_or(u32::MAX));
    }
    counts
}

fn surge(plan: &Plan, cluster: &ClusterView) -> Vec<Change> {
    let old = old_pods(plan, cluster, WorkloadKind::Deployment);
    let deployments = plan.workloads.iter().filter(|one| one.kind == WorkloadKind::Deployment);
    deployments
        .map(|workload| {
            let replicas = workload.replicas;
            let more = old.get(&workload.name).copied().unwrap_or(0);
            change(
                format!("Deployment {}", shown(&workload.name)),
                format!("{replicas} replicas"),
                format!("{} replicas", replicas.saturating_add(more)),
            )
        })
        .collect()
}

fn scale_back(plan: &Plan, cluster: &ClusterView) -> Vec<Change> {
    let mut changes = surge(plan, cluster);
    for one in &mut changes {
        std::mem::swap(&mut one.before, &mut one.after);
    }
    changes
}

fn rest(plan: &Plan, old: &BTreeMap<&ObjectName, u32>) -> Vec<Change> {
    let sets = plan.workloads.iter().filter(|one| one.kind == WorkloadKind::StatefulSet);
    sets.map(|set| {
        let object = format!("StatefulSet {}", shown(&set.name));
        let pods = old.get(&set.name).copied().unwrap_or(0);
        change(object, format!("{pods} pods on {}", plan.from), "evicted one by one".to_owned())
    })
    .collect()
}

fn restore(plan: &Plan) -> Vec<Change> {
    let object = format!("NodeGroup {}", plan.to);
    vec![change(object, "min = max".to_owned(), bounds(plan.bounds_after))]
}

/// The longest grace period among the planned workloads of a kind.
fn longest_grace(plan: &Plan, cluster: &ClusterView, kind: WorkloadKind) -> Duration {
    let of = |name: &ObjectName| match kind {
        WorkloadKind::Deployment => cluster.deployments.get(name).map(|one| one.template.grace_period),
        WorkloadKind::StatefulSet => cluster.stateful_sets.get(name).map(|one| one.template.grace_period),
    };
    let planned = plan.workloads.iter().filter(|workload| workload.kind == kind);
    planned.filter_map(|workload| of(&workload.name)).max().unwrap_or_default()
}

#[cfg(test)]
mod tests;
