//! EC2 instances, Auto Scaling groups and EKS managed node groups.

use std::{collections::BTreeMap, sync::Arc};

use k8s_openapi::api::core::v1::Taint;

use super::{
    Time, World,
    ids::{EntryId, GroupId, InstanceId, NodeId, PodId, TargetGroupId, ZoneId},
    load_balancer::{TargetKey, TargetState},
    log::{START, Subject, What},
    objects::{PodOwner, ReadyCondition},
    pods::Containers,
    queue::Event,
    requests::{EksTaint, LaunchTemplate, NodeGroupRequest},
};

/// How long after a launch that found no capacity the next one is tried, in milliseconds. Assumed: that it is tried again is
/// observed (AWS re:Post), how often is documented nowhere.
const LAUNCH_RETRY: Time = 60_000;

/// Lifecycle of an instance, EC2's and Auto Scaling's in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceState {
    /// Starting.
    Pending,
    /// In service.
    InService,
    /// Auto Scaling waits for its drain before it is terminated (`Terminating:Wait`).
    Draining,
    /// Shutting down.
    ShuttingDown,
    /// Gone.
    Terminated,
}

/// An EC2 instance.
#[derive(Debug, Clone)]
pub struct Instance {
    /// Id (`i-...`).
    pub id: Arc<str>,
    /// Zone.
    pub zone: ZoneId,
    /// Group that launched it.
    pub group: Option<GroupId>,
    /// State.
    pub state: InstanceState,
    /// Its Node, once it joined.
    pub node: Option<NodeId>,
    /// Private address.
    pub ip: u32,
    /// Type.
    pub instance_type: Arc<str>,
    pub(super) entry: EntryId,
}

impl Instance {
    /// EC2 state running.
    pub fn runs(&self) -> bool {
        matches!(self.state, InstanceState::InService | InstanceState::Draining)
    }
}

/// Bounds of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Fewest instances.
    pub min: u32,
    /// Most instances.
    pub max: u32,
    /// Instances wanted.
    pub desired: u32,
}

/// Status of a node group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the EKS API's own")]
pub enum GroupStatus {
    Creating,
    Active,
    Updating,
    Deleting,
    CreateFailed,
    DeleteFailed,
    /// Something is wrong with its resources; it takes updates all the same.
    Degraded,
    Deleted,
}

impl GroupStatus {
    /// EKS is not at work on it, and has not given it up.
    pub(super) fn is_settled(self) -> bool {
        matches!(self, GroupStatus::Active | GroupStatus::Degraded)
    }
}

/// A managed node group with its Auto Scaling group.
#[derive(Debug, Clone)]
pub struct Group {
    /// Name.
    pub name: Arc<str>,
    /// Name of the Auto Scaling group.
    pub auto_scaling_group: Arc<str>,
    /// Status.
    pub status: GroupStatus,
    /// Bounds in force.
    pub bounds: Bounds,
    /// Subnets with their zones.
    pub subnets: Vec<(Arc<str>, ZoneId)>,
    /// Instance types.
    pub instance_types: Vec<Arc<str>>,
    /// AMI type.
    pub ami_type: Arc<str>,
    /// Kubernetes version.
    pub version: Arc<str>,
    /// Node role.
    pub node_role: Arc<str>,
    /// Capacity type.
    pub capacity_type: Arc<str>,
    /// Labels for its nodes.
    pub labels: BTreeMap<String, String>,
    /// Taints for its nodes.
    pub taints: Vec<EksTaint>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Launch template.
    pub launch_template: Option<Arc<str>>,
    /// Node auto repair is on.
    pub repair: bool,
    /// Suspended processes.
    pub suspended: Vec<Arc<str>>,
    /// Instances that are not gone.
    pub instances: Vec<InstanceId>,
    /// It was there at the start of the run.
    pub imported: bool,
    pub(super) client_token: Option<Arc<str>>,
    /// Bounds as they were before each change: what a cache may still show.
    pub(super) history: Vec<BoundsChange>,
    pub(super) created_at: Time,
    pub(super) change: Option<(Option<Bounds>, Vec<EksTaint>, Vec<EksTaint>)>,
    pub(super) drain: Option<(Time, EntryId)>,
    pub(super) rebalance_planned: bool,
}

