//! Writes the AWS side in the shapes that `aws … describe-…` prints, all in one JSON file that the importer reads.
//!
//! Decides which documents there are and whose attributes stand beside whose name; what the state is, is the world's
//! affair ([`World::aws`]). Classic load balancers are left out: the importer knows them from their Services.

use std::io;

use serde_json::{Value, json};

use crate::{import::aws::AwsState, world::World};

pub(crate) mod compute;
pub(crate) mod elb;

/// Writes the AWS side of the world as it is now.
///
/// # Errors
///
/// If `out` does not take it.
pub fn write_aws(out: &mut impl io::Write, world: &World) -> io::Result<()> {
    let style = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let document = document(world, &world.aws());
    serde::Serialize::serialize(&document, &mut serde_json::Serializer::with_formatter(&mut *out, style))?;
    out.write_all(b"\n")
}

/// One object with the keys of every describe call.
fn document(world: &World, state: &AwsState) -> Value {
    let each = |key: &str, all: Vec<(String, &str, Value)>| -> Vec<Value> {
        all.into_iter().map(|(arn, owner, value)| json!({ owner: arn, key: value })).collect()
    };
    let balancers = || elb::load_balancers(state);
    let listeners = || balancers().flat_map(|one| one.listeners.iter().map(move |listener| (one, listener)));
    let groups = || state.target_groups.iter();
    let of_balancers =
        balancers().map(|one| (one.arn.clone(), "LoadBalancerArn", elb::load_balancer_attributes(one)));
    let of_listeners =
        listeners().map(|(_, one)| (one.arn.clone(), "ListenerArn", elb::listener_attributes(one)));
    let of_groups =
        groups().map(|one| (one.arn.clone(), "TargetGroupArn", elb::target_group_attributes(one)));
    let health = groups()
        .filter(|one| !one.targets.is_empty())
        .map(|one| (one.arn.clone(), "TargetGroupArn", one.targets.iter().map(elb::target_health).collect()));
    json!({
        "cluster": compute::cluster(state),
        "nodegroups": state.node_groups.iter().map(|one| compute::node_group(world, state, one)).collect::<Vec<_>>(),
        "AutoScalingGroups": state
            .auto_scaling_groups
            .iter()
            .map(|one| compute::auto_scaling_group(state, one))
            .collect::<Vec<_>>(),
        "Subnets": state.subnets.iter().map(compute::subnet).collect::<Vec<_>>(),
        "LaunchTemplateVersions": state
            .launch_templates
            .iter()
            .map(|one| compute::launch_template_version(world, one))
            .collect::<Vec<_>>(),
        "Reservations": [{ "Instances": state.instances.iter().map(compute::instance).collect::<Vec<_>>() }],
        "LoadBalancers": balancers().map(elb::load_balancer).collect::<Vec<_>>(),
        "LoadBalancerAttributes": each("Attributes", of_balancers.collect()),
        "Listeners": listeners().map(|(owner, one)| elb::listener(owner, one)).collect::<Vec<_>>(),
        "ListenerAttributes": each("Attributes", of_listeners.collect()),
        "TargetGroups": groups().map(|one| elb::target_group(state, one)).collect::<Vec<_>>(),
        "TargetGroupAttributes": each("Attributes", of_groups.collect()),
        "TargetHealth": each("TargetHealthDescriptions", health.collect()),
        "TagDescriptions": elb::tag_descriptions(state),
    })
}

#[cfg(test)]
mod tests;
