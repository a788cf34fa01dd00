//! What is done to a node group that exists: UpdateNodegroupConfig and its update, DeleteNodegroup, tags.
//!
//! An update is the request that asked for it: its id holds the request's number, its status is that of the group.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value, json};

use super::{
    check_cluster, create::bounds, create::taints, described, find, group_with, invalid, list_of, object,
};
use crate::{
    aws_api::{change, failure::Failure},
    http::Request,
    world::{
        GroupStatus, World,
        ids::RequestId,
        requests::{Answer, Request as Change},
    },
};

pub(super) fn update(
    world: &mut World,
    cluster: &str,
    name: &str,
    fields: &Map<String, Value>,
) -> Result<Value, Failure> {
    let state = world.aws_shown();
    check_cluster(&state, cluster)?;
    find(&state, name)?;
    let now = world.find_group(name).and_then(|id| world.groups().get(id.index())).map(|group| group.bounds);
    let scaling = match (object(fields, "scalingConfig")?, now) {
        (Some(_), Some(now)) => Some(bounds(fields, now)?),
        _ => None,
    };
    let tainting = object(fields, "taints")?;
    let both = |key: &str| match tainting {
        Some(tainting) => taints(list_of(tainting, key)?),
        None => Ok(Vec::new()),
    };
    let (add, remove) = (both("addOrUpdateTaints")?, both("removeTaints")?);
    if fields.contains_key("labels") || fields.contains_key("nodeRepairConfig") {
        return Err(invalid(
            "labels and node repair of a group that exists cannot be changed in this simulation",
        ));
    }
    let group: Arc<str> = name.into();
    let request = match (scaling, add.is_empty() && remove.is_empty()) {
        (None, true) if fields.contains_key("updateConfig") => {
            return Err(invalid("updateConfig cannot be changed in this simulation"));
        }
        (None, true) => return Err(invalid("No changes needed for the given nodegroup config")),
        (Some(bounds), true) => Change::UpdateNodeGroupBounds(group, bounds),
        (None, false) => Change::UpdateNodeGroupTaints(group, add, remove),
        (Some(bounds), false) => Change::UpdateNodeGroup(group, bounds, add, remove),
    };
    let id = change(world, request)?;
    Ok(json!({ "update": record(world, id, name) }))
}

/// DescribeUpdate.
pub(super) fn describe(
    world: &mut World,
    cluster: &str,
    update: &str,
    request: &Request,
) -> Result<Value, Failure> {
    check_cluster(&world.aws_shown(), cluster)?;
    let name = request.parameter("nodegroupName").unwrap_or_default();
    let number = update.rsplit('-').next().and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let known =
        number.map(RequestId).filter(|&id| update == update_id(id) && updates(world, id) == Some(name));
    let Some(id) = known else {
        let message = format!("No update found for ID: {update}");
        return Err(Failure::new(404, "ResourceNotFoundException", message));
    };
    Ok(json!({ "update": record(world, id, name) }))
}

/// The group that a request updates, if it was accepted.
fn updates(world: &World, id: RequestId) -> Option<&str> {
    if !matches!(world.find_answer(id)?.1, Answer::Done(_)) {
        return None;
    }
    match world.request(id).2 {
        Change::UpdateNodeGroupBounds(group, ..)
        | Change::UpdateNodeGroupTaints(group, ..)
        | Change::UpdateNodeGroup(group, ..) => Some(group),
        _ => None,
    }
}

fn update_id(id: RequestId) -> String {
    format!("6e6f6465-0000-4000-8000-{:012x}", id.0)
}

fn record(world: &World, id: RequestId, name: &str) -> Value {
    let group = world.find_group(name).and_then(|id| world.groups().get(id.index()));
    let updating = group.is_some_and(|group| group.status == GroupStatus::Updating);
    // A group takes one update at a time: only the newest can be under way.
    let newest = !(id.0 + 1..).map(RequestId).map_while(|later| world.find_request(later)).any(|later| {
        matches!(
            later,
            Change::UpdateNodeGroupBounds(of, ..)
            | Change::UpdateNodeGroupTaints(of, ..)
            | Change::UpdateNodeGroup(of, ..) if **of == *name
        )
    });
    let params: Vec<Value> = match world.find_request(id) {
        Some(Change::UpdateNodeGroupBounds(_, bounds) | Change::UpdateNodeGroup(_, bounds, ..)) => {
            [("MinSize", bounds.min), ("MaxSize", bounds.max), ("DesiredSize", bounds.desired)]
                .map(|(kind, size)| json!({ "type": kind, "value": size.to_string() }))
                .to_vec()
        }
        Some(Change::UpdateNodeGroupTaints(_, add, remove)) => vec![
            json!({ "type": "TaintsToAdd", "value": add.len().to_string() }),
            json!({ "type": "TaintsToRemove", "value": remove.len().to_string() }),
        ],
        _ => Vec::new(),
    };
    let at = world.find_answer(id).map_or(0, |&(at, _)| at);
    json!({
        "id": update_id(id),
        "status": if updating && newest { "InProgress" } else { "Successful" },
        "type": "ConfigUpdate",
        "params": params,
        "createdAt": (world.start().as_millisecond() + at as i64) as f64 / 1_000.0,
        "errors": [],
    })
}

pub(super) fn delete(world: &mut World, cluster: &str, name: &str) -> Result<Value, Failure> {
    let state = world.aws_shown();
    check_cluster(&state, cluster)?;
    find(&state, name)?;
    change(world, Change::DeleteNodeGroup(name.into()))?;
    // A group without instances is gone by now; then its last description is shown.
    described(world, cluster, name)
        .or_else(|_| Ok(json!({ "nodegroup": { "nodegroupName": name, "status": "DELETING" } })))
}

/// TagResource, of a node group.
pub(super) fn tag(world: &mut World, arn: &str, tags: BTreeMap<String, String>) -> Result<Value, Failure> {
    let name = group_with(&world.aws_shown(), arn)?;
    change(world, Change::TagNodeGroup(name.into(), tags))?;
    Ok(json!({}))
}