/// A change of a group's bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct BoundsChange {
    pub(super) at: Time,
    pub(super) before: Bounds,
    pub(super) entry: EntryId,
}

/// What stood on a group's instances when its deletion was asked for.
#[derive(Debug, Clone, Copy)]
pub struct GroupDeletion {
    /// The group.
    pub group: GroupId,
    /// The entry of the deletion.
    pub entry: EntryId,
    /// Workload pods.
    pub pods: usize,
    /// Targets in service: registered and not deregistering.
    pub targets: usize,
    /// Established flows of sessions within their contract.
    pub flows: usize,
}

impl World {
    /// Groups, those that are gone included.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// An instance.
    pub fn instance(&self, id: InstanceId) -> &Instance {
        &self.instances[id.index()]
    }

    /// The group of this name that is not gone.
    pub fn find_group(&self, name: &str) -> Option<GroupId> {
        self.groups
            .iter()
            .position(|group| &*group.name == name && group.status != GroupStatus::Deleted)
            .map(GroupId::from)
    }

    /// Deletions of groups that were asked for.
    pub fn group_deletions(&self) -> &[GroupDeletion] {
        &self.group_deletions
    }

    // ---- creation ----

    pub(super) fn create_launch_template(&mut self, template: LaunchTemplate) -> Result<(), String> {
        match self.launch_templates.get(&template.name) {
            Some(existing) if existing.client_token != template.client_token => Err(format!(
                "InvalidLaunchTemplateName.AlreadyExistsException: launch template name {} is already in use",
                template.name
            )),
            Some(existing) if *existing != template => Err("IdempotentParameterMismatch: Arguments on this \
                 idempotent request are inconsistent with arguments used in previous request(s)."
                .into()),
            _ => {
                self.launch_templates.insert(template.name.clone(), template);
                Ok(())
            }
        }
    }

    pub(super) fn create_node_group(
        &mut self,
        request: NodeGroupRequest,
        cause: EntryId,
    ) -> Result<(), String> {
        if let Some(existing) = self.find_group(&request.name) {
            if self.groups[existing.index()].client_token.as_ref() == Some(&request.client_token) {
                return Ok(());
            }
            return Err(format!(
                "ResourceInUseException: NodeGroup already exists with name {}",
                request.name
            ));
        }
        if request.bounds.min > request.bounds.desired
            || request.bounds.desired > request.bounds.max
            || request.bounds.max == 0
        {
            return Err(
                "InvalidParameterException: desired size must lie between minimum and maximum size".into()
            );
        }
        let template = request.launch_template.as_ref();
        let found = template.and_then(|name| self.launch_templates.get(name));
        if let (Some(name), None) = (template, found) {
            return Err(format!("InvalidRequestException: launch template {name} was not found"));
        }
        // CUSTOM is what EKS shows for a group whose template names its image; it cannot choose one itself.
        let names_image = found.is_some_and(|template| template.data.contains_key("ImageId"));
        if &*request.ami_type == "CUSTOM" && !names_image {
            return Err(
                "InvalidParameterException: AMI type CUSTOM needs a launch template with an image id".into(),
            );
        }
        let mut subnets = Vec::new();
        for subnet in &request.subnets {
            let Some(zone) = self.subnets.get(subnet) else {
                return Err(format!("InvalidParameterException: subnet {subnet} does not exist"));
            };
            subnets.push((subnet.clone(), *zone));
        }
        if subnets.is_empty() {
            return Err("InvalidParameterException: subnets must not be empty".into());
        }
        let id = GroupId::from(self.groups.len());
        self.groups.push(Group {
            auto_scaling_group: format!(
                "eks-{}-{:08x}",
                request.name,
                self.seed.hash(&[0x0061_7367, u64::from(id.0)]) as u32
            )
            .into(),
            name: request.name,
            status: GroupStatus::Creating,
            bounds: request.bounds,
            subnets,
            instance_types: request.instance_types,
            ami_type: request.ami_type,
            version: request.version,
            node_role: request.node_role,
            capacity_type: request.capacity_type,
            labels: request.labels,
            taints: request.taints,
            tags: request.tags,
            launch_template: request.launch_template,
            repair: false,
            suspended: Vec::new(),
            instances: Vec::new(),
            imported: false,
            client_token: Some(request.client_token),
            history: Vec::new(),
            created_at: self.now,
            change: None,
            drain: None,
            rebalance_planned: false,
        });
        let entry = self.record(cause, Subject::Group(id), What::Creating);
        self.queue.push(self.now + 1, Event::ScaleGroup(id), entry);
        self.queue.push(self.now + self.parameters.eks_create_to_active, Event::GroupCreated(id), entry);
        Ok(())
    }

