//! Writes to AWS: one call each.

use aws_sdk_ec2::types::{
    LaunchTemplateBlockDeviceMappingRequest, LaunchTemplateEbsBlockDeviceRequest,
    LaunchTemplateTagSpecificationRequest, RequestLaunchTemplateData, ResourceType, Tag, TagSpecification,
    VolumeType,
};
use aws_sdk_eks::types::{
    AmiTypes, CapacityTypes, LaunchTemplateSpecification, NodegroupScalingConfig, Taint, TaintEffect,
    UpdateTaintsPayload,
};

use super::{Aws, answered, refused};
use crate::{
    action::{LaunchTemplate, NodeGroupRequest, Write},
    live::errors::Failed,
    plan::Plan,
    view::{Bounds, EksTaint},
};

pub(super) async fn send(aws: &Aws, write: &Write, plan: &Plan) -> Result<(), Failed> {
    let update =
        |group: &str| aws.eks.update_nodegroup_config().cluster_name(&aws.cluster).nodegroup_name(group);
    match write {
        Write::CreateLaunchTemplate(template) => create_template(aws, template, plan, false).await,
        Write::DeleteLaunchTemplate { name } => {
            answered(aws.ec2.delete_launch_template().launch_template_name(&**name).send().await).map(drop)
        }
        Write::CreateNodeGroup(group) => create_group(aws, group).await,
        Write::UpdateNodeGroupBounds { group, bounds } => {
            answered(update(group).scaling_config(scaling(*bounds)).send().await).map(drop)
        }
        Write::UpdateNodeGroupTaints { group, add, remove } => {
            let some = |all: &[EksTaint]| (!all.is_empty()).then(|| all.iter().map(taint).collect());
            let taints = UpdateTaintsPayload::builder()
                .set_add_or_update_taints(some(add))
                .set_remove_taints(some(remove))
                .build();
            answered(update(group).taints(taints).send().await).map(drop)
        }
        Write::DeleteNodeGroup { group } => {
            let asked = aws.eks.delete_nodegroup().cluster_name(&aws.cluster).nodegroup_name(&**group);
            answered(asked.send().await).map(drop)
        }
        Write::SuspendProcesses { group, processes } => {
            let mut asked = aws.autoscaling.suspend_processes().auto_scaling_group_name(&**group);
            for process in processes {
                asked = asked.scaling_processes(&**process);
            }
            answered(asked.send().await).map(drop)
        }
        Write::ResumeProcesses { group, processes } => {
            let mut asked = aws.autoscaling.resume_processes().auto_scaling_group_name(&**group);
            for process in processes {
                asked = asked.scaling_processes(&**process);
            }
            answered(asked.send().await).map(drop)
        }
        Write::Lease { .. } | Write::Journal { .. } | Write::Patch(_) | Write::Evict { .. } => {
            Err(refused("it is for Kubernetes".to_owned()))
        }
    }
}

/// What EC2 answers to a dry run of what is permitted. Source: EC2 API, `DryRun`.
const PERMITTED: &str = "DryRunOperation: ";

pub(super) async fn rehearse(aws: &Aws, write: &Write, plan: &Plan) -> Result<(), Failed> {
    let Write::CreateLaunchTemplate(template) = write else {
        return Err(refused("there is no dry run of it".to_owned()));
    };
    match create_template(aws, template, plan, true).await {
        Err(failed) if failed.why.starts_with(PERMITTED) => Ok(()),
        Err(failed) => Err(failed),
        // A server that does not know of dry runs has done it; nothing of the kind is known.
        Ok(()) => Err(refused("a dry run was carried out".to_owned())),
    }
}

async fn create_template(
    aws: &Aws,
    template: &LaunchTemplate,
    plan: &Plan,
    dry_run: bool,
) -> Result<(), Failed> {
    let ami_type = plan.creation.as_ref().map_or("", |creation| &creation.group.ami_type);
    let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    let volume = LaunchTemplateEbsBlockDeviceRequest::builder()
        .volume_type(VolumeType::from(&*template.volume_type))
        .volume_size(number(template.volume_size))
        .iops(number(template.volume_iops))
        .throughput(number(template.volume_throughput))
        .encrypted(template.encrypted)
        .delete_on_termination(template.delete_on_termination)
        .build();
    let device =
        LaunchTemplateBlockDeviceMappingRequest::builder().device_name(device(ami_type)).ebs(volume).build();
    let tags: Vec<Tag> =
        template.tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect();
    let launched = [ResourceType::Instance, ResourceType::Volume, ResourceType::NetworkInterface];
    let mut data = RequestLaunchTemplateData::builder().block_device_mappings(device);
    for kind in launched {
        let tagged = LaunchTemplateTagSpecificationRequest::builder().resource_type(kind);
        data = data.tag_specifications(tagged.set_tags(Some(tags.clone())).build());
    }
    let own = TagSpecification::builder().resource_type(ResourceType::LaunchTemplate).set_tags(Some(tags));
    let asked = aws
        .ec2
        .create_launch_template()
        .launch_template_name(&*template.name)
        .client_token(&*template.client_token)
        .set_dry_run(dry_run.then_some(true))
        .launch_template_data(data.build())
        .tag_specifications(own.build());
    answered(asked.send().await).map(drop)
}

/// The device that holds images and containers. Source: EKS user guide, "Customize managed nodes with launch templates":
/// Amazon Linux boots from /dev/xvda; Bottlerocket has its data on a second device.
fn device(ami_type: &str) -> &'static str {
    if ami_type.starts_with("BOTTLEROCKET") {
        "/dev/xvdb"
    } else if ami_type.starts_with("WINDOWS") {
        "/dev/sda1"
    } else {
        "/dev/xvda"
    }
}

async fn create_group(aws: &Aws, group: &NodeGroupRequest) -> Result<(), Failed> {
    let texts = |all: &[std::sync::Arc<str>]| -> Option<Vec<String>> {
        (!all.is_empty()).then(|| all.iter().map(|one| one.to_string()).collect())
    };
    let mut asked = aws
        .eks
        .create_nodegroup()
        .cluster_name(&aws.cluster)
        .nodegroup_name(&*group.name)
        .client_request_token(&*group.client_token)
        .scaling_config(scaling(group.bounds))
        .set_instance_types(texts(&group.instance_types))
        .set_subnets(texts(&group.subnets))
        .node_role(&*group.node_role)
        .set_taints(Some(group.taints.iter().map(taint).collect()));
    if !group.ami_type.is_empty() {
        asked = asked.ami_type(AmiTypes::from(&*group.ami_type));
    }
    if !group.version.is_empty() {
        asked = asked.version(&*group.version);
    }
    if !group.capacity_type.is_empty() {
        asked = asked.capacity_type(CapacityTypes::from(&*group.capacity_type));
    }
    for (key, value) in &group.labels {
        asked = asked.labels(key, value);
    }
    for (key, value) in &group.tags {
        asked = asked.tags(key, value);
    }
    if let Some(template) = &group.launch_template {
        asked = asked.launch_template(LaunchTemplateSpecification::builder().name(&**template).build());
    }
    answered(asked.send().await).map(drop)
}

fn scaling(bounds: Bounds) -> NodegroupScalingConfig {
    let number = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    NodegroupScalingConfig::builder()
        .min_size(number(bounds.min))
        .max_size(number(bounds.max))
        .desired_size(number(bounds.desired))
        .build()
}

fn taint(from: &EksTaint) -> Taint {
    Taint::builder().key(&*from.key).value(&*from.value).effect(TaintEffect::from(&*from.effect)).build()
}
