//! What the server says of itself: version, groups, resources, in the plain and in the aggregated form.

use serde_json::{Value, json};

use super::{
    failure::Failure,
    negotiate::aggregated,
    resources::{Resource, Subresource},
};
use crate::{
    http::{Request, Response},
    world::World,
};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

fn all(world: &World) -> &[Resource] {
    world.store().map_or(&[], |store| store.resources())
}

/// Groups with their versions, in the order of the resources, the core group first.
fn groups_of(world: &World) -> Vec<(String, Vec<String>)> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for resource in all(world) {
        match groups.iter_mut().find(|(group, _)| *group == resource.group) {
            Some((_, versions)) if versions.contains(&resource.version) => {}
            Some((_, versions)) => versions.push(resource.version.clone()),
            None => groups.push((resource.group.clone(), vec![resource.version.clone()])),
        }
    }
    groups
}

/// `/version`.
pub(super) fn version(world: &World) -> Response {
    let version = world.cluster_version();
    let (major, minor) = version.split_once('.').unwrap_or(("1", version));
    Response::json(
        200,
        &json!({"major": major, "minor": minor, "gitVersion": format!("v{version}.0-eks-nodeferry"),
            "gitCommit": "", "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
            "goVersion": "", "compiler": "", "platform": "linux/amd64"}),
    )
}

/// `/`.
pub(super) fn paths(world: &World) -> Response {
    let mut paths = vec!["/api".to_owned(), "/api/v1".into(), "/apis".into()];
    for (group, versions) in groups_of(world).into_iter().filter(|(group, _)| !group.is_empty()) {
        paths.push(format!("/apis/{group}"));
        paths.extend(versions.iter().map(|version| format!("/apis/{group}/{version}")));
    }
    paths.extend(
        ["/healthz", "/livez", "/openapi/v2", "/openapi/v3", "/readyz", "/version"].map(String::from),
    );
    Response::json(200, &json!({"paths": paths}))
}

/// `/api`.
pub(super) fn legacy(world: &World, request: &Request) -> Response {
    if aggregated(&request.accept) {
        return discovery_list(world, |group| group.is_empty());
    }
    Response::json(200, &json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}))
}

/// `/apis`.
pub(super) fn groups(world: &World, request: &Request) -> Response {
    if aggregated(&request.accept) {
        return discovery_list(world, |group| !group.is_empty());
    }
    let groups: Vec<Value> = groups_of(world)
        .iter()
        .filter(|(group, _)| !group.is_empty())
        .map(|(group, versions)| group_value(group, versions))
        .collect();
    Response::json(200, &json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}))
}

/// `/apis/GROUP`.
pub(super) fn group(world: &World, group: &str) -> Result<Response, Failure> {
    let groups = groups_of(world);
    let (_, versions) =
        groups.iter().find(|(name, _)| name == group && !name.is_empty()).ok_or_else(Failure::no_path)?;
    let mut value = group_value(group, versions);
    value["kind"] = json!("APIGroup");
    value["apiVersion"] = json!("v1");
    Ok(Response::json(200, &value))
}

fn group_value(group: &str, versions: &[String]) -> Value {
    let one = |version: &String| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    json!({"name": group, "versions": versions.iter().map(one).collect::<Vec<_>>(),
        "preferredVersion": versions.first().map(one)})
}

/// `/api/v1`, `/apis/GROUP/VERSION`.
pub(super) fn resources(world: &World, group: &str, version: &str) -> Result<Response, Failure> {
    let mut found = Vec::new();
    for one in all(world).iter().filter(|one| one.group == group && one.version == version) {
        let mut value = json!({"name": one.plural, "singularName": one.singular, "namespaced": one.namespaced,
            "kind": one.kind, "verbs": one.verbs()});
        if !one.short_names.is_empty() {
            value["shortNames"] = json!(one.short_names);
        }
        if one.in_all {
            value["categories"] = json!(["all"]);
        }
        found.push(value);
        for sub in one.subresources {
            let mut value = json!({"name": format!("{}/{}", one.plural, sub.name()), "singularName": "",
                "namespaced": one.namespaced, "kind": one.kind, "verbs": sub.verbs()});
            if let Some((group, version, kind)) = sub.kind() {
                value["group"] = json!(group);
                value["version"] = json!(version);
                value["kind"] = json!(kind);
            }
            found.push(value);
        }
    }
    if found.is_empty() {
        return Err(Failure::no_path());
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Ok(Response::json(
        200,
        &json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version,
            "resources": found}),
    ))
}

fn discovery_list(world: &World, wanted: impl Fn(&str) -> bool) -> Response {
    let items: Vec<Value> = groups_of(world)
        .iter()
        .filter(|(group, _)| wanted(group))
        .map(|(group, versions)| {
            let versions: Vec<Value> = versions
                .iter()
                .map(|version| {
                    let of = |one: &&Resource| one.group == *group && one.version == *version;
                    let resources: Vec<Value> = all(world).iter().filter(of).map(discovered).collect();
                    json!({"version": version, "freshness": "Current", "resources": resources})
                })
                .collect();
            let metadata = if group.is_empty() {
                json!({"creationTimestamp": null})
            } else {
                json!({"name": group, "creationTimestamp": null})
            };
            json!({"metadata": metadata, "versions": versions})
        })
        .collect();
    let value = json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {}, "items": items});
    Response { content_type: AGGREGATED.into(), ..Response::json(200, &value) }
}

fn discovered(one: &Resource) -> Value {
    let own = (one.group.as_str(), one.version.as_str(), one.kind.as_str());
    let kind = |(group, version, kind): (&str, &str, &str)| json!({"group": group, "version": version, "kind": kind});
    let subresource = |sub: &Subresource| {
        json!({"subresource": sub.name(), "responseKind": kind(sub.kind().unwrap_or(own)),
            "verbs": sub.verbs()})
    };
    let mut value = json!({"resource": one.plural, "responseKind": kind(own),
        "scope": if one.namespaced { "Namespaced" } else { "Cluster" }, "singularResource": one.singular,
        "verbs": one.verbs()});
    if !one.short_names.is_empty() {
        value["shortNames"] = json!(one.short_names);
    }
    if one.in_all {
        value["categories"] = json!(["all"]);
    }
    if !one.subresources.is_empty() {
        value["subresources"] = one.subresources.iter().map(subresource).collect();
    }
    value
}