    /// Creation ends when every instance has joined; after 15 minutes it has failed.
    pub(super) fn group_created(&mut self, id: GroupId, cause: EntryId) {
        let group = &self.groups[id.index()];
        if group.status != GroupStatus::Creating {
            return;
        }
        let ready = group
            .instances
            .iter()
            .filter(|instance| {
                self.instances[instance.index()].node.is_some_and(|node| self.node_is_ready(node))
            })
            .count();
        if ready >= group.bounds.desired as usize {
            self.groups[id.index()].status = GroupStatus::Active;
            self.record(cause, Subject::Group(id), What::Active);
        } else if self.now >= group.created_at + 900_000 {
            self.groups[id.index()].status = GroupStatus::CreateFailed;
            self.record(cause, Subject::Group(id), What::Refused);
        } else {
            self.queue.push(self.now + 10_000, Event::GroupCreated(id), cause);
        }
    }

    // ---- updates ----

    pub(super) fn update_node_group(
        &mut self,
        name: &str,
        bounds: Option<Bounds>,
        (add, remove): (Vec<EksTaint>, Vec<EksTaint>),
        cause: EntryId,
    ) -> Result<(), String> {
        let Some(id) = self.find_group(name) else {
            return Err(format!("ResourceNotFoundException: no node group {name}"));
        };
        let group = &mut self.groups[id.index()];
        if !group.status.is_settled() {
            return Err(format!("ResourceInUseException: node group {name} is not in Active state"));
        }
        if let Some(bounds) = bounds
            && (bounds.min > bounds.desired || bounds.desired > bounds.max || bounds.max == 0)
        {
            return Err(
                "InvalidParameterException: desired size must lie between minimum and maximum size".into()
            );
        }
        group.status = GroupStatus::Updating;
        group.change = Some((bounds, add, remove));
        self.queue.push(self.now + self.parameters.eks_config_update, Event::GroupUpdated(id), cause);
        Ok(())
    }

    pub(super) fn group_updated(&mut self, id: GroupId, cause: EntryId) {
        let group = &mut self.groups[id.index()];
        let Some((bounds, add, remove)) = group.change.take() else { return };
        if group.status == GroupStatus::Updating {
            group.status = GroupStatus::Active;
        }
        let entry = self.record(cause, Subject::Group(id), What::Updated);
        if let Some(bounds) = bounds {
            self.set_bounds(id, bounds, entry);
        }
        if add.is_empty() && remove.is_empty() {
            return;
        }
        let group = &mut self.groups[id.index()];
        group.taints.retain(|taint| !remove.contains(taint) && !add.contains(taint));
        group.taints.extend(add.iter().cloned());
        for instance in group.instances.clone() {
            let Some(node) = self.instances[instance.index()].node.filter(|&node| self.nodes.exists(node))
            else {
                continue;
            };
            let mut taints = self.nodes.last(node).taints.to_vec();
            taints.retain(|taint| !remove.iter().chain(&add).any(|eks| eks.is(taint)));
            taints.extend(add.iter().map(EksTaint::to_kubernetes));
            self.set_taints(node, taints, entry);
        }
    }

