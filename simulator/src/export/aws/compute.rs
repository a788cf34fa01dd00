//! Records of EKS, Auto Scaling and EC2, with the names that the aws command prints.

use serde_json::{Map, Value, json};

use crate::{
    import::aws::{
        AsgInstance, AutoScalingGroup, AwsState, CapacityType, Instance, LaunchTemplateVersion, NodeGroup,
        NodeGroupStatus, Subnet, hex,
    },
    world::World,
};

/// `describe-cluster`.
pub(crate) fn cluster(state: &AwsState) -> Value {
    let name = &state.cluster.name;
    json!({
        "name": name,
        "arn": format!("arn:aws:eks:{}:{}:cluster/{name}", state.region, state.account),
        "version": state.cluster.version,
        "status": "ACTIVE",
        "resourcesVpcConfig": { "subnetIds": state.subnets.iter().map(|one| &one.id).collect::<Vec<_>>() },
    })
}

/// `describe-nodegroup`. What is unknown or empty is left out, as the command does.
pub(crate) fn node_group(world: &World, state: &AwsState, group: &NodeGroup) -> Value {
    let mut record = Map::new();
    let mut put = |key: &str, value: Value| {
        record.insert(key.to_owned(), value);
    };
    let tags = world.find_group(&group.name).and_then(|id| world.groups().get(id.index()));
    put("nodegroupName", json!(group.name));
    put("nodegroupArn", json!(node_group_arn(state, &group.name)));
    put("clusterName", json!(state.cluster.name));
    put("version", json!(group.version));
    if !group.release_version.is_empty() {
        put("releaseVersion", json!(group.release_version));
    }
    put("status", json!(status(group.status)));
    put("capacityType", json!(capacity_type(group.capacity_type)));
    let sizes = json!({ "minSize": group.min, "maxSize": group.max, "desiredSize": group.desired });
    put("scalingConfig", sizes);
    if !group.instance_types.is_empty() {
        put("instanceTypes", json!(group.instance_types));
    }
    put("subnets", json!(group.subnets));
    if !group.ami_type.is_empty() {
        put("amiType", json!(group.ami_type));
    }
    if !group.node_role.is_empty() {
        put("nodeRole", json!(group.node_role));
    }
    put("labels", json!(group.labels));
    let taints: Vec<Value> = group
        .taints
        .iter()
        .map(|taint| json!({ "key": taint.key, "value": taint.value, "effect": eks_effect(taint.effect) }))
        .collect();
    if !taints.is_empty() {
        put("taints", json!(taints));
    }
    put("resources", json!({ "autoScalingGroups": [{ "name": group.asg_name }] }));
    if let Some(gib) = group.disk_size_gib {
        put("diskSize", json!(gib));
    }
    put("health", json!({ "issues": [] }));
    put("updateConfig", json!({ "maxUnavailable": 1 }));
    if group.repair_enabled {
        put("nodeRepairConfig", json!({ "enabled": true }));
    }
    if let Some(template) = &group.launch_template {
        put(
            "launchTemplate",
            json!({ "id": template.id, "name": template.name, "version": template.version }),
        );
    }
    put("tags", json!(tags.map(|group| &group.tags)));
    Value::Object(record)
}

/// ARN of a node group. Its last part, which EKS draws, follows from the name.
pub(crate) fn node_group_arn(state: &AwsState, name: &str) -> String {
    let (a, b) = (hex(name), hex(&format!("{name}/arn")));
    let uuid = format!("{}-{}-{}-{}-{}", &a[..8], &a[8..12], &a[12..], &b[..4], &b[4..]);
    format!("arn:aws:eks:{}:{}:nodegroup/{}/{name}/{uuid}", state.region, state.account, state.cluster.name)
}

fn capacity_type(kind: CapacityType) -> &'static str {
    match kind {
        CapacityType::OnDemand => "ON_DEMAND",
        CapacityType::Spot => "SPOT",
        CapacityType::CapacityBlock => "CAPACITY_BLOCK",
    }
}

fn eks_effect(effect: &str) -> &'static str {
    match effect {
        "NoExecute" => "NO_EXECUTE",
        "PreferNoSchedule" => "PREFER_NO_SCHEDULE",
        _ => "NO_SCHEDULE",
    }
}

fn status(status: NodeGroupStatus) -> &'static str {
    match status {
        NodeGroupStatus::Creating => "CREATING",
        NodeGroupStatus::Active => "ACTIVE",
        NodeGroupStatus::Updating => "UPDATING",
        NodeGroupStatus::Deleting => "DELETING",
        NodeGroupStatus::CreateFailed => "CREATE_FAILED",
        NodeGroupStatus::DeleteFailed => "DELETE_FAILED",
        NodeGroupStatus::Degraded => "DEGRADED",
    }
}

