//! Node groups, their Auto Scaling groups, and the launch templates of migrations.

use std::{collections::BTreeMap, sync::Arc};

use aws_sdk_eks::types::{Nodegroup, NodegroupStatus};

use super::{Aws, answered, poll::Known};
use crate::{
    live::errors::Failed,
    view::{AutoScalingGroup, AwsView, Bounds, EksTaint, NodeGroup, NodeGroupStatus},
};

/// How the names of launch templates begin that migrations make.
const TEMPLATES: &str = "nodeferry-*";

pub(super) async fn describe(aws: &Aws, known: &mut Known, view: &mut AwsView) -> Result<(), Failed> {
    let mut names = Vec::new();
    let mut pages = aws.eks.list_nodegroups().cluster_name(&aws.cluster).into_paginator().items().send();
    while let Some(name) = pages.next().await {
        names.push(answered(name)?);
    }
    for name in names {
        let asked = aws.eks.describe_nodegroup().cluster_name(&aws.cluster).nodegroup_name(&name);
        let described = match answered(asked.send().await) {
            Ok(described) => described,
            // Gone since it was listed.
            Err(failed) if failed.answer == crate::action::Answer::NotFound => continue,
            Err(failed) => return Err(failed),
        };
        if let Some(group) = described.nodegroup() {
            let mut group_view = node_group(group);
            if group_view.instance_types.is_empty() {
                group_view.instance_types = of_template(aws, known, &name, group).await?;
            }
            view.node_groups.insert(group_view.name.clone(), Arc::new(group_view));
        }
    }
    scaling_groups(aws, view).await?;
    templates(aws, view).await
}

async fn scaling_groups(aws: &Aws, view: &mut AwsView) -> Result<(), Failed> {
    let names: Vec<String> = view
        .node_groups
        .values()
        .filter_map(|group| group.auto_scaling_group.as_ref().map(|name| name.to_string()))
        .collect();
    // Without a name, all groups of the account would be described.
    if names.is_empty() {
        return Ok(());
    }
    let asked = aws.autoscaling.describe_auto_scaling_groups().set_auto_scaling_group_names(Some(names));
    let mut pages = asked.into_paginator().items().send();
    while let Some(group) = pages.next().await {
        let group = answered(group)?;
        let name: Arc<str> = group.auto_scaling_group_name().unwrap_or_default().into();
        let instances = group.instances().iter().map(|instance| {
            let state = instance.lifecycle_state().map_or("", |state| state.as_str());
            (
                instance.instance_id().unwrap_or_default().into(),
                instance.availability_zone().unwrap_or_default().into(),
                state.into(),
            )
        });
        let suspended = group.suspended_processes().iter().filter_map(|process| process.process_name());
        view.auto_scaling_groups.insert(
            name.clone(),
            Arc::new(AutoScalingGroup {
                name,
                bounds: Bounds {
                    min: count(group.min_size()),
                    max: count(group.max_size()),
                    desired: count(group.desired_capacity()),
                },
                suspended: suspended.map(Arc::from).collect(),
                instances: instances.collect(),
            }),
        );
    }
    Ok(())
}

async fn templates(aws: &Aws, view: &mut AwsView) -> Result<(), Failed> {
    let filter = aws_sdk_ec2::types::Filter::builder().name("launch-template-name").values(TEMPLATES).build();
    let mut pages = aws.ec2.describe_launch_templates().filters(filter).into_paginator().items().send();
    while let Some(template) = pages.next().await {
        let template = answered(template)?;
        let pair = |tag: &aws_sdk_ec2::types::Tag| Some((tag.key()?.to_owned(), tag.value()?.to_owned()));
        let tags = template.tags().iter().filter_map(pair).collect();
        view.launch_templates.insert(template.launch_template_name().unwrap_or_default().into(), tags);
    }
    Ok(())
}

/// The instance type that stands in the launch template of a group which names none itself.
async fn of_template(
    aws: &Aws,
    known: &mut Known,
    name: &str,
    group: &Nodegroup,
) -> Result<Vec<Arc<str>>, Failed> {
    if let Some(types) = known.instance_types.get(name) {
        return Ok(types.clone());
    }
    let Some(template) = group.launch_template() else { return Ok(Vec::new()) };
    let asked = aws
        .ec2
        .describe_launch_template_versions()
        .set_launch_template_id(template.id().map(str::to_owned))
        .versions(template.version().unwrap_or("$Default"));
    let described = answered(asked.send().await)?;
    let versions = described.launch_template_versions().iter();
    let types: Vec<Arc<str>> = versions
        .filter_map(|version| version.launch_template_data()?.instance_type())
        .map(|kind| kind.as_str().into())
        .collect();
    known.instance_types.insert(name.to_owned(), types.clone());
    Ok(types)
}

fn node_group(from: &Nodegroup) -> NodeGroup {
    let scaling = from.scaling_config();
    let text = |value: Option<&str>| -> Arc<str> { value.unwrap_or_default().into() };
    let texts = |all: Option<&_>| sorted(all);
    NodeGroup {
        name: text(from.nodegroup_name()),
        status: match from.status() {
            Some(NodegroupStatus::Creating) => NodeGroupStatus::Creating,
            Some(NodegroupStatus::Updating) => NodeGroupStatus::Updating,
            Some(NodegroupStatus::Deleting) => NodeGroupStatus::Deleting,
            Some(NodegroupStatus::CreateFailed) => NodeGroupStatus::CreateFailed,
            Some(NodegroupStatus::DeleteFailed) => NodeGroupStatus::DeleteFailed,
            Some(NodegroupStatus::Active) => NodeGroupStatus::Active,
            // Degraded, and what a later version of the API may say: not to be counted on.
            _ => NodeGroupStatus::Degraded,
        },
        bounds: Bounds {
            min: count(scaling.and_then(|scaling| scaling.min_size())),
            max: count(scaling.and_then(|scaling| scaling.max_size())),
            desired: count(scaling.and_then(|scaling| scaling.desired_size())),
        },
        instance_types: from.instance_types().iter().map(|kind| kind.as_str().into()).collect(),
        ami_type: text(from.ami_type().map(|kind| kind.as_str())),
        version: text(from.version()),
        node_role: text(from.node_role()),
        subnets: from.subnets().iter().map(|id| id.as_str().into()).collect(),
        labels: texts(from.labels()),
        taints: from
            .taints()
            .iter()
            .map(|taint| EksTaint {
                key: text(taint.key()),
                value: text(taint.value()),
                effect: text(taint.effect().map(|effect| effect.as_str())),
            })
            .collect(),
        tags: texts(from.tags()),
        auto_scaling_group: from
            .resources()
            .and_then(|resources| resources.auto_scaling_groups().first()?.name())
            .map(Arc::from),
        capacity_type: text(from.capacity_type().map(|kind| kind.as_str())),
        repair: from.node_repair_config().and_then(|repair| repair.enabled()).unwrap_or(false),
        issues: from
            .health()
            .map(|health| health.issues())
            .unwrap_or_default()
            .iter()
            .map(|issue| text(issue.code().map(|code| code.as_str())))
            .collect(),
    }
}

#[expect(clippy::disallowed_types, reason = "the SDK's own; it is put in order here")]
fn sorted(all: Option<&std::collections::HashMap<String, String>>) -> BTreeMap<String, String> {
    all.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// A number of instances; what is absent or below zero counts as none.
fn count(value: Option<i32>) -> u32 {
    value.and_then(|value| u32::try_from(value).ok()).unwrap_or(0)
}