    /// Changes the bounds of a group and of its Auto Scaling group.
    pub(super) fn set_bounds(&mut self, id: GroupId, bounds: Bounds, cause: EntryId) {
        let now = self.now;
        let group = &mut self.groups[id.index()];
        if group.bounds == bounds {
            return;
        }
        let before = std::mem::replace(&mut group.bounds, bounds);
        let what = What::BoundsSet { min: bounds.min, max: bounds.max };
        let entry = self.record(cause, Subject::Group(id), what);
        self.groups[id.index()].history.push(BoundsChange { at: now, before, entry });
        self.queue.push(now + 1_000, Event::ScaleGroup(id), entry);
        self.mark_scan(entry);
    }

    // ---- scaling ----

    fn counted(&self, id: GroupId) -> Vec<InstanceId> {
        self.groups[id.index()]
            .instances
            .iter()
            .copied()
            .filter(|instance| {
                matches!(
                    self.instances[instance.index()].state,
                    InstanceState::Pending | InstanceState::InService
                )
            })
            .collect()
    }

    fn per_zone(&self, id: GroupId) -> BTreeMap<ZoneId, Vec<InstanceId>> {
        let mut zones: BTreeMap<ZoneId, Vec<InstanceId>> =
            self.groups[id.index()].subnets.iter().map(|&(_, zone)| (zone, Vec::new())).collect();
        for instance in self.counted(id) {
            zones.entry(self.instances[instance.index()].zone).or_default().push(instance);
        }
        zones
    }

    /// Auto Scaling compares the instances with what is wanted.
    pub(super) fn scale_group(&mut self, id: GroupId, cause: EntryId) {
        let suspended = |world: &World, process: &str| {
            world.groups[id.index()].suspended.iter().any(|name| &**name == process)
        };
        let desired = self.groups[id.index()].bounds.desired as usize;
        while self.counted(id).len() < desired && !suspended(self, "Launch") {
            if self.now < self.no_capacity_until {
                // Auto Scaling keeps trying.
                let entry = self.record(cause, Subject::Group(id), What::Refused);
                self.queue.push(self.now + LAUNCH_RETRY, Event::ScaleGroup(id), entry);
                break;
            }
            // The zone with the fewest, by subnet order among equals.
            let zones = self.per_zone(id);
            let subnets = self.groups[id.index()].subnets.iter().map(|&(_, zone)| zone);
            let Some(zone) = subnets.min_by_key(|zone| zones.get(zone).map_or(0, Vec::len)) else {
                // A group that was imported without any subnet keeps what it has.
                break;
            };
            self.launch(id, zone, cause);
        }
        while self.counted(id).len() > desired && !suspended(self, "Terminate") {
            self.scale_in_one(id, cause);
        }
        self.plan_rebalance(id, cause);
    }

    fn scale_in_one(&mut self, id: GroupId, cause: EntryId) {
        // From the zone with the most; the oldest instance there.
        let Some((_, instances)) = self.per_zone(id).into_iter().max_by_key(|(_, instances)| instances.len())
        else {
            return;
        };
        let Some(&victim) = instances.first() else { return };
        self.instances[victim.index()].state = InstanceState::Draining;
        let entry = self.record(cause, Subject::Instance(victim), What::Terminating);
        self.instances[victim.index()].entry = entry;
        match self.instances[victim.index()].node {
            Some(node) if self.nodes.exists(node) => {
                self.cordon(node, true, entry);
                self.node_states[node.index()].drain =
                    Some(self.now + self.parameters.eks_scale_in_drain_cap);
                self.queue.push(self.now + 1_000, Event::ScaleInCap(node), entry);
            }
            _ => self.terminate(victim, entry),
        }
    }

