//! An AWS file beside the export: what cannot both be true, and what of the file the cluster has no use for.
//!
//! The two are never of the same moment, so what a few minutes explain is told and no more: an instance more or less, a
//! size that is about to be reached. What no time explains is refused, because a world made of it would be nobody's.

use std::collections::{BTreeMap, BTreeSet};

use super::super::ImportError;
use super::complete::NodeFacts;
use super::file::AwsFile;
use super::state::{LoadBalancer, NodeGroup, NodeGroupStatus, TargetGroup};

/// Most names that one note lists.
const NAMES_TOLD: usize = 5;

/// Refuses a file that cannot be of the cluster of these nodes.
pub(super) fn check(file: &AwsFile, nodes: &[NodeFacts<'_>]) -> Result<(), ImportError> {
    let refuse = |what: String| Err(ImportError::Contradiction { file: file.name.clone(), what });
    let named = file.cluster.iter().map(|cluster| &cluster.name).chain(&file.clusters_named);
    let labels =
        nodes.iter().filter_map(|node| Some((node.name, node.label("alpha.eksctl.io/cluster-name")?)));
    for name in named {
        if let Some((node, label)) = labels.clone().find(|(_, label)| label != name) {
            return refuse(format!(
                "it describes cluster {name}, but Node {node} of the export is of cluster {label}"
            ));
        }
        if let Some(other) = file.clusters_named.iter().find(|other| *other != name) {
            return refuse(format!("it describes cluster {name} and a node group of cluster {other}"));
        }
    }
    let regions = file.arns.iter().filter_map(|arn| Some((arn, arn.split(':').nth(3)?)));
    for (arn, region) in regions.filter(|(_, region)| !region.is_empty()) {
        let elsewhere = |node: &&NodeFacts<'_>| match node.label("topology.kubernetes.io/region") {
            Some(label) => label != region,
            // A zone begins with its region; local zones have more in between.
            None => !node.zone.is_empty() && !node.zone.starts_with(region),
        };
        if let Some(node) = nodes.iter().find(elsewhere) {
            return refuse(format!("it has {arn}, but Node {} of the export is in {}", node.name, node.zone));
        }
    }
    let by_instance: BTreeMap<&str, &NodeFacts<'_>> =
        nodes.iter().filter_map(|node| Some((node.instance.as_deref()?, node))).collect();
    for instance in &file.instances {
        let Some(node) = by_instance.get(instance.id.as_str()) else { continue };
        for (what, said, is) in [
            ("in zone", instance.zone.as_str(), node.zone.as_str()),
            ("of type", &instance.instance_type, node.instance_type()),
        ] {
            if !said.is_empty() && !is.is_empty() && said != is {
                let (id, node) = (&instance.id, node.name);
                return refuse(format!(
                    "instance {id} is {what} {said}, but Node {node} of the export is {what} {is}"
                ));
            }
        }
    }
    for scaling in &file.auto_scaling_groups {
        let owner = file.node_groups.iter().find(|group| group.asg_name == scaling.name);
        for instance in &scaling.instances {
            let Some(node) = by_instance.get(instance.id.as_str()) else { continue };
            let (id, name) = (&instance.id, node.name);
            if !node.zone.is_empty() && instance.zone != node.zone {
                let (said, is) = (&instance.zone, &node.zone);
                return refuse(format!(
                    "instance {id} is in zone {said}, but Node {name} of the export is in {is}"
                ));
            }
            if let (Some(owner), Some(group)) = (owner, &node.group)
                && owner.name != *group
            {
                let said = &owner.name;
                return refuse(format!(
                    "instance {id} is of node group {said}, but Node {name} of the export is of {group}"
                ));
            }
        }
        let Some(owner) = owner else { continue };
        let listed: BTreeSet<&str> = scaling
            .instances
            .iter()
            .filter(|instance| instance.lifecycle_state == "InService")
            .map(|instance| instance.id.as_str())
            .collect();
        let there: BTreeSet<&str> = nodes
            .iter()
            .filter(|node| node.group.as_ref() == Some(&owner.name))
            .filter_map(|node| node.instance.as_deref())
            .collect();
        if !listed.is_empty() && !there.is_empty() && listed.is_disjoint(&there) {
            return refuse(format!(
                "Auto Scaling group {} of node group {} has {}, but the nodes of {} in the export are {}",
                scaling.name,
                owner.name,
                names(listed.iter().copied()),
                owner.name,
                names(there.iter().copied()),
            ));
        }
    }
    Ok(())
}

/// Groups that are to have more or fewer nodes than the export shows: the simulation begins with their scaling.
pub(super) fn sizes(groups: &[NodeGroup], nodes: &[NodeFacts<'_>]) -> Vec<String> {
    let stays = |group: &&NodeGroup| group.status != NodeGroupStatus::Deleting;
    let differing = groups.iter().filter(stays).filter_map(|group| {
        let there = nodes.iter().filter(|node| node.group.as_ref() == Some(&group.name)).count();
        (there != group.desired as usize).then(|| {
            let (name, desired) = (&group.name, group.desired);
            format!(
                "node group {name}: {desired} nodes are wanted and the export has {there}; it scales at once"
            )
        })
    });
    differing.collect()
}

/// What the file describes and no Service of the export uses.
pub(super) fn unused(file: &AwsFile, balancers: &[LoadBalancer], groups: &[TargetGroup]) -> Vec<String> {
    let balancers: Vec<&str> = balancers
        .iter()
        .filter(|one| one.service.is_none() && file.load_balancers.iter().any(|said| said.arn == one.arn))
        .map(|one| one.name.as_str())
        .collect();
    let groups: Vec<&str> = groups
        .iter()
        .filter(|one| one.service.is_none() && file.target_groups.iter().any(|said| said.arn == one.arn))
        .map(|one| one.name.as_str())
        .collect();
    [("load balancer", balancers), ("target group", groups)]
        .into_iter()
        .filter(|(_, unused)| !unused.is_empty())
        .map(|(sort, unused)| {
            format!("AWS file: {sort} {}: unused, for no Service of the export", names(unused.into_iter()))
        })
        .collect()
}

/// A few names, and how many more there are.
fn names<'a>(all: impl ExactSizeIterator<Item = &'a str>) -> String {
    let more = all.len().saturating_sub(NAMES_TOLD);
    let told: Vec<&str> = all.take(NAMES_TOLD).collect();
    if more > 0 { format!("{} and {more} more", told.join(", ")) } else { told.join(", ") }
}
