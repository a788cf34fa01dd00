//! The AWS side as the world starts with it: what the file says, the rest from the Kubernetes side.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1 as core;

use super::super::{Cluster, ImportError, Typed};
use super::balancers::balancers;
use super::contradictions;
use super::file::AwsFile;
use super::services::{LoadBalancerDefaults, Surroundings, hex, zones};
use super::state::{
    AsgInstance, AutoScalingGroup, AwsState, CapacityType, EksCluster, Instance, LaunchTemplate, NodeGroup,
    NodeGroupStatus, Subnet, Taint,
};

/// Free addresses of a subnet that nothing describes: those of a /20, which is what EKS' own templates make.
const AVAILABLE_ADDRESSES_DEFAULT: u32 = 4091;

/// Root disk of a node group that nothing describes, in GiB. Source: EKS API, `diskSize`.
const DISK_SIZE_GIB_DEFAULT: u32 = 20;

/// The account of AWS' own examples.
const ACCOUNT_DEFAULT: &str = "111122223333";
const REGION_DEFAULT: &str = "us-east-1";

const GROUP_LABEL: &str = "eks.amazonaws.com/nodegroup";

/// Makes the AWS side whole. The second result says what was assumed or does not fit, one short line each.
///
/// What the file says wins over annotations, annotations win over `defaults`. Without a file: one Auto Scaling group for
/// each node group, its bounds the number of its nodes; one subnet for each zone; load balancers and target groups as the
/// controllers would make them from the Services.
///
/// # Errors
///
/// If the file has an attribute of a load balancer that AWS would not accept, or cannot be of this cluster.
pub fn complete(
    aws: Option<AwsFile>,
    cluster: &Cluster,
    defaults: &LoadBalancerDefaults,
) -> Result<(AwsState, Vec<String>), ImportError> {
    let mut notes = Vec::new();
    let nodes = nodes(cluster, &mut notes);
    let file = aws.unwrap_or_else(|| AwsFile::empty(""));
    contradictions::check(&file, &nodes)?;
    notes.extend(file.notes.iter().cloned());

    let zones = zones(nodes.iter().map(|node| node.zone.as_str()));
    let region = region(&file, &nodes, &mut notes);
    let account = account(&file, &mut notes);
    let eks = eks_cluster(&file, &nodes, &mut notes);

    let mut subnets = file.subnets.clone();
    let asgs_said: BTreeSet<&str> =
        file.auto_scaling_groups.iter().map(|group| group.name.as_str()).collect();
    subnets.extend(undescribed_subnets(&file, &nodes, &zones, &mut notes));
    let missing: Vec<&String> =
        zones.iter().filter(|zone| !subnets.iter().any(|one| &one.zone == *zone)).collect();
    if !missing.is_empty() {
        let names: Vec<&str> = missing.iter().map(|zone| zone.as_str()).collect();
        notes.push(format!(
            "one subnet with {AVAILABLE_ADDRESSES_DEFAULT} free addresses assumed in each of: {}",
            names.join(", ")
        ));
    }
    let made_up = missing.into_iter().map(|zone| Subnet {
        id: format!("subnet-0{}", hex(zone)),
        zone: zone.clone(),
        available_addresses: AVAILABLE_ADDRESSES_DEFAULT,
    });
    subnets.extend(made_up.collect::<Vec<_>>());

    let mut node_groups = file.node_groups.clone();
    for group in &mut node_groups {
        complete_group(group, &file, &eks, &nodes, &mut notes);
    }
    let group_names: BTreeSet<&str> = nodes.iter().filter_map(|node| node.group.as_deref()).collect();
    for name in group_names {
        if !node_groups.iter().any(|group| group.name == name) {
            node_groups.push(group_of_nodes(name, &nodes, &subnets, &eks, &mut notes));
        }
    }

    let mut auto_scaling_groups = file.auto_scaling_groups.clone();
    for group in &node_groups {
        if !asgs_said.contains(group.asg_name.as_str()) {
            auto_scaling_groups.push(asg_of_group(group, &subnets, &nodes));
        }
    }
    place_nodes(&mut auto_scaling_groups, &node_groups, &nodes, &mut notes);

    let at = Surroundings { region: &region, account: &account, zones: &zones, defaults };
    let (load_balancers, target_groups) = balancers(&file, cluster, &at, &mut notes)?;
    notes.extend(contradictions::sizes(&node_groups, &nodes));
    notes.extend(contradictions::unused(&file, &load_balancers, &target_groups));
    let instances = instances(&file, &nodes);
    let state = AwsState {
        region,
        account,
        cluster: eks,
        subnets,
        node_groups,
        auto_scaling_groups,
        instances,
        launch_templates: file.launch_templates,
        load_balancers,
        target_groups,
    };
    Ok((state, notes))
}