    /// The drain of a single node: evict, look again, give up at the cap.
    pub(super) fn scale_in_drain(&mut self, node: NodeId, cause: EntryId) {
        let Some(cap) = self.node_states[node.index()].drain else { return };
        let Some(instance) = self.nodes.last(node).instance else { return };
        if self.evict_from(node, cause) == 0 || self.now >= cap {
            self.node_states[node.index()].drain = None;
            self.terminate(instance, cause);
        } else {
            self.queue.push(self.now + 5_000, Event::ScaleInCap(node), cause);
        }
    }

    fn plan_rebalance(&mut self, id: GroupId, cause: EntryId) {
        let zones = self.per_zone(id);
        let most = zones.values().map(Vec::len).max().unwrap_or(0);
        let least = zones.values().map(Vec::len).min().unwrap_or(0);
        let group = &mut self.groups[id.index()];
        if most < least + 2 || group.rebalance_planned || group.bounds.desired == 0 {
            return;
        }
        group.rebalance_planned = true;
        let wait = 300_000 + self.chance_of(&[0x617a, u64::from(id.0), self.now], 900_000);
        self.queue.push(self.now + wait, Event::Rebalance(id), cause);
    }

    /// AZRebalance launches where there are fewest, then terminates where there are most; budgets do not stop it.
    pub(super) fn rebalance(&mut self, id: GroupId, cause: EntryId) {
        self.groups[id.index()].rebalance_planned = false;
        let group = &self.groups[id.index()];
        if group.status == GroupStatus::Deleted || group.drain.is_some() {
            return;
        }
        if group.suspended.iter().any(|process| matches!(&**process, "AZRebalance" | "Launch")) {
            self.plan_rebalance(id, cause);
            return;
        }
        let zones = self.per_zone(id);
        let Some((&zone, least)) = zones.iter().min_by_key(|(_, instances)| instances.len()) else { return };
        let most = zones.values().map(Vec::len).max().unwrap_or(0);
        if most < least.len() + 2 {
            return;
        }
        if self.now < self.no_capacity_until {
            self.plan_rebalance(id, cause);
            return;
        }
        let entry = self.record(cause, Subject::Group(id), What::Rebalanced);
        self.launch(id, zone, entry);
        self.queue.push(self.now + 180_000, Event::ScaleGroup(id), entry);
    }

    fn launch(&mut self, group: GroupId, zone: ZoneId, cause: EntryId) {
        let id = InstanceId::from(self.instances.len());
        let bits = self.seed.hash(&[0x696e_7374, u64::from(id.0)]);
        let instance_type = self.groups[group.index()].instance_types.first().cloned();
        let ip = self.next_host(zone);
        self.instances.push(Instance {
            id: format!("i-{:017x}", bits & 0x0fff_ffff_ffff_ffff).into(),
            zone,
            group: Some(group),
            state: InstanceState::Pending,
            node: None,
            ip,
            instance_type: instance_type.unwrap_or_else(|| "t3.medium".into()),
            entry: cause,
        });
        self.groups[group.index()].instances.push(id);
        let entry = self.record(cause, Subject::Instance(id), What::Launched);
        self.instances[id.index()].entry = entry;
        let jitter = loadgen::chance::below(bits, 5_000);
        let p = &self.parameters;
        let (running, ready) = (p.ec2_pending_to_running + jitter, p.ec2_launch_to_ready + jitter);
        // A node registers shortly before its network plugin lets it become Ready.
        let joins = ready.saturating_sub(15_000).max(running + 1_000);
        self.queue.push(self.now + running, Event::InstanceRunning(id), entry);
        self.queue.push(self.now + joins, Event::InstanceJoins(id), entry);
    }

