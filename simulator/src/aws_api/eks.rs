//! EKS: clusters, node groups, updates and tags. Which operation a path means; what it is answered.

use serde_json::{Map, Value, json};

use super::{failure::Failure, page::page};
use crate::{
    export::aws::compute,
    http::{Method, Request, Response},
    import::aws::{AwsState, NodeGroup},
    world::World,
};

mod create;
mod update;

pub(super) fn answer(world: &mut World, request: &Request, id: &str) -> Result<Response, Failure> {
    let segments = request.segments();
    let path: Vec<&str> = segments.iter().map(String::as_str).collect();
    let value = match (request.method, path.as_slice()) {
        (Method::Get, ["clusters"]) => json!({ "clusters": [world.imported_aws().cluster.name] }),
        (Method::Get, ["clusters", name]) => describe_cluster(&world.aws_shown(), name)?,
        (Method::Get, ["clusters", name, "node-groups"]) => list(&world.aws_shown(), name, request)?,
        (Method::Post, ["clusters", name, "node-groups"]) => create::create(world, name, &body(request)?)?,
        (Method::Get, ["clusters", name, "node-groups", group]) => described(world, name, group)?,
        (Method::Delete, ["clusters", name, "node-groups", group]) => update::delete(world, name, group)?,
        (Method::Post, ["clusters", name, "node-groups", group, "update-config"]) => {
            update::update(world, name, group, &body(request)?)?
        }
        (Method::Get, ["clusters", name, "updates", update]) => {
            update::describe(world, name, update, request)?
        }
        (Method::Get, ["tags", arn @ ..]) => {
            let group = group_with(&world.aws_shown(), &arn.join("/"))?;
            json!({ "tags": tags_of(world, &group) })
        }
        (Method::Post, ["tags", arn @ ..]) => {
            let tags = texts(&body(request)?, "tags")?;
            update::tag(world, &arn.join("/"), tags)?
        }
        _ => return Err(Failure::new(404, "UnknownOperationException", "no operation has this path")),
    };
    let mut response = Response::json(200, &value);
    response.headers.push(("x-amzn-requestid", id.to_owned()));
    Ok(response)
}

fn describe_cluster(state: &AwsState, name: &str) -> Result<Value, Failure> {
    check_cluster(state, name)?;
    Ok(json!({ "cluster": compute::cluster(state) }))
}

fn list(state: &AwsState, name: &str, request: &Request) -> Result<Value, Failure> {
    check_cluster(state, name)?;
    let names = state.node_groups.iter().map(|group| group.name.clone()).collect();
    let (size, token) = (request.parameter("maxResults"), request.parameter("nextToken"));
    let (names, token) = page(names, size, token, (1, 100), "InvalidParameterException")?;
    Ok(json!({ "nodegroups": names, "nextToken": token }))
}

/// `{"nodegroup": …}`.
fn described(world: &mut World, cluster: &str, name: &str) -> Result<Value, Failure> {
    let state = world.aws_shown();
    check_cluster(&state, cluster)?;
    let group = find(&state, name)?;
    Ok(json!({ "nodegroup": compute::node_group(world, &state, group) }))
}

fn check_cluster(state: &AwsState, name: &str) -> Result<(), Failure> {
    if state.cluster.name == name {
        return Ok(());
    }
    Err(Failure::new(404, "ResourceNotFoundException", format!("No cluster found for name: {name}.")))
}

fn find<'a>(state: &'a AwsState, name: &str) -> Result<&'a NodeGroup, Failure> {
    state.node_groups.iter().find(|group| group.name == name).ok_or_else(|| {
        Failure::new(404, "ResourceNotFoundException", format!("No node group found for name: {name}."))
    })
}

fn group_with(state: &AwsState, arn: &str) -> Result<String, Failure> {
    let found = state.node_groups.iter().find(|group| compute::node_group_arn(state, &group.name) == arn);
    found
        .map(|group| group.name.clone())
        .ok_or_else(|| Failure::new(404, "NotFoundException", format!("No resource has the ARN {arn}")))
}

fn tags_of(world: &World, group: &str) -> Value {
    let found = world.find_group(group).and_then(|id| world.groups().get(id.index()));
    json!(found.map(|group| &group.tags))
}

// ---- bodies ----

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new(400, "InvalidParameterException", message)
}

fn body(request: &Request) -> Result<Map<String, Value>, Failure> {
    match serde_json::from_slice(&request.body) {
        Ok(Value::Object(fields)) => Ok(fields),
        _ => Err(Failure::new(400, "SerializationException", "the body is no JSON object")),
    }
}

fn text<'a>(fields: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, Failure> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(format!("{key} must be a string"))),
    }
}

fn list_of<'a>(fields: &'a Map<String, Value>, key: &str) -> Result<&'a [Value], Failure> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(invalid(format!("{key} must be a list"))),
    }
}

fn words(fields: &Map<String, Value>, key: &str) -> Result<Vec<std::sync::Arc<str>>, Failure> {
    let word = |item: &Value| {
        item.as_str().map(Into::into).ok_or_else(|| invalid(format!("{key} must be a list of strings")))
    };
    list_of(fields, key)?.iter().map(word).collect()
}

fn object<'a>(fields: &'a Map<String, Value>, key: &str) -> Result<Option<&'a Map<String, Value>>, Failure> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(inner)) => Ok(Some(inner)),
        Some(_) => Err(invalid(format!("{key} must be an object"))),
    }
}

fn texts(
    fields: &Map<String, Value>,
    key: &str,
) -> Result<std::collections::BTreeMap<String, String>, Failure> {
    let pair = |(name, value): (&String, &Value)| {
        let value = value.as_str().ok_or_else(|| invalid(format!("{key}.{name} must be a string")))?;
        Ok((name.clone(), value.to_owned()))
    };
    object(fields, key)?.into_iter().flatten().map(pair).collect()
}