/// Subnets that the file's node groups name and nothing describes. Their zones are taken to be those of the group, one
/// after the other: EKS spreads a group over the zones of its subnets, and one for each zone is the rule.
fn undescribed_subnets(
    file: &AwsFile,
    nodes: &[NodeFacts<'_>],
    all_zones: &[String],
    notes: &mut Vec<String>,
) -> Vec<Subnet> {
    let mut found: Vec<Subnet> = Vec::new();
    for group in &file.node_groups {
        let scaling = file.auto_scaling_groups.iter().find(|scaling| scaling.name == group.asg_name);
        let mut its = scaling.map_or_else(Vec::new, |scaling| scaling.zones.clone());
        if its.is_empty() {
            its = zones(of_group(&group.name, nodes).iter().map(|node| node.zone.as_str()));
        }
        if its.is_empty() {
            its = all_zones.to_vec();
        }
        let undescribed = group.subnets.iter().filter(|id| !file.subnets.iter().any(|one| one.id == **id));
        let new: Vec<&String> = undescribed.filter(|id| !found.iter().any(|one| one.id == **id)).collect();
        if new.is_empty() || its.is_empty() {
            continue;
        }
        let told: Vec<String> =
            new.iter().zip(its.iter().cycle()).map(|(id, zone)| format!("{id} in {zone}")).collect();
        notes.push(format!("node group {}: subnets not described, assumed {}", group.name, told.join(", ")));
        found.extend(new.into_iter().zip(its.iter().cycle()).map(|(id, zone)| Subnet {
            id: id.clone(),
            zone: zone.clone(),
            available_addresses: AVAILABLE_ADDRESSES_DEFAULT,
        }));
    }
    found
}

/// What a Node says of its instance.
pub(super) struct NodeFacts<'a> {
    pub(super) name: &'a str,
    node: &'a core::Node,
    pub(super) group: Option<String>,
    pub(super) zone: String,
    pub(super) instance: Option<String>,
}

impl NodeFacts<'_> {
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.node.metadata.labels.as_ref()?.get(key).map(String::as_str)
    }

    pub(super) fn instance_type(&self) -> &str {
        self.label("node.kubernetes.io/instance-type")
            .or_else(|| self.label("beta.kubernetes.io/instance-type"))
            .unwrap_or_default()
    }

    /// `1.36` of `v1.36.2-eks-abc`.
    fn version(&self) -> Option<(u32, u32)> {
        let version = &self.node.status.as_ref()?.node_info.as_ref()?.kubelet_version;
        let mut parts = version.strip_prefix('v')?.split(['.', '-', '+']);
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    }
}

fn nodes<'a>(cluster: &'a Cluster, notes: &mut Vec<String>) -> Vec<NodeFacts<'a>> {
    let mut all = Vec::new();
    for object in &cluster.objects {
        let Typed::Node(node) = &object.typed else { continue };
        let name = object.name();
        let provider_id = node.spec.as_ref().and_then(|spec| spec.provider_id.as_deref());
        // `aws:///us-east-1a/i-0123456789abcdef0`
        let parts = provider_id
            .and_then(|id| id.strip_prefix("aws://"))
            .and_then(|path| path.trim_start_matches('/').rsplit_once('/'))
            .filter(|(_, id)| id.starts_with("i-"));
        let labels = node.metadata.labels.as_ref();
        let grouped = labels.is_some_and(|labels| labels.contains_key(GROUP_LABEL));
        match (provider_id, parts) {
            (_, Some(_)) => {}
            (None, _) if grouped => {
                notes.push(format!(
                    "node {name}: instance {} assumed: it has no providerID",
                    assumed_instance(name)
                ));
            }
            (None, _) => {
                notes.push(format!("node {name}: has no providerID: no load balancer will send to it"))
            }
            (Some(id), None) => notes.push(format!("node {name}: providerID {id:?} is no EC2 instance")),
        }
        let mut facts = NodeFacts {
            name,
            node,
            group: None,
            zone: parts.map(|(zone, _)| zone.to_owned()).unwrap_or_default(),
            instance: parts
                .map(|(_, id)| id.to_owned())
                .or_else(|| (grouped && provider_id.is_none()).then(|| assumed_instance(name))),
        };
        facts.group = facts.label(GROUP_LABEL).map(str::to_owned);
        if facts.group.is_none() {
            notes.push(format!("node {name}: is of no managed node group"));
        }
        if let Some(zone) = facts.label("topology.kubernetes.io/zone") {
            facts.zone = zone.to_owned();
        }
        all.push(facts);
    }
    all
}