    pub(super) fn instance_running(&mut self, id: InstanceId, cause: EntryId) {
        if self.instances[id.index()].state == InstanceState::Pending {
            self.instances[id.index()].state = InstanceState::InService;
            let entry = self.record(cause, Subject::Instance(id), What::Running);
            self.instances[id.index()].entry = entry;
        }
    }

    /// The kubelet of a new instance registers its Node.
    pub(super) fn instance_joins(&mut self, id: InstanceId, cause: EntryId) {
        if self.instances[id.index()].state != InstanceState::InService {
            return;
        }
        let node = self.register_node(id, cause);
        let launched_ready = self.parameters.ec2_launch_to_ready.saturating_sub(15_000);
        let remaining = if launched_ready > self.parameters.ec2_pending_to_running { 15_000 } else { 5_000 };
        self.queue.push(self.now + remaining, Event::NodeReady(node), cause);
    }

    /// What EKS was doing to a group when it was exported goes on.
    pub(super) fn resume_group(&mut self, id: GroupId) {
        let group = &mut self.groups[id.index()];
        match group.status {
            GroupStatus::Creating => {
                let at = self.now + self.parameters.eks_create_to_active;
                self.queue.push(at, Event::GroupCreated(id), START);
            }
            GroupStatus::Updating => {
                group.change = Some((None, Vec::new(), Vec::new()));
                self.queue.push(self.now + self.parameters.eks_config_update, Event::GroupUpdated(id), START);
            }
            GroupStatus::Deleting => {
                group.status = GroupStatus::Active;
                let name = group.name.clone();
                self.delete_node_group(&name, START).expect("a group that exists and is active is deleted");
            }
            GroupStatus::Active
            | GroupStatus::CreateFailed
            | GroupStatus::DeleteFailed
            | GroupStatus::Degraded
            | GroupStatus::Deleted => {}
        }
    }

    // ---- deletion ----

    pub(super) fn delete_node_group(&mut self, name: &str, cause: EntryId) -> Result<(), String> {
        let Some(id) = self.find_group(name) else {
            return Err(format!("ResourceNotFoundException: no node group {name}"));
        };
        if self.groups[id.index()].status == GroupStatus::Deleting {
            return Ok(());
        }
        if self.groups[id.index()].status == GroupStatus::Updating {
            return Err(format!("ResourceInUseException: node group {name} is not in Active state"));
        }
        let entry = self.record(cause, Subject::Group(id), What::Deleting);
        let remaining = self.remaining_on(id, entry);
        self.group_deletions.push(remaining);
        let cap = self.now + self.parameters.eks_delete_drain_cap;
        let group = &mut self.groups[id.index()];
        group.status = GroupStatus::Deleting;
        group.history.push(BoundsChange { at: self.now, before: group.bounds, entry });
        group.bounds = Bounds { min: 0, max: 0, desired: 0 };
        group.drain = Some((cap, entry));
        self.queue.push(cap, Event::DrainCap(id), entry);
        for node in self.group_nodes(id) {
            self.cordon(node, true, entry);
        }
        self.queue.push(self.now + 2_000, Event::DrainRetry(id), entry);
        self.mark_scan(entry);
        Ok(())
    }

    fn remaining_on(&self, id: GroupId, entry: EntryId) -> GroupDeletion {
        let nodes = self.group_nodes(id);
        let targets = self
            .target_groups
            .iter()
            .flat_map(|group| &group.targets)
            .filter(|target| {
                target.node.is_some_and(|node| nodes.contains(&node))
                    && matches!(target.key, TargetKey::Instance(_))
                    && !matches!(target.state, TargetState::Draining | TargetState::Unused)
            })
            .count();
        GroupDeletion {
            group: id,
            entry,
            pods: nodes.iter().map(|&node| self.workload_pods(node).len()).sum(),
            targets,
            flows: nodes.iter().map(|&node| self.promised_connections_on(node)).sum(),
        }
    }

