//! Auto Scaling: groups, their processes, activities and hooks.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{change, failure::Failure, form::Form, page::page, sts::unknown};
use crate::{
    export::aws::compute,
    import::aws::AwsState,
    world::{Entry, Subject, What, World, requests::Request as Change},
};

pub(super) const NAMESPACE: &str = "http://autoscaling.amazonaws.com/doc/2011-01-01/";

/// Processes that can be suspended; all of them where a request names none. Source: Auto Scaling API, SuspendProcesses.
const PROCESSES: [&str; 9] = [
    "AZRebalance",
    "AddToLoadBalancer",
    "AlarmNotification",
    "HealthCheck",
    "InstanceRefresh",
    "Launch",
    "ReplaceUnhealthy",
    "ScheduledActions",
    "Terminate",
];

pub(super) fn answer(world: &mut World, action: &str, form: &Form) -> Result<Value, Failure> {
    match action {
        "DescribeAutoScalingGroups" => groups(&world.aws_shown(), form),
        "SuspendProcesses" => processes(world, form, Change::SuspendProcesses),
        "ResumeProcesses" => processes(world, form, Change::ResumeProcesses),
        "DescribeScalingActivities" => activities(world, form),
        "DescribeLifecycleHooks" => hooks(&world.aws_shown(), form),
        _ => Err(unknown(action)),
    }
}

fn groups(state: &AwsState, form: &Form) -> Result<Value, Failure> {
    let names = form.list("AutoScalingGroupNames");
    let records = state
        .auto_scaling_groups
        .iter()
        .filter(|group| names.is_empty() || names.contains(&group.name.as_str()))
        .map(|group| compute::auto_scaling_group(state, group))
        .filter(|record| filters_match(form, record))
        .collect();
    let (records, token) =
        page(records, form.text("MaxRecords"), form.text("NextToken"), (1, 100), "ValidationError")?;
    Ok(json!({ "AutoScalingGroups": records, "NextToken": token }))
}

/// Filters by tags: `tag-key`, `tag-value`, `tag:KEY`.
fn filters_match(form: &Form, record: &Value) -> bool {
    let none = Vec::new();
    let tags = record.get("Tags").and_then(Value::as_array).unwrap_or(&none);
    let text = |tag: &Value, name: &str| tag.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    form.prefixes("Filters").iter().all(|prefix| {
        let values = form.list(&format!("{prefix}.Values"));
        tags.iter().any(|tag| match form.text(&format!("{prefix}.Name")).unwrap_or_default() {
            "tag-key" => values.contains(&text(tag, "Key").as_str()),
            "tag-value" => values.contains(&text(tag, "Value").as_str()),
            name => {
                name.strip_prefix("tag:") == Some(&text(tag, "Key"))
                    && values.contains(&text(tag, "Value").as_str())
            }
        })
    })
}

fn named<'a>(form: &'a Form, state: &AwsState) -> Result<&'a str, Failure> {
    let name = form.text("AutoScalingGroupName").ok_or_else(|| {
        Failure::new(
            400,
            "ValidationError",
            "1 validation error detected: AutoScalingGroupName must not be null",
        )
    })?;
    if state.auto_scaling_groups.iter().any(|group| group.name == name) {
        return Ok(name);
    }
    Err(Failure::new(400, "ValidationError", format!("AutoScalingGroup name not found - {name}")))
}

fn processes(
    world: &mut World,
    form: &Form,
    request: fn(Arc<str>, Vec<Arc<str>>) -> Change,
) -> Result<Value, Failure> {
    let name = named(form, &world.aws_shown())?;
    let mut asked = form.list("ScalingProcesses");
    if asked.is_empty() {
        asked = PROCESSES.to_vec();
    }
    if let Some(other) = asked.iter().find(|process| !PROCESSES.contains(process)) {
        return Err(Failure::new(400, "ValidationError", format!("Unknown process: {other}")));
    }
    change(world, request(name.into(), asked.into_iter().map(Arc::from).collect()))?;
    Ok(json!({}))
}

/// Launches and terminations of a group, the newest first.
fn activities(world: &mut World, form: &Form) -> Result<Value, Failure> {
    let asked = form.text("AutoScalingGroupName").map(|_| named(form, &world.aws_shown())).transpose()?;
    let activity = |(index, entry): (usize, &Entry)| {
        let Subject::Instance(id) = entry.subject else { return None };
        let told = match entry.what {
            What::Launched => "Launching a new EC2 instance",
            What::Terminating => "Terminating EC2 instance",
            _ => return None,
        };
        let instance = world.instance(id);
        let group = world.groups().get(instance.group?.index())?;
        let at = world.start().saturating_add(jiff::SignedDuration::from_millis(entry.at as i64)).ok()?;
        asked.is_none_or(|name| *group.auto_scaling_group == *name).then(|| {
            json!({
                "ActivityId": format!("00000000-0000-4000-8000-{index:012x}"),
                "AutoScalingGroupName": &*group.auto_scaling_group,
                "Description": format!("{told}: {}", instance.id),
                "StartTime": at.to_string(),
                "StatusCode": "Successful",
                "Progress": 100,
            })
        })
    };
    let records = world.entries().iter().enumerate().rev().filter_map(activity).collect();
    let (records, token) =
        page(records, form.text("MaxRecords"), form.text("NextToken"), (1, 100), "ValidationError")?;
    Ok(json!({ "Activities": records, "NextToken": token }))
}

/// The hooks that EKS installs. Source: aws/containers-roadmap#1852.
fn hooks(state: &AwsState, form: &Form) -> Result<Value, Failure> {
    let name = named(form, state)?;
    let hook = |hook: &str, transition: &str| {
        json!({
            "LifecycleHookName": hook,
            "AutoScalingGroupName": name,
            "LifecycleTransition": transition,
            "HeartbeatTimeout": 1800,
            "GlobalTimeout": 172_800,
            "DefaultResult": "CONTINUE",
        })
    };
    let of_eks = state.node_groups.iter().any(|group| group.asg_name == name);
    let hooks = if of_eks {
        vec![
            hook("Launch-LC-Hook", "autoscaling:EC2_INSTANCE_LAUNCHING"),
            hook("Terminate-LC-Hook", "autoscaling:EC2_INSTANCE_TERMINATING"),
        ]
    } else {
        Vec::new()
    };
    Ok(json!({ "LifecycleHooks": hooks }))
}