/// The instance of a managed node group's node whose export does not name it.
pub(crate) fn assumed_instance(node: &str) -> String {
    format!("i-0{}", hex(node))
}

fn region(file: &AwsFile, nodes: &[NodeFacts<'_>], notes: &mut Vec<String>) -> String {
    let said = file.arns.iter().find_map(|arn| arn.split(':').nth(3)).filter(|region| !region.is_empty());
    let label = || nodes.iter().find_map(|node| node.label("topology.kubernetes.io/region"));
    // A zone is its region and a letter.
    let zone = || nodes.iter().map(|node| node.zone.trim_end_matches(|c: char| c.is_ascii_lowercase()));
    let found = said.or_else(label).or_else(|| zone().find(|region| !region.is_empty()));
    found.map_or_else(
        || {
            notes.push(format!("region {REGION_DEFAULT} assumed"));
            REGION_DEFAULT.to_owned()
        },
        str::to_owned,
    )
}

fn account(file: &AwsFile, notes: &mut Vec<String>) -> String {
    let said = file.arns.iter().find_map(|arn| arn.split(':').nth(4)).filter(|account| !account.is_empty());
    said.map_or_else(
        || {
            notes.push(format!("account {ACCOUNT_DEFAULT} assumed"));
            ACCOUNT_DEFAULT.to_owned()
        },
        str::to_owned,
    )
}

fn eks_cluster(file: &AwsFile, nodes: &[NodeFacts<'_>], notes: &mut Vec<String>) -> EksCluster {
    if let Some(cluster) = &file.cluster {
        return EksCluster { name: cluster.name.clone(), version: cluster.version.clone() };
    }
    let label = || nodes.iter().find_map(|node| node.label("alpha.eksctl.io/cluster-name"));
    let name = file.clusters_named.first().map(String::as_str).or_else(label).unwrap_or("cluster").to_owned();
    // The control plane is never older than a node.
    let newest = nodes.iter().filter_map(NodeFacts::version).max();
    let version = newest.map_or_else(|| "1.36".to_owned(), |(major, minor)| format!("{major}.{minor}"));
    notes.push(format!("EKS cluster {name:?} of version {version} assumed"));
    EksCluster { name, version }
}

/// Fills what `describe-nodegroup` leaves out, or what a shortened document lacks.
fn complete_group(
    group: &mut NodeGroup,
    file: &AwsFile,
    eks: &EksCluster,
    nodes: &[NodeFacts<'_>],
    notes: &mut Vec<String>,
) {
    if group.asg_name.is_empty() {
        group.asg_name = asg_name(&group.name);
        notes.push(format!("node group {}: the file does not name its Auto Scaling group", group.name));
    }
    let asg = file.auto_scaling_groups.iter().find(|asg| asg.name == group.asg_name);
    // EKS itself allows no maximum of 0: the document has no bounds.
    if group.max == 0 {
        let size = u32::try_from(of_group(&group.name, nodes).len()).unwrap_or(u32::MAX);
        (group.min, group.max, group.desired) =
            asg.map_or((size, size, size), |asg| (asg.min, asg.max, asg.desired));
        notes.push(format!(
            "node group {}: the file has no bounds; {} to {} nodes assumed",
            group.name, group.min, group.max
        ));
    }
    if let Some(asg) = asg.filter(|asg| (asg.min, asg.max) != (group.min, group.max)) {
        notes.push(format!(
            "node group {}: EKS says {} to {} nodes, Auto Scaling {} to {}",
            group.name, group.min, group.max, asg.min, asg.max
        ));
    }
    if group.version.is_empty() {
        group.version.clone_from(&eks.version);
    }
    if group.ami_type.is_empty() {
        group.ami_type = ami_type(&of_group(&group.name, nodes));
    }
}

fn of_group<'n, 'a>(name: &str, nodes: &'n [NodeFacts<'a>]) -> Vec<&'n NodeFacts<'a>> {
    nodes.iter().filter(|node| node.group.as_deref() == Some(name)).collect()
}

/// Name of the Auto Scaling group of a node group, in EKS' style.
fn asg_name(group: &str) -> String {
    format!("eks-{group}-{}", hex(group))
}

fn ami_type(nodes: &[&NodeFacts<'_>]) -> String {
    let arm = nodes.iter().any(|node| node.label("kubernetes.io/arch") == Some("arm64"));
    if arm { "AL2023_ARM_64_STANDARD" } else { "AL2023_x86_64_STANDARD" }.to_owned()
}

/// A node group as its nodes show it.
fn group_of_nodes(
    name: &str,
    nodes: &[NodeFacts<'_>],
    subnets: &[Subnet],
    eks: &EksCluster,
    notes: &mut Vec<String>,
) -> NodeGroup {
    let members = of_group(name, nodes);
    let size = u32::try_from(members.len()).unwrap_or(u32::MAX);
    notes.push(format!("node group {name}: bounds taken from its nodes (min = max = desired = {size})"));
    let zones = zones(members.iter().map(|node| node.zone.as_str()));
    let types: BTreeSet<&str> =
        members.iter().map(|node| node.instance_type()).filter(|word| !word.is_empty()).collect();
    let template = members.iter().find_map(|node| {
        let id = node.label("eks.amazonaws.com/sourceLaunchTemplateId")?;
        let version = node.label("eks.amazonaws.com/sourceLaunchTemplateVersion").unwrap_or("$Default");
        Some(LaunchTemplate { id: id.to_owned(), name: String::new(), version: version.to_owned() })
    });
    let version = members.iter().find_map(|node| node.version());
    NodeGroup {
        name: name.to_owned(),
        asg_name: asg_name(name),
        min: size,
        max: size,
        desired: size,
        instance_types: types.into_iter().map(str::to_owned).collect(),
        ami_type: ami_type(&members),
        release_version: String::new(),
        version: version.map_or_else(|| eks.version.clone(), |(major, minor)| format!("{major}.{minor}")),
        capacity_type: match members.iter().find_map(|node| node.label("eks.amazonaws.com/capacityType")) {
            Some("SPOT") => CapacityType::Spot,
            Some("CAPACITY_BLOCK") => CapacityType::CapacityBlock,
            _ => CapacityType::OnDemand,
        },
        subnets: subnets.iter().filter(|one| zones.contains(&one.zone)).map(|one| one.id.clone()).collect(),
        node_role: String::new(),
        labels: shared_labels(&members),
        taints: shared_taints(&members),
        disk_size_gib: if template.is_some() { None } else { Some(disk_size_gib(&members)) },
        launch_template: template,
        status: NodeGroupStatus::Active,
        repair_enabled: false,
    }
}

/// Labels that every node of the group has with one value and that neither Kubernetes nor AWS sets: the group's.
fn shared_labels(members: &[&NodeFacts<'_>]) -> BTreeMap<String, String> {
    let Some((first, others)) = members.split_first() else { return BTreeMap::new() };
    let ours = |key: &str| {
        let domain = key.split_once('/').map_or("", |(domain, _)| domain);
        !["kubernetes.io", "k8s.io", "k8s.aws", "amazonaws.com", "eksctl.io", "karpenter.sh"].iter().any(
            |owner| domain == *owner || domain.strip_suffix(owner).is_some_and(|rest| rest.ends_with('.')),
        )
    };
    let labels = first.node.metadata.labels.iter().flatten();
    labels
        .filter(|(key, value)| ours(key) && others.iter().all(|node| node.label(key) == Some(value.as_str())))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Taints that every node of the group has and that no controller sets and removes by itself.
fn shared_taints(members: &[&NodeFacts<'_>]) -> Vec<Taint> {
    let taints = |node: &NodeFacts<'_>| -> Vec<Taint> {
        let all = node.node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
        all.filter_map(|taint| {
            let passing = taint.key.starts_with("node.kubernetes.io/")
                || taint.key.starts_with("node.cloudprovider.kubernetes.io/")
                || taint.key.ends_with("ByClusterAutoscaler");
            let effect = match taint.effect.as_str() {
                "NoSchedule" => "NoSchedule",
                "NoExecute" => "NoExecute",
                "PreferNoSchedule" => "PreferNoSchedule",
                _ => return None,
            };
            let value = taint.value.clone().unwrap_or_default();
            (!passing).then(|| Taint { key: taint.key.clone(), value, effect })
        })
        .collect()
    };
    let Some((first, others)) = members.split_first() else { return Vec::new() };
    let others: Vec<Vec<Taint>> = others.iter().map(|node| taints(node)).collect();
    taints(first).into_iter().filter(|taint| others.iter().all(|all| all.contains(taint))).collect()
}

/// Root disk of the nodes: their ephemeral storage, which is the disk without what its file system takes.
fn disk_size_gib(members: &[&NodeFacts<'_>]) -> u32 {
    let sizes = members.iter().filter_map(|node| {
        let storage = node.node.status.as_ref()?.capacity.as_ref()?.get("ephemeral-storage")?;
        let kib: u64 = storage.0.strip_suffix("Ki")?.parse().ok()?;
        u32::try_from(kib.div_ceil(1 << 20)).ok()
    });
    sizes.max().unwrap_or(DISK_SIZE_GIB_DEFAULT)
}

fn asg_of_group(group: &NodeGroup, subnets: &[Subnet], nodes: &[NodeFacts<'_>]) -> AutoScalingGroup {
    let of_subnets =
        subnets.iter().filter(|one| group.subnets.contains(&one.id)).map(|one| one.zone.as_str());
    let of_nodes = nodes.iter().filter(|node| node.group.as_deref() == Some(&group.name));
    AutoScalingGroup {
        name: group.asg_name.clone(),
        min: group.min,
        max: group.max,
        desired: group.desired,
        zones: zones(of_subnets.chain(of_nodes.map(|node| node.zone.as_str()))),
        subnets: group.subnets.clone(),
        suspended_processes: Vec::new(),
        instances: Vec::new(),
    }
}

/// Puts every node of a group into the group's Auto Scaling group, unless the file has it there.
fn place_nodes(
    groups: &mut [AutoScalingGroup],
    node_groups: &[NodeGroup],
    nodes: &[NodeFacts<'_>],
    notes: &mut Vec<String>,
) {
    let placed: BTreeSet<String> =
        groups.iter().flat_map(|group| group.instances.iter().map(|instance| instance.id.clone())).collect();
    let listed: BTreeSet<String> =
        groups.iter().filter(|group| !group.instances.is_empty()).map(|group| group.name.clone()).collect();
    for node in nodes {
        let (Some(id), Some(group)) = (&node.instance, &node.group) else { continue };
        let Some(asg_name) = node_groups.iter().find(|one| &one.name == group).map(|one| &one.asg_name)
        else {
            continue;
        };
        let Some(asg) = groups.iter_mut().find(|asg| &asg.name == asg_name) else { continue };
        if placed.contains(id) {
            continue;
        }
        if listed.contains(asg_name) {
            notes.push(format!("node {}: {asg_name} of the file does not have {id}; it is added", node.name));
        }
        asg.instances.push(AsgInstance {
            id: id.clone(),
            zone: node.zone.clone(),
            lifecycle_state: "InService".to_owned(),
            protected: false,
        });
    }
    let known: BTreeSet<&String> = nodes.iter().filter_map(|node| node.instance.as_ref()).collect();
    for id in placed.iter().filter(|id| !known.contains(id)) {
        notes.push(format!("instance {id}: is in an Auto Scaling group but no node of the export"));
    }
}

/// The nodes' instances, and others that the file describes.
fn instances(file: &AwsFile, nodes: &[NodeFacts<'_>]) -> Vec<Instance> {
    let mut all: BTreeMap<String, Instance> =
        file.instances.iter().map(|instance| (instance.id.clone(), instance.clone())).collect();
    for node in nodes {
        let Some(id) = &node.instance else { continue };
        let addresses = node.node.status.iter().flat_map(|status| status.addresses.iter().flatten());
        let internal =
            addresses.filter(|address| address.type_ == "InternalIP").map(|address| &address.address);
        let instance = all.entry(id.clone()).or_insert_with(|| Instance {
            id: id.clone(),
            node: None,
            zone: String::new(),
            instance_type: String::new(),
            private_address: String::new(),
            state: "running".to_owned(),
        });
        instance.node = Some(node.name.to_owned());
        if instance.zone.is_empty() {
            instance.zone.clone_from(&node.zone);
        }
        if instance.instance_type.is_empty() {
            node.instance_type().clone_into(&mut instance.instance_type);
        }
        if instance.private_address.is_empty() {
            instance.private_address = internal.into_iter().next().cloned().unwrap_or_default();
        }
    }
    all.into_values().collect()
}
