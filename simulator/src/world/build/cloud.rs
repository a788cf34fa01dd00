//! Zones, subnets, node groups and launch templates, as AWS has them.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    super::{
        cloud::{Bounds, Group, GroupStatus, eks_effect},
        ids::ZoneId,
        requests::{EksTaint, LaunchTemplate},
    },
    Builder,
    nodes::zone_of,
};
use crate::import::{
    Cluster, Typed,
    aws::{self, AwsState},
};

impl Builder {
    pub(super) fn zones(&mut self, cluster: &Cluster, aws: &AwsState) {
        let mut names: Vec<Arc<str>> = aws.subnets.iter().map(|subnet| subnet.zone.as_str().into()).collect();
        names.extend(
            aws.load_balancers.iter().flat_map(|balancer| &balancer.zones).map(|zone| zone.as_str().into()),
        );
        for object in &cluster.objects {
            if let Typed::Node(node) = &object.typed {
                names.push(zone_of(node.metadata.labels.as_ref()));
            }
        }
        names.sort();
        names.dedup();
        if names.is_empty() {
            names.push("us-east-1a".into());
        }
        // Hosts that join get addresses behind all that were imported.
        self.world.zone_hosts =
            (0..names.len() as u32).map(|zone| 0x0a00_0064 + ((zone + 1) << 16)).collect();
        self.world.zones = names;
        for subnet in &aws.subnets {
            let zone = self.zone(&subnet.zone);
            self.world.subnets.insert(subnet.id.as_str().into(), zone);
            self.world
                .subnet_addresses
                .insert(subnet.id.as_str().into(), u64::from(subnet.available_addresses));
        }
    }

    pub(super) fn zone(&self, name: &str) -> ZoneId {
        ZoneId::from(self.world.zones.iter().position(|zone| &**zone == name).unwrap_or(0))
    }

    pub(super) fn groups(&mut self, aws: &AwsState) {
        self.world.cluster_version = aws.cluster.version.as_str().into();
        for from in &aws.node_groups {
            let scaling = aws.auto_scaling_groups.iter().find(|group| group.name == from.asg_name);
            let mut subnets: Vec<(Arc<str>, ZoneId)> = Vec::new();
            for id in &from.subnets {
                let zone =
                    aws.subnets.iter().find(|subnet| subnet.id == *id).map(|subnet| self.zone(&subnet.zone));
                subnets.push((id.as_str().into(), zone.unwrap_or(ZoneId(0))));
            }
            if subnets.is_empty() {
                // A description that names none: every one that is known.
                subnets = aws
                    .subnets
                    .iter()
                    .map(|subnet| (subnet.id.as_str().into(), self.zone(&subnet.zone)))
                    .collect();
            }
            let bounds =
                scaling.map_or(Bounds { min: from.min, max: from.max, desired: from.desired }, |group| {
                    Bounds { min: group.min, max: group.max, desired: group.desired }
                });
            self.world.groups.push(Group {
                name: from.name.as_str().into(),
                auto_scaling_group: from.asg_name.as_str().into(),
                status: match from.status {
                    aws::NodeGroupStatus::Updating => GroupStatus::Updating,
                    aws::NodeGroupStatus::Creating => GroupStatus::Creating,
                    aws::NodeGroupStatus::Deleting => GroupStatus::Deleting,
                    aws::NodeGroupStatus::CreateFailed => GroupStatus::CreateFailed,
                    aws::NodeGroupStatus::DeleteFailed => GroupStatus::DeleteFailed,
                    aws::NodeGroupStatus::Degraded => GroupStatus::Degraded,
                    aws::NodeGroupStatus::Active => GroupStatus::Active,
                },
                bounds,
                subnets,
                instance_types: from.instance_types.iter().map(|name| name.as_str().into()).collect(),
                ami_type: from.ami_type.as_str().into(),
                version: from.version.as_str().into(),
                node_role: from.node_role.as_str().into(),
                capacity_type: match from.capacity_type {
                    aws::CapacityType::Spot => "SPOT".into(),
                    _ => "ON_DEMAND".into(),
                },
                labels: from.labels.clone(),
                taints: from
                    .taints
                    .iter()
                    .map(|taint| EksTaint {
                        key: taint.key.as_str().into(),
                        value: taint.value.as_str().into(),
                        effect: eks_effect(taint.effect).into(),
                    })
                    .collect(),
                tags: BTreeMap::new(),
                launch_template: from.launch_template.as_ref().map(|template| template.name.as_str().into()),
                repair: from.repair_enabled,
                suspended: scaling
                    .iter()
                    .flat_map(|group| &group.suspended_processes)
                    .map(|process| process.as_str().into())
                    .collect(),
                instances: Vec::new(),
                imported: true,
                client_token: None,
                history: Vec::new(),
                created_at: 0,
                change: None,
                drain: None,
                rebalance_planned: false,
            });
        }
        for template in &aws.launch_templates {
            self.world.launch_templates.insert(
                template.name.as_str().into(),
                LaunchTemplate {
                    name: template.name.as_str().into(),
                    client_token: "".into(),
                    data: BTreeMap::new(),
                    tags: BTreeMap::new(),
                },
            );
        }
    }
}