/// `describe-auto-scaling-groups`.
pub(crate) fn auto_scaling_group(state: &AwsState, group: &AutoScalingGroup) -> Value {
    let suspended = |name: &String| json!({ "ProcessName": name, "SuspensionReason": "User suspended" });
    let instance_types = |id: &str| {
        state.instances.iter().find(|instance| instance.id == id).map(|instance| &instance.instance_type)
    };
    let instance = |one: &AsgInstance| {
        json!({
            "InstanceId": one.id,
            "InstanceType": instance_types(&one.id),
            "AvailabilityZone": one.zone,
            "LifecycleState": one.lifecycle_state,
            "HealthStatus": "Healthy",
            "ProtectedFromScaleIn": one.protected,
        })
    };
    let owner = state.node_groups.iter().find(|owner| owner.asg_name == group.name);
    let tag = |key: String, value: &str| {
        json!({
            "ResourceId": group.name,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": value,
            "PropagateAtLaunch": true,
        })
    };
    let tags: Vec<Value> = owner
        .map(|owner| {
            let cluster = &state.cluster.name;
            vec![
                tag("eks:cluster-name".into(), cluster),
                tag("eks:nodegroup-name".into(), &owner.name),
                tag("k8s.io/cluster-autoscaler/enabled".into(), "true"),
                tag(format!("k8s.io/cluster-autoscaler/{cluster}"), "owned"),
                tag(format!("kubernetes.io/cluster/{cluster}"), "owned"),
            ]
        })
        .unwrap_or_default();
    json!({
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": format!(
            "arn:aws:autoscaling:{}:{}:autoScalingGroup:{}:autoScalingGroupName/{}",
            state.region, state.account, hex(&group.name), group.name
        ),
        "MinSize": group.min,
        "MaxSize": group.max,
        "DesiredCapacity": group.desired,
        "DefaultCooldown": 300,
        "AvailabilityZones": group.zones,
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": 15,
        "Instances": group.instances.iter().map(instance).collect::<Vec<_>>(),
        "SuspendedProcesses": group.suspended_processes.iter().map(suspended).collect::<Vec<_>>(),
        "VPCZoneIdentifier": group.subnets.join(","),
        "Tags": tags,
        "TerminationPolicies": ["AllocationStrategy", "OldestLaunchTemplate", "OldestInstance"],
        "NewInstancesProtectedFromScaleIn": false,
    })
}

/// `describe-subnets`.
pub(crate) fn subnet(subnet: &Subnet) -> Value {
    json!({
        "SubnetId": subnet.id,
        "AvailabilityZone": subnet.zone,
        "AvailableIpAddressCount": subnet.available_addresses,
        "State": "available",
    })
}

/// `describe-instances`, one instance.
pub(crate) fn instance(instance: &Instance) -> Value {
    // Source: EC2 API, `InstanceState`.
    let code = match instance.state.as_str() {
        "pending" => 0,
        "shutting-down" => 32,
        "terminated" => 48,
        "stopping" => 64,
        "stopped" => 80,
        _ => 16,
    };
    json!({
        "InstanceId": instance.id,
        "InstanceType": instance.instance_type,
        "PrivateIpAddress": instance.private_address,
        "Placement": { "AvailabilityZone": instance.zone },
        "State": { "Code": code, "Name": instance.state },
    })
}

/// `describe-launch-template-versions`, one version.
pub(crate) fn launch_template_version(world: &World, version: &LaunchTemplateVersion) -> Value {
    let template = world.launch_templates().get(version.name.as_str());
    let mut data = Map::new();
    let mut ebs = Map::new();
    for (key, value) in template.iter().flat_map(|template| &template.data) {
        let typed = match (value.parse::<bool>(), value.parse::<u64>()) {
            (Ok(flag), _) => json!(flag),
            (_, Ok(number)) => json!(number),
            _ => json!(value),
        };
        match key.as_str() {
            "ImageId" | "InstanceType" => {}
            "VolumeType" | "VolumeSize" | "Iops" | "Throughput" | "Encrypted" | "DeleteOnTermination" => {
                ebs.insert(key.clone(), typed);
            }
            _ => {
                data.insert(key.clone(), json!(value));
            }
        }
    }
    if !ebs.is_empty() {
        // The root device of Amazon Linux images.
        data.insert("BlockDeviceMappings".into(), json!([{ "DeviceName": "/dev/xvda", "Ebs": ebs }]));
    }
    let tags: Vec<Value> = template
        .iter()
        .flat_map(|template| &template.tags)
        .map(|(key, value)| json!({ "Key": key, "Value": value }))
        .collect();
    if !tags.is_empty() {
        data.insert("TagSpecifications".into(), json!([{ "ResourceType": "instance", "Tags": tags }]));
    }
    if let Some(image) = &version.image {
        data.insert("ImageId".into(), json!(image));
    }
    if let Some(instance_type) = &version.instance_type {
        data.insert("InstanceType".into(), json!(instance_type));
    }
    json!({
        "LaunchTemplateId": version.id,
        "LaunchTemplateName": version.name,
        "VersionNumber": version.version,
        "DefaultVersion": version.default,
        "LaunchTemplateData": data,
    })
}
