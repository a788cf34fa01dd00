//! AWS as its describe calls would show it now: what was imported with what has changed since.
//!
//! Decides which of the two is the newer. What the world does not follow (addresses of subnets, Auto Scaling groups of
//! nobody's node group, a file's release versions) stays as it was imported.

use std::{collections::BTreeMap, net::Ipv4Addr, sync::Arc};

use super::{
    Group, GroupStatus, Instance, InstanceState, TargetGroup, TargetKey, TargetState, Time, World,
    ids::InstanceId, load_balancer, requests::LaunchTemplate,
};
use crate::import::aws::{self, AwsState, hex};

/// What describe calls were shown last, and as of when.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    events: u64,
    resource_version: u64,
    state: Arc<AwsState>,
}

impl World {
    /// The AWS side as it is now, laid together once for all who ask before something changes: clients poll.
    ///
    /// What changes it is an event or a write to the Kubernetes API, so that it is new exactly when either was.
    pub(crate) fn aws_shown(&mut self) -> Arc<AwsState> {
        let (events, resource_version) = (self.events, self.resource_version);
        let last = self.store.as_ref().and_then(|store| store.aws_shown.as_ref());
        match last {
            Some(shown) if (shown.events, shown.resource_version) == (events, resource_version) => {
                shown.state.clone()
            }
            _ => {
                let state = Arc::new(self.aws());
                if let Some(store) = self.store.as_mut() {
                    store.aws_shown = Some(Shown { events, resource_version, state: state.clone() });
                }
                state
            }
        }
    }

    /// The AWS side as it is now.
    pub fn aws(&self) -> AwsState {
        let imported = &*self.aws;
        let groups: Vec<&Group> =
            self.groups.iter().filter(|group| group.status != GroupStatus::Deleted).collect();
        let known: BTreeMap<&str, &Instance> =
            self.instances.iter().map(|instance| (&*instance.id, instance)).collect();
        let mut load_balancers = imported.load_balancers.clone();
        let mut target_groups = imported.target_groups.clone();
        for now in &self.target_groups {
            if let Some(group) = target_groups.iter_mut().find(|group| *group.arn == *now.arn) {
                self.show_target_group(group, now, &mut load_balancers);
            }
        }
        AwsState {
            region: imported.region.clone(),
            account: imported.account.clone(),
            cluster: imported.cluster.clone(),
            subnets: imported.subnets.clone(),
            node_groups: self
                .ordered(imported, &groups)
                .map(|group| self.node_group(imported, group))
                .collect(),
            auto_scaling_groups: self.auto_scaling_groups(imported, &groups, &known),
            instances: self.described_instances(imported, &known),
            launch_templates: self.template_versions(imported),
            load_balancers,
            target_groups,
        }
    }

    /// What was imported, before any change: for what the world itself does not need.
    pub fn imported_aws(&self) -> &AwsState {
        &self.aws
    }

    /// Instances that have been terminated since then, with the Auto Scaling group that they were in.
    pub(crate) fn terminated_instances(&self, since: Time) -> Vec<(aws::Instance, Option<Arc<str>>)> {
        let entries = self.log.entries();
        let gone = self.instances.iter().filter(|instance| {
            instance.state == InstanceState::Terminated && entries[instance.entry.index()].at >= since
        });
        let shown = |instance: &Instance| aws::Instance {
            id: instance.id.to_string(),
            node: None,
            zone: self.zone(instance.zone).to_string(),
            instance_type: instance.instance_type.to_string(),
            private_address: String::new(),
            state: "terminated".to_owned(),
        };
        let group =
            |instance: &Instance| Some(self.groups[instance.group?.index()].auto_scaling_group.clone());
        gone.map(|instance| (shown(instance), group(instance))).collect()
    }

