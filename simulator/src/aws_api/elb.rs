//! Elastic Load Balancing, version 2: what is described. Targets are the controllers' affair; nobody else changes them
//! here.

use serde_json::{Value, json};

use super::{failure::Failure, form::Form, page::page, sts::unknown};
use crate::{
    export::aws::elb,
    import::aws::{AwsState, Listener, LoadBalancer, Target, TargetGroup},
    world::World,
};

pub(super) const NAMESPACE: &str = "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/";

/// Records of a page. Source: Elastic Load Balancing API, `PageSize`.
const PAGE: (usize, usize) = (1, 400);

pub(super) fn answer(world: &mut World, action: &str, form: &Form) -> Result<Value, Failure> {
    let state = world.aws_shown();
    match action {
        "DescribeLoadBalancers" => load_balancers(&state, form),
        "DescribeTargetGroups" => target_groups(&state, form),
        "DescribeListeners" => listeners(&state, form),
        "DescribeTargetHealth" => target_health(&state, form),
        "DescribeTargetGroupAttributes" => {
            let group = target_group(&state, form.text("TargetGroupArn").unwrap_or_default())?;
            Ok(json!({ "Attributes": elb::target_group_attributes(group) }))
        }
        "DescribeLoadBalancerAttributes" => {
            let balancer = load_balancer(&state, form.text("LoadBalancerArn").unwrap_or_default())?;
            Ok(json!({ "Attributes": elb::load_balancer_attributes(balancer) }))
        }
        "DescribeListenerAttributes" => {
            let (_, listener) = listener(&state, form.text("ListenerArn").unwrap_or_default())?;
            Ok(json!({ "Attributes": elb::listener_attributes(listener) }))
        }
        "DescribeTags" => tags(&state, form),
        _ => Err(unknown(action)),
    }
}

fn load_balancers(state: &AwsState, form: &Form) -> Result<Value, Failure> {
    let (arns, names) = (form.list("LoadBalancerArns"), form.list("Names"));
    for &arn in &arns {
        load_balancer(state, arn)?;
    }
    if let Some(name) = names.iter().find(|name| !elb::load_balancers(state).any(|one| one.name == **name)) {
        let message = format!("Load balancers '[{name}]' not found");
        return Err(Failure::new(400, "LoadBalancerNotFound", message));
    }
    let asked = |one: &&LoadBalancer| {
        (arns.is_empty() && names.is_empty())
            || arns.contains(&one.arn.as_str())
            || names.contains(&one.name.as_str())
    };
    listed("LoadBalancers", elb::load_balancers(state).filter(asked).map(elb::load_balancer).collect(), form)
}

fn target_groups(state: &AwsState, form: &Form) -> Result<Value, Failure> {
    let (arns, names) = (form.list("TargetGroupArns"), form.list("Names"));
    for &arn in &arns {
        target_group(state, arn)?;
    }
    if let Some(name) = names.iter().find(|name| !state.target_groups.iter().any(|one| one.name == **name)) {
        let message = format!("Target groups '[{name}]' not found");
        return Err(Failure::new(400, "TargetGroupNotFound", message));
    }
    let owner = form.text("LoadBalancerArn").map(|arn| load_balancer(state, arn)).transpose()?;
    let asked = |one: &&TargetGroup| {
        let of_owner = owner.is_none_or(|owner| {
            owner.listeners.iter().any(|listener| listener.target_group.as_ref() == Some(&one.arn))
        });
        let named = (arns.is_empty() && names.is_empty())
            || arns.contains(&one.arn.as_str())
            || names.contains(&one.name.as_str());
        of_owner && named
    };
    let records = state.target_groups.iter().filter(asked).map(|one| elb::target_group(state, one)).collect();
    listed("TargetGroups", records, form)
}

fn listeners(state: &AwsState, form: &Form) -> Result<Value, Failure> {
    let arns = form.list("ListenerArns");
    let records = match (form.text("LoadBalancerArn"), arns.is_empty()) {
        (None, true) => {
            let message = "You must specify either listener ARNs or a load balancer ARN";
            return Err(Failure::new(400, "ValidationError", message));
        }
        (Some(arn), _) => {
            let owner = load_balancer(state, arn)?;
            owner.listeners.iter().map(|one| elb::listener(owner, one)).collect()
        }
        (None, false) => {
            let found: Result<Vec<_>, Failure> = arns.iter().map(|arn| listener(state, arn)).collect();
            found?.into_iter().map(|(owner, one)| elb::listener(owner, one)).collect()
        }
    };
    listed("Listeners", records, form)
}

/// Targets that are registered; those asked for by id also where they are not.
fn target_health(state: &AwsState, form: &Form) -> Result<Value, Failure> {
    let group = target_group(state, form.text("TargetGroupArn").unwrap_or_default())?;
    let asked = form.prefixes("Targets");
    if asked.is_empty() {
        let all: Vec<Value> = group.targets.iter().map(elb::target_health).collect();
        return Ok(json!({ "TargetHealthDescriptions": all }));
    }
    let records = asked.iter().map(|prefix| {
        let id = form.text(&format!("{prefix}.Id")).unwrap_or_default();
        let found = group.targets.iter().find(|target| target.id == id);
        let unused = || Target {
            id: id.to_owned(),
            port: group.port,
            state: "unused".to_owned(),
            reason: "Target.NotRegistered".to_owned(),
        };
        elb::target_health(&found.cloned().unwrap_or_else(unused))
    });
    Ok(json!({ "TargetHealthDescriptions": records.collect::<Vec<_>>() }))
}

fn tags(state: &AwsState, form: &Form) -> Result<Value, Failure> {
    let all = elb::tag_descriptions(state);
    let of = |arn: &str| {
        let found = all.iter().find(|one| one.get("ResourceArn").and_then(Value::as_str) == Some(arn));
        found.cloned().ok_or_else(|| {
            let name =
                if arn.contains(":targetgroup/") { "TargetGroupNotFound" } else { "LoadBalancerNotFound" };
            Failure::new(400, name, format!("'{arn}' not found"))
        })
    };
    let records: Result<Vec<Value>, Failure> = form.list("ResourceArns").into_iter().map(of).collect();
    Ok(json!({ "TagDescriptions": records? }))
}

fn listed(key: &str, records: Vec<Value>, form: &Form) -> Result<Value, Failure> {
    let (records, marker) =
        page(records, form.text("PageSize"), form.text("Marker"), PAGE, "ValidationError")?;
    Ok(json!({ key: records, "NextMarker": marker }))
}

fn load_balancer<'a>(state: &'a AwsState, arn: &str) -> Result<&'a LoadBalancer, Failure> {
    elb::load_balancers(state)
        .find(|one| one.arn == arn)
        .ok_or_else(|| Failure::new(400, "LoadBalancerNotFound", format!("Load balancer '{arn}' not found")))
}

fn target_group<'a>(state: &'a AwsState, arn: &str) -> Result<&'a TargetGroup, Failure> {
    let found = state.target_groups.iter().find(|one| one.arn == arn);
    found.ok_or_else(|| Failure::new(400, "TargetGroupNotFound", format!("Target group '{arn}' not found")))
}

fn listener<'a>(state: &'a AwsState, arn: &str) -> Result<(&'a LoadBalancer, &'a Listener), Failure> {
    elb::load_balancers(state)
        .find_map(|owner| Some((owner, owner.listeners.iter().find(|one| one.arn == arn)?)))
        .ok_or_else(|| Failure::new(400, "ListenerNotFound", format!("Listener '{arn}' not found")))
}
