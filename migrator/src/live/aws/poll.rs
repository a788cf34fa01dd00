//! One look at the AWS side.
//!
//! What changes while a migration runs (groups, instances, targets) is described every time; what hardly ever does
//! (attributes of load balancers, instance types of launch templates, subnets) is kept for a while.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer, TargetGroup};
use jiff::Timestamp;

use super::{Aws, answered, groups, since, targets};
use crate::{
    live::{clock::Clock, errors::Failed},
    view::{AwsView, ClusterView, Subnet},
};

/// How long attributes are taken as they were: a person may change one while a migration runs, and the gates that read them
/// take minutes.
const ATTRIBUTES_LAST: Duration = Duration::from_secs(300);

/// How long groups, and which load balancers there are, are taken as they were while only targets are waited for. Of what is
/// asked every few seconds, that leaves the health of the targets, and an account's rate to whoever else needs it.
const STRUCTURE_LASTS: Duration = Duration::from_secs(60);

/// What a look is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Everything, as it is now.
    All,
    /// The health of targets, as it is now.
    Targets,
}

/// What is kept between polls.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// When the slow part was read last.
    read_at: Option<Timestamp>,
    /// When groups and load balancers were read last.
    structure_read_at: Option<Timestamp>,
    /// Groups of the last look, with nothing else.
    groups: AwsView,
    /// By the names of load balancers: each with its target groups, or none that this API knows.
    pub(super) balancers: BTreeMap<String, Option<Balancer>>,
    /// Kubernetes version of the cluster.
    version: Arc<str>,
    /// Where EKS looks up who a caller is.
    authentication: Arc<str>,
    /// Principals of the access entries, where they may be listed.
    access_entries: Option<BTreeSet<Arc<str>>>,
    /// Subnets of the cluster and of its groups.
    subnets: BTreeMap<Arc<str>, Subnet>,
    /// Instance types that stand in launch templates, by group.
    pub(super) instance_types: BTreeMap<String, Vec<Arc<str>>>,
    /// Attributes of load balancers, listeners and target groups, by ARN.
    pub(super) attributes: BTreeMap<String, BTreeMap<String, String>>,
    /// Zone of each instance that was ever seen: a target may outlive its node.
    pub(super) zones: BTreeMap<Arc<str>, Arc<str>>,
    /// Zone of each pod address.
    pub(super) address_zones: BTreeMap<Arc<str>, Arc<str>>,
}

/// A load balancer and its target groups.
#[derive(Debug, Clone)]
pub(super) struct Balancer {
    pub(super) itself: LoadBalancer,
    pub(super) groups: Vec<TargetGroup>,
}

pub(super) async fn poll(
    aws: &mut Aws,
    cluster: &ClusterView,
    clock: &Clock,
    what: Look,
) -> Result<AwsView, Failed> {
    // What is described was so at this moment or later.
    let polled_at = clock.now();
    let mut known = std::mem::take(&mut aws.known);
    let looked = look(aws, &mut known, cluster, polled_at, what).await;
    if looked.is_err() {
        // It may have been about something that is there no more.
        known.structure_read_at = None;
    }
    aws.known = known;
    looked
}

async fn look(
    aws: &Aws,
    known: &mut Known,
    cluster: &ClusterView,
    polled_at: Timestamp,
    what: Look,
) -> Result<AwsView, Failed> {
    let structure = what == Look::All || since(known.structure_read_at, polled_at) >= STRUCTURE_LASTS;
    let slow = since(known.read_at, polled_at) >= ATTRIBUTES_LAST;
    if slow {
        known.attributes.clear();
        known.instance_types.clear();
    }
    let mut view = AwsView { polled_at: Some(polled_at), ..AwsView::default() };
    if structure {
        known.balancers.clear();
        groups::describe(aws, known, &mut view).await?;
        known.groups = view.clone();
    } else {
        view = AwsView { polled_at: Some(polled_at), ..known.groups.clone() };
    }
    if slow {
        slowly(aws, known, &view).await?;
    }
    view.cluster_version = known.version.clone();
    view.authentication = known.authentication.clone();
    view.access_entries = known.access_entries.clone();
    view.subnets = known.subnets.clone();
    note_zones(known, cluster, &view);
    targets::describe(aws, known, cluster, &mut view).await?;
    if structure {
        known.structure_read_at = Some(polled_at);
    }
    if slow {
        known.read_at = Some(polled_at);
    }
    Ok(view)
}

async fn slowly(aws: &Aws, known: &mut Known, view: &AwsView) -> Result<(), Failed> {
    let described = answered(aws.eks.describe_cluster().name(&aws.cluster).send().await)?;
    let described = described.cluster();
    known.version = described.and_then(|cluster| cluster.version()).unwrap_or_default().into();
    let mode = described.and_then(|cluster| cluster.access_config()?.authentication_mode());
    known.authentication = mode.map_or("", |mode| mode.as_str()).into();
    // Only a finding looks at them, and many who may migrate may not list them.
    let entries = if known.authentication.contains("API") { access_entries(aws).await } else { Ok(None) };
    known.access_entries = entries.unwrap_or_default();
    let mut ids: BTreeSet<String> = described
        .and_then(|cluster| cluster.resources_vpc_config())
        .map(|vpc| vpc.subnet_ids().iter().cloned().collect())
        .unwrap_or_default();
    ids.extend(view.node_groups.values().flat_map(|group| &group.subnets).map(|id| id.to_string()));
    known.subnets.clear();
    if ids.is_empty() {
        return Ok(());
    }
    let mut pages = aws.ec2.describe_subnets().set_subnet_ids(Some(ids.into_iter().collect()));
    loop {
        let page = answered(pages.clone().send().await)?;
        for subnet in page.subnets() {
            let free = subnet.available_ip_address_count().unwrap_or(0);
            known.subnets.insert(
                subnet.subnet_id().unwrap_or_default().into(),
                Subnet {
                    zone: subnet.availability_zone().unwrap_or_default().into(),
                    available_addresses: u64::try_from(free).unwrap_or(0),
                },
            );
        }
        match page.next_token().filter(|token| !token.is_empty()) {
            Some(token) => pages = pages.next_token(token),
            None => return Ok(()),
        }
    }
}

/// IAM principals that have an access entry.
async fn access_entries(aws: &Aws) -> Result<Option<BTreeSet<Arc<str>>>, Failed> {
    let mut pages = aws.eks.list_access_entries().cluster_name(&aws.cluster).into_paginator().items().send();
    let mut principals = BTreeSet::new();
    while let Some(principal) = pages.next().await {
        principals.insert(answered(principal)?.into());
    }
    Ok(Some(principals))
}

/// Remembers where instances and pods are, from the nodes and from the Auto Scaling groups.
fn note_zones(known: &mut Known, cluster: &ClusterView, view: &AwsView) {
    for node in cluster.nodes.values() {
        let instance = node.provider_id.as_deref().and_then(|id| id.rsplit('/').next());
        if let (Some(instance), Some(zone)) = (instance, &node.zone) {
            known.zones.insert(instance.into(), zone.clone());
        }
    }
    for group in view.auto_scaling_groups.values() {
        for (id, zone, _) in &group.instances {
            known.zones.insert(id.clone(), zone.clone());
        }
    }
    for pod in cluster.pods.values() {
        let node = pod.node.as_ref().and_then(|node| cluster.nodes.get(node));
        if let (Some(ip), Some(zone)) = (&pod.ip, node.and_then(|node| node.zone.as_ref())) {
            known.address_zones.insert(ip.clone(), zone.clone());
        }
    }
}