    fn group_nodes(&self, id: GroupId) -> Vec<NodeId> {
        self.groups[id.index()]
            .instances
            .iter()
            .filter_map(|instance| self.instances[instance.index()].node)
            .filter(|&node| self.nodes.exists(node))
            .collect()
    }

    /// Pods on a node that a drain has to remove: neither of a DaemonSet nor mirrors, not finished.
    pub fn workload_pods(&self, node: NodeId) -> Vec<PodId> {
        self.node_states[node.index()]
            .pods
            .iter()
            .copied()
            .filter(|&pod| {
                let pod = self.pods.last(pod);
                !matches!(pod.owner, PodOwner::DaemonSet(_) | PodOwner::Node) && !pod.finished()
            })
            .collect()
    }

    /// Evicts what may be evicted from a node; how many pods it still holds.
    fn evict_from(&mut self, node: NodeId, cause: EntryId) -> usize {
        let pods = self.workload_pods(node);
        for &pod in &pods {
            if !self.pods.last(pod).terminating() {
                // Refusals are retried at the next look.
                let _refused = self.evict(pod, None, cause);
            }
        }
        pods.len()
    }

    /// EKS drains all nodes of the group at once, and terminates those that are empty.
    pub(super) fn drain_group(&mut self, id: GroupId, cause: EntryId) {
        let Some((cap, entry)) = self.groups[id.index()].drain else { return };
        if self.groups[id.index()].status == GroupStatus::Deleting
            && self.groups[id.index()].instances.is_empty()
        {
            self.groups[id.index()].status = GroupStatus::Deleted;
            self.record(entry, Subject::Group(id), What::Deleted);
            return;
        }
        if self.now >= cap {
            return;
        }
        for instance in self.groups[id.index()].instances.clone() {
            if !self.instances[instance.index()].runs() {
                continue;
            }
            match self.instances[instance.index()].node.filter(|&node| self.nodes.exists(node)) {
                Some(node) if self.evict_from(node, entry) > 0 => {}
                _ => self.terminate(instance, entry),
            }
        }
        if self.groups[id.index()].instances.iter().any(|instance| self.instances[instance.index()].runs()) {
            self.queue.push(self.now + 5_000, Event::DrainRetry(id), cause);
        }
    }

    /// The drain has taken too long: the instances are terminated whatever they hold.
    pub(super) fn drain_cap(&mut self, id: GroupId, cause: EntryId) {
        let left: Vec<InstanceId> = self.groups[id.index()]
            .instances
            .iter()
            .copied()
            .filter(|instance| {
                !matches!(
                    self.instances[instance.index()].state,
                    InstanceState::ShuttingDown | InstanceState::Terminated
                )
            })
            .collect();
        if left.is_empty() {
            return;
        }
        let entry = self.record(cause, Subject::Group(id), What::DrainCapReached);
        for instance in left {
            self.terminate(instance, entry);
        }
    }

    /// EC2 terminates an instance: the operating system shuts down, then the host is gone.
    pub(super) fn terminate(&mut self, id: InstanceId, cause: EntryId) {
        if matches!(self.instances[id.index()].state, InstanceState::ShuttingDown | InstanceState::Terminated)
        {
            return;
        }
        self.instances[id.index()].state = InstanceState::ShuttingDown;
        let entry = self.record(cause, Subject::Instance(id), What::Terminating);
        self.instances[id.index()].entry = entry;
        let mut gone_at = self.now + self.parameters.ec2_os_shutdown_to_gone;
        if let Some(node) = self.instances[id.index()].node.filter(|&node| self.nodes.exists(node)) {
            let longest = self.shut_down_node(node, entry);
            gone_at = gone_at.max(self.now + longest);
        }
        self.queue.push(gone_at, Event::InstanceGone(id), entry);
    }