    /// Groups as the file lists them, then those that were made.
    fn ordered<'a>(
        &self,
        imported: &'a AwsState,
        groups: &'a [&'a Group],
    ) -> impl Iterator<Item = &'a Group> {
        let listed = imported
            .node_groups
            .iter()
            .filter_map(|from| groups.iter().find(|group| group.imported && *group.name == *from.name));
        listed.chain(groups.iter().filter(|group| !group.imported)).copied()
    }

    fn node_group(&self, imported: &AwsState, group: &Group) -> aws::NodeGroup {
        let from = imported.node_groups.iter().find(|from| group.imported && *from.name == *group.name);
        // A group that is being deleted shows the bounds that it had; only its Auto Scaling group has none left.
        let bounds = match (group.status, group.history.last()) {
            (GroupStatus::Deleting, Some(change)) => change.before,
            _ => group.bounds,
        };
        let unchanged = from.filter(|_| group.history.is_empty());
        let (min, max, desired) = unchanged
            .map_or((bounds.min, bounds.max, bounds.desired), |from| (from.min, from.max, from.desired));
        aws::NodeGroup {
            name: group.name.to_string(),
            asg_name: group.auto_scaling_group.to_string(),
            min,
            max,
            desired,
            instance_types: group.instance_types.iter().map(|name| name.to_string()).collect(),
            ami_type: group.ami_type.to_string(),
            release_version: from
                .map_or_else(|| release(imported, group), |from| from.release_version.clone()),
            version: group.version.to_string(),
            capacity_type: match (from, &*group.capacity_type) {
                (Some(from), _) => from.capacity_type,
                (None, "SPOT") => aws::CapacityType::Spot,
                (None, _) => aws::CapacityType::OnDemand,
            },
            subnets: from.map_or_else(
                || group.subnets.iter().map(|(id, _)| id.to_string()).collect(),
                |from| from.subnets.clone(),
            ),
            node_role: group.node_role.to_string(),
            labels: group.labels.clone(),
            taints: group
                .taints
                .iter()
                .map(|taint| aws::Taint {
                    key: taint.key.to_string(),
                    value: taint.value.to_string(),
                    effect: taint.kubernetes_effect(),
                })
                .collect(),
            launch_template: match from {
                Some(from) => from.launch_template.clone(),
                None => group.launch_template.as_ref().map(|name| aws::LaunchTemplate {
                    id: template_id(imported, name),
                    name: name.to_string(),
                    version: "1".to_owned(),
                }),
            },
            disk_size_gib: match from {
                Some(from) => from.disk_size_gib,
                // Source: EKS API, `diskSize`: 20 GiB unless a launch template is used.
                None => group.launch_template.is_none().then_some(20),
            },
            status: status(group.status),
            repair_enabled: group.repair,
        }
    }

    fn auto_scaling_groups(
        &self,
        imported: &AwsState,
        groups: &[&Group],
        known: &BTreeMap<&str, &Instance>,
    ) -> Vec<aws::AutoScalingGroup> {
        let of = |name: &str| groups.iter().find(|group| *group.auto_scaling_group == *name);
        let was_ours = |name: &str| imported.node_groups.iter().any(|group| group.asg_name == name);
        let mut all = Vec::new();
        for from in &imported.auto_scaling_groups {
            match of(&from.name) {
                Some(group) => all.push(self.auto_scaling_group(Some(from), group, known)),
                None if was_ours(&from.name) => {}
                None => all.push(from.clone()),
            }
        }
        let made =
            groups.iter().filter(|group| !all.iter().any(|one| *one.name == *group.auto_scaling_group));
        let made: Vec<_> = made.map(|group| self.auto_scaling_group(None, group, known)).collect();
        all.extend(made);
        all
    }

    fn auto_scaling_group(
        &self,
        from: Option<&aws::AutoScalingGroup>,
        group: &Group,
        known: &BTreeMap<&str, &Instance>,
    ) -> aws::AutoScalingGroup {
        let mut instances: Vec<aws::AsgInstance> = Vec::new();
        for was in from.iter().flat_map(|from| &from.instances) {
            match known.get(was.id.as_str()) {
                Some(instance) if instance.state == InstanceState::Terminated => {}
                Some(instance) if instance.state != InstanceState::InService => {
                    instances.push(aws::AsgInstance {
                        lifecycle_state: lifecycle_state(instance.state).to_owned(),
                        ..was.clone()
                    });
                }
                _ => instances.push(was.clone()),
            }
        }
        for instance in group.instances.iter().map(|&id| self.instance(id)) {
            if !instances.iter().any(|one| *one.id == *instance.id) {
                instances.push(aws::AsgInstance {
                    id: instance.id.to_string(),
                    zone: self.zone(instance.zone).to_string(),
                    lifecycle_state: lifecycle_state(instance.state).to_owned(),
                    protected: false,
                });
            }
        }
        let mut zones: Vec<String> =
            group.subnets.iter().map(|&(_, zone)| self.zone(zone).to_string()).collect();
        zones.sort();
        zones.dedup();
        aws::AutoScalingGroup {
            name: group.auto_scaling_group.to_string(),
            min: group.bounds.min,
            max: group.bounds.max,
            desired: group.bounds.desired,
            zones: from.map_or(zones, |from| from.zones.clone()),
            subnets: from.map_or_else(
                || group.subnets.iter().map(|(id, _)| id.to_string()).collect(),
                |from| from.subnets.clone(),
            ),
            suspended_processes: group.suspended.iter().map(|name| name.to_string()).collect(),
            instances,
        }
    }

    fn described_instances(
        &self,
        imported: &AwsState,
        known: &BTreeMap<&str, &Instance>,
    ) -> Vec<aws::Instance> {
        let mut all: BTreeMap<String, aws::Instance> =
            imported.instances.iter().map(|instance| (instance.id.clone(), instance.clone())).collect();
        for (&id, instance) in known {
            let state = match instance.state {
                InstanceState::Terminated => {
                    all.remove(id);
                    continue;
                }
                InstanceState::Pending => Some("pending"),
                InstanceState::ShuttingDown => Some("shutting-down"),
                InstanceState::InService | InstanceState::Draining => None,
            };
            let shown = all.entry(id.to_owned()).or_insert_with(|| aws::Instance {
                id: id.to_owned(),
                node: None,
                zone: self.zone(instance.zone).to_string(),
                instance_type: instance.instance_type.to_string(),
                private_address: Ipv4Addr::from(instance.ip).to_string(),
                state: "running".to_owned(),
            });
            if let Some(state) = state {
                state.clone_into(&mut shown.state);
            }
            let node = instance.node.filter(|&node| self.nodes.exists(node));
            shown.node = node.map(|node| self.nodes.last(node).meta.name.to_string());
        }
        all.into_values().collect()
    }

    fn template_versions(&self, imported: &AwsState) -> Vec<aws::LaunchTemplateVersion> {
        let exists = |name: &str| self.launch_templates.contains_key(name);
        let mut all: Vec<_> =
            imported.launch_templates.iter().filter(|version| exists(&version.name)).cloned().collect();
        let made: Vec<_> = self
            .launch_templates
            .values()
            .filter(|template| !all.iter().any(|version| *version.name == *template.name))
            .map(|template| template_version(imported, template))
            .collect();
        all.extend(made);
        all
    }

    fn show_target_group(
        &self,
        group: &mut aws::TargetGroup,
        now: &TargetGroup,
        balancers: &mut [aws::LoadBalancer],
    ) {
        if now.drift.is_none()
            && let Some(drift) = group.drift.take()
        {
            if drift.replaced {
                group.health_check = drift.health_check;
            }
            if group.attributes.cross_zone.is_none() {
                let of_group = |listener: &aws::Listener| listener.target_group.as_ref() == Some(&group.arn);
                for balancer in balancers.iter_mut().filter(|one| one.listeners.iter().any(of_group)) {
                    balancer.cross_zone = drift.cross_zone;
                }
            }
        }
        let registered = now.targets.iter().filter(|target| target.state != TargetState::Unused);
        group.targets = registered.map(|target| self.target(target, group.port)).collect();
    }

    fn target(&self, target: &load_balancer::Target, port: u16) -> aws::Target {
        let id = match target.key {
            TargetKey::Instance(InstanceId(id)) => {
                self.instances.get(id as usize).map_or_else(String::new, |instance| instance.id.to_string())
            }
            TargetKey::Pod(pod) => Ipv4Addr::from(self.pods.last(pod).ip).to_string(),
        };
        let (state, reason) = match target.state {
            TargetState::Initial if target.checking => ("initial", "Elb.InitialHealthChecking"),
            TargetState::Initial => ("initial", "Elb.RegistrationInProgress"),
            TargetState::Healthy => ("healthy", ""),
            TargetState::Unhealthy => ("unhealthy", "Target.FailedHealthChecks"),
            TargetState::UnhealthyDraining => ("unhealthy.draining", "Target.FailedHealthChecks"),
            TargetState::Draining => ("draining", "Target.DeregistrationInProgress"),
            TargetState::Unused => ("unused", "Target.NotRegistered"),
        };
        aws::Target { id, port, state: state.to_owned(), reason: reason.to_owned() }
    }
}

