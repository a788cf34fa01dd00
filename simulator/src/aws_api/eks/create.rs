//! CreateNodegroup: what EKS takes where nothing is said, and what it refuses before it begins.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{check_cluster, described, invalid, list_of, object, text, texts, words};
use crate::{
    aws_api::{change, failure::Failure},
    import::aws::AwsState,
    world::{
        Bounds, World,
        requests::{EksTaint, NodeGroupRequest, Request as Change},
    },
};

/// Managed node groups of a cluster, nodes of a group, taints of a group. Source: EKS documentation, "Service quotas" and
/// "Node taints on managed node groups"; the defaults, which an account can have raised.
const GROUPS_MAX: usize = 30;
const NODES_MAX: u32 = 450;
const TAINTS_MAX: usize = 50;

/// More than a quota allows.
fn limited(message: String) -> Failure {
    Failure::new(400, "ResourceLimitExceededException", message)
}

pub(super) fn create(
    world: &mut World,
    cluster: &str,
    fields: &Map<String, Value>,
) -> Result<Value, Failure> {
    let state = world.aws_shown();
    check_cluster(&state, cluster)?;
    let name = text(fields, "nodegroupName")?.unwrap_or_default();
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    // Source: EKS API, `nodegroupName`.
    if !first || name.len() > 63 || !name.chars().all(inner) {
        return Err(invalid(
            "nodegroupName must begin with a letter or digit and have at most 63 characters",
        ));
    }
    let role = text(fields, "nodeRole")?.ok_or_else(|| invalid("nodeRole is required"))?;
    let template = template_name(&state, fields)?;
    if template.is_some() && fields.contains_key("diskSize") {
        let message = "Disk size must be specified within the launch template.";
        return Err(Failure::new(400, "InvalidRequestException", message));
    }
    let labels = texts(fields, "labels")?;
    // Observed: keys of Kubernetes' own are refused. Source: kubernetes/cloud-provider-aws#242.
    let reserved = |key: &&String| {
        let domain = key.split_once('/').map_or("", |(domain, _)| domain);
        ["kubernetes.io", "k8s.io"]
            .iter()
            .any(|own| domain == *own || domain.strip_suffix(own).is_some_and(|rest| rest.ends_with('.')))
    };
    if let Some(key) = labels.keys().find(reserved) {
        return Err(invalid(format!(
            "Label cannot contain reserved prefixes [kubernetes.io/, k8s.io/]: {key}"
        )));
    }
    // Source: EKS API, `amiType`, `capacityType`, `instanceTypes`, `scalingConfig`.
    let unless_said =
        |key: &str, default: &str| Ok::<_, Failure>(text(fields, key)?.unwrap_or(default).into());
    let mut instance_types = words(fields, "instanceTypes")?;
    if instance_types.is_empty() {
        let version =
            state.launch_templates.iter().find(|one| Some(one.name.as_str()) == template.as_deref());
        let of_template = version.and_then(|one| one.instance_type.as_deref());
        instance_types.push(of_template.unwrap_or("t3.medium").into());
    }
    if let Some(other) = instance_types.iter().find(|name| !world.knows_instance_type(name)) {
        return Err(invalid(format!("The instance type {other} is not known to this simulation.")));
    }
    let own_token: Arc<str> = format!("none-{}", world.now()).into();
    let groups = state.node_groups.len();
    if groups >= GROUPS_MAX && world.find_group(name).is_none() {
        return Err(limited(format!("A cluster has at most {GROUPS_MAX} managed node groups.")));
    }
    let taints = taints(list_of(fields, "taints")?)?;
    if taints.len() > TAINTS_MAX {
        return Err(invalid(format!("A node group has at most {TAINTS_MAX} taints.")));
    }
    let request = NodeGroupRequest {
        name: name.into(),
        client_token: text(fields, "clientRequestToken")?.map_or(own_token, Into::into),
        bounds: bounds(fields, Bounds { min: 1, max: 2, desired: 2 })?,
        instance_types,
        ami_type: unless_said("amiType", "AL2023_x86_64_STANDARD")?,
        version: unless_said("version", &state.cluster.version)?,
        node_role: role.into(),
        subnets: words(fields, "subnets")?,
        capacity_type: unless_said("capacityType", "ON_DEMAND")?,
        labels,
        taints,
        launch_template: template,
        tags: texts(fields, "tags")?,
    };
    change(world, Change::CreateNodeGroup(request))?;
    described(world, cluster, name)
}

/// The launch template by name, whichever way it is named.
fn template_name(state: &AwsState, fields: &Map<String, Value>) -> Result<Option<Arc<str>>, Failure> {
    let Some(template) = object(fields, "launchTemplate")? else { return Ok(None) };
    match (text(template, "id")?, text(template, "name")?) {
        (None, Some(name)) => Ok(Some(name.into())),
        (Some(id), None) => {
            let found = state.launch_templates.iter().find(|version| version.id == id);
            let missing = || {
                let message = format!("Launch template {id} was not found.");
                Failure::new(400, "InvalidRequestException", message)
            };
            Ok(Some(found.ok_or_else(missing)?.name.as_str().into()))
        }
        _ => Err(invalid("You must specify either the launch template ID or the name, but not both.")),
    }
}

/// `scalingConfig`, with `now` where it is silent.
pub(super) fn bounds(fields: &Map<String, Value>, now: Bounds) -> Result<Bounds, Failure> {
    let Some(scaling) = object(fields, "scalingConfig")? else { return Ok(now) };
    let size = |key: &str, now: u32| match scaling.get(key) {
        None | Some(Value::Null) => Ok(now),
        Some(value) => value
            .as_u64()
            .and_then(|size| u32::try_from(size).ok())
            .ok_or_else(|| invalid(format!("scalingConfig.{key} must be a number of nodes"))),
    };
    let bounds = Bounds {
        min: size("minSize", now.min)?,
        max: size("maxSize", now.max)?,
        desired: size("desiredSize", now.desired)?,
    };
    // A group that was imported with more keeps what it has.
    if bounds.max > NODES_MAX.max(now.max) {
        return Err(limited(format!("A managed node group has at most {NODES_MAX} nodes.")));
    }
    Ok(bounds)
}

pub(super) fn taints(items: &[Value]) -> Result<Vec<EksTaint>, Failure> {
    let taint = |item: &Value| {
        let fields = item.as_object().ok_or_else(|| invalid("a taint must be an object"))?;
        let key = text(fields, "key")?.filter(|key| !key.is_empty());
        let effect = text(fields, "effect")?.unwrap_or_default();
        if !matches!(effect, "NO_SCHEDULE" | "NO_EXECUTE" | "PREFER_NO_SCHEDULE") {
            let message = "a taint's effect must be NO_SCHEDULE, NO_EXECUTE or PREFER_NO_SCHEDULE";
            return Err(invalid(message));
        }
        Ok(EksTaint {
            key: key.ok_or_else(|| invalid("a taint must have a key"))?.into(),
            value: text(fields, "value")?.unwrap_or_default().into(),
            effect: effect.into(),
        })
    };
    items.iter().map(taint).collect()
}