    /// The kubelet's graceful shutdown, where it has one: pods get the smaller of their own grace period and the
    /// budget. Without it the processes get SIGTERM and what the operating system leaves them. How long it takes.
    fn shut_down_node(&mut self, node: NodeId, entry: EntryId) -> Time {
        self.node_states[node.index()].entry = entry;
        let graceful = minor_version(&self.nodes.last(node).kubelet_version).is_some_and(|minor| minor >= 34);
        if graceful {
            self.set_node_ready(node, ReadyCondition::False, entry);
        }
        let budget = self.parameters.ec2_os_shutdown_to_gone;
        let mut longest = 0;
        for pod in self.node_states[node.index()].pods.clone() {
            if !matches!(self.pod_states[pod.index()].containers, Containers::Running { .. }) {
                continue;
            }
            self.judge_removal(pod, entry);
            self.expose(pod, entry);
            let spec = &self.specs[self.pods.last(pod).spec.index()];
            // Source: amazon-eks-ami nodeadm: 150 s in all, 30 s of it for critical pods.
            let allowed = match (graceful, spec.critical) {
                (true, true) => 30_000,
                (true, false) => 120_000,
                (false, _) => budget,
            };
            let after = spec.grace.min(allowed);
            longest = longest.max(after);
            let kill_at = self.now + after;
            if kill_at < self.pod_states[pod.index()].kill_at {
                self.pod_states[pod.index()].kill_at = kill_at;
                self.queue.push(kill_at, Event::PodKilled(pod), entry);
            }
            self.queue.push(self.now, Event::PodSignalled(pod), entry);
        }
        longest
    }

    pub(super) fn instance_gone(&mut self, id: InstanceId, cause: EntryId) {
        let entry = self.record(cause, Subject::Instance(id), What::Gone);
        self.instances[id.index()].state = InstanceState::Terminated;
        self.instances[id.index()].entry = entry;
        if let Some(node) = self.instances[id.index()].node {
            self.host_lost(node, entry);
        }
        for group in 0..self.target_groups.len() {
            for index in 0..self.target_groups[group].targets.len() {
                if self.target_groups[group].targets[index].key == TargetKey::Instance(id) {
                    self.target_invalid(TargetGroupId::from(group), index, entry);
                }
            }
        }
        let Some(group) = self.instances[id.index()].group else { return };
        self.groups[group.index()].instances.retain(|&other| other != id);
        let group_state = &self.groups[group.index()];
        if group_state.status == GroupStatus::Deleting && group_state.instances.is_empty() {
            self.groups[group.index()].status = GroupStatus::Deleted;
            self.record(entry, Subject::Group(group), What::Deleted);
        } else if group_state.status != GroupStatus::Deleting {
            self.queue.push(self.now + 1_000, Event::ScaleGroup(group), entry);
        }
    }
}

impl EksTaint {
    fn is(&self, taint: &Taint) -> bool {
        let kubernetes = self.to_kubernetes();
        kubernetes.key == taint.key && kubernetes.effect == taint.effect
    }

    /// The taint as a Node carries it.
    pub fn to_kubernetes(&self) -> Taint {
        Taint {
            key: self.key.to_string(),
            value: (!self.value.is_empty()).then(|| self.value.to_string()),
            effect: self.kubernetes_effect().into(),
            time_added: None,
        }
    }

    /// Its effect in Kubernetes' spelling.
    pub(super) fn kubernetes_effect(&self) -> &'static str {
        match &*self.effect {
            "NO_EXECUTE" => "NoExecute",
            "PREFER_NO_SCHEDULE" => "PreferNoSchedule",
            _ => "NoSchedule",
        }
    }
}

/// An effect in the EKS API's spelling, from Kubernetes' own.
pub(super) fn eks_effect(effect: &str) -> &'static str {
    match effect {
        "NoExecute" => "NO_EXECUTE",
        "PreferNoSchedule" => "PREFER_NO_SCHEDULE",
        _ => "NO_SCHEDULE",
    }
}

/// The minor version in `v1.36.2-eks`.
pub(super) fn minor_version(version: &str) -> Option<u32> {
    version.trim_start_matches('v').split('.').nth(1)?.parse().ok()
}