/// The release that EKS takes for a new group: that of a group of the same version and image that is known, if any.
fn release(imported: &AwsState, group: &Group) -> String {
    let same = |from: &&aws::NodeGroup| *from.version == *group.version && *from.ami_type == *group.ami_type;
    imported.node_groups.iter().find(same).map_or_else(String::new, |from| from.release_version.clone())
}

/// The id of a launch template: the imported one, else one that follows from its name.
fn template_id(imported: &AwsState, name: &str) -> String {
    let known = imported.launch_templates.iter().find(|version| version.name == name);
    known.map_or_else(|| format!("lt-0{}", hex(name)), |version| version.id.clone())
}

fn template_version(imported: &AwsState, template: &LaunchTemplate) -> aws::LaunchTemplateVersion {
    aws::LaunchTemplateVersion {
        id: template_id(imported, &template.name),
        name: template.name.to_string(),
        version: 1,
        default: true,
        image: template.data.get("ImageId").cloned(),
        instance_type: template.data.get("InstanceType").cloned(),
    }
}

fn status(status: GroupStatus) -> aws::NodeGroupStatus {
    match status {
        GroupStatus::Creating => aws::NodeGroupStatus::Creating,
        GroupStatus::Active => aws::NodeGroupStatus::Active,
        GroupStatus::Updating => aws::NodeGroupStatus::Updating,
        GroupStatus::Deleting | GroupStatus::Deleted => aws::NodeGroupStatus::Deleting,
        GroupStatus::CreateFailed => aws::NodeGroupStatus::CreateFailed,
        GroupStatus::DeleteFailed => aws::NodeGroupStatus::DeleteFailed,
        GroupStatus::Degraded => aws::NodeGroupStatus::Degraded,
    }
}

/// In the words of the Auto Scaling API.
fn lifecycle_state(state: InstanceState) -> &'static str {
    match state {
        InstanceState::Pending => "Pending",
        InstanceState::InService => "InService",
        InstanceState::Draining => "Terminating:Wait",
        InstanceState::ShuttingDown => "Terminating",
        InstanceState::Terminated => "Terminated",
    }
}
