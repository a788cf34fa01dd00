//! What the AWS command line prints, as far as it is used. Names as there.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Cluster {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) arn: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NodeGroup {
    pub(super) nodegroup_name: String,
    pub(super) nodegroup_arn: Option<String>,
    pub(super) cluster_name: Option<String>,
    pub(super) version: Option<String>,
    pub(super) release_version: Option<String>,
    pub(super) status: Option<String>,
    pub(super) capacity_type: Option<String>,
    pub(super) scaling_config: Option<ScalingConfig>,
    pub(super) instance_types: Option<Vec<String>>,
    pub(super) subnets: Option<Vec<String>>,
    pub(super) ami_type: Option<String>,
    pub(super) node_role: Option<String>,
    pub(super) labels: Option<BTreeMap<String, String>>,
    pub(super) taints: Option<Vec<Taint>>,
    pub(super) resources: Option<Resources>,
    pub(super) disk_size: Option<u32>,
    pub(super) launch_template: Option<LaunchTemplate>,
    pub(super) node_repair_config: Option<NodeRepairConfig>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScalingConfig {
    pub(super) min_size: u32,
    pub(super) max_size: u32,
    pub(super) desired_size: u32,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Taint {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
    pub(super) effect: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resources {
    #[serde(default)]
    pub(super) auto_scaling_groups: Vec<Named>,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Named {
    pub(super) name: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct LaunchTemplate {
    #[serde(default)]
    pub(super) id: String,
    #[serde(default)]
    pub(super) name: String,
    #[serde(default)]
    pub(super) version: String,
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct NodeRepairConfig {
    #[serde(default)]
    pub(super) enabled: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AutoScalingGroup {
    pub(super) auto_scaling_group_name: String,
    pub(super) min_size: u32,
    pub(super) max_size: u32,
    pub(super) desired_capacity: u32,
    #[serde(default)]
    pub(super) availability_zones: Vec<String>,
    /// Ids separated by commas.
    #[serde(rename = "VPCZoneIdentifier", default)]
    pub(super) vpc_zone_identifier: String,
    #[serde(default)]
    pub(super) suspended_processes: Vec<SuspendedProcess>,
    #[serde(default)]
    pub(super) instances: Vec<AsgInstance>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SuspendedProcess {
    pub(super) process_name: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AsgInstance {
    pub(super) instance_id: String,
    pub(super) availability_zone: String,
    pub(super) lifecycle_state: String,
    #[serde(default)]
    pub(super) protected_from_scale_in: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Subnet {
    pub(super) subnet_id: String,
    pub(super) availability_zone: String,
    pub(super) available_ip_address_count: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LaunchTemplateVersion {
    pub(super) launch_template_id: String,
    #[serde(default)]
    pub(super) launch_template_name: String,
    pub(super) version_number: u64,
    #[serde(default)]
    pub(super) default_version: bool,
    pub(super) launch_template_data: Option<LaunchTemplateData>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LaunchTemplateData {
    pub(super) image_id: Option<String>,
    pub(super) instance_type: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Reservation {
    #[serde(default)]
    pub(super) instances: Vec<Instance>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Instance {
    pub(super) instance_id: String,
    #[serde(default)]
    pub(super) instance_type: String,
    #[serde(default)]
    pub(super) private_ip_address: String,
    pub(super) placement: Option<Placement>,
    pub(super) state: Option<InstanceState>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Placement {
    #[serde(default)]
    pub(super) availability_zone: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InstanceState {
    pub(super) name: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct LoadBalancer {
    pub(super) load_balancer_arn: String,
    pub(super) load_balancer_name: String,
    #[serde(rename = "DNSName", default)]
    pub(super) dns_name: String,
    #[serde(rename = "Type")]
    pub(super) kind: String,
    pub(super) scheme: Option<String>,
    #[serde(default)]
    pub(super) availability_zones: Vec<Zone>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Zone {
    pub(super) zone_name: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listener {
    pub(super) listener_arn: String,
    pub(super) load_balancer_arn: String,
    pub(super) port: u16,
    pub(super) protocol: String,
    #[serde(default)]
    pub(super) default_actions: Vec<Action>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Action {
    pub(super) target_group_arn: Option<String>,
    pub(super) forward_config: Option<ForwardConfig>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ForwardConfig {
    #[serde(default)]
    pub(super) target_groups: Vec<ForwardTarget>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ForwardTarget {
    pub(super) target_group_arn: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TargetGroup {
    pub(super) target_group_arn: String,
    pub(super) target_group_name: String,
    pub(super) protocol: String,
    pub(super) port: u16,
    pub(super) target_type: String,
    pub(super) health_check_protocol: String,
    pub(super) health_check_port: String,
    pub(super) health_check_path: Option<String>,
    pub(super) health_check_interval_seconds: u32,
    pub(super) health_check_timeout_seconds: u32,
    pub(super) healthy_threshold_count: u32,
    pub(super) unhealthy_threshold_count: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TargetHealthDescription {
    pub(super) target: TargetDescription,
    pub(super) target_health: Option<TargetHealth>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TargetDescription {
    pub(super) id: String,
    pub(super) port: Option<u16>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TargetHealth {
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) reason: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attribute {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}
