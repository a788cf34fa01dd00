//! OpenAPI documents: where clients find the fields of a kind, and see that the server validates by itself.
//!
//! Types and names of fields are all there; descriptions are not.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    failure::Failure,
    resources::Resource,
    schema::{Field, Shape, message, messages},
};
use crate::{http::Response, world::World};

/// Where the schemas of a document are.
#[derive(Clone, Copy)]
enum Version {
    Two,
    Three,
}

impl Version {
    fn reference(self, name: &str) -> String {
        match self {
            Version::Two => format!("#/definitions/{}", schema_name(name)),
            Version::Three => format!("#/components/schemas/{}", schema_name(name)),
        }
    }
}

fn all(world: &World) -> &[Resource] {
    world.store().map_or(&[], |store| store.resources())
}

fn path_of(resource: &Resource) -> String {
    if resource.group.is_empty() {
        format!("api/{}", resource.version)
    } else {
        format!("apis/{}/{}", resource.group, resource.version)
    }
}

/// `/openapi/v3`: where each group's document is.
pub(super) fn index(world: &World) -> Response {
    let mut paths = Map::new();
    for resource in all(world) {
        let path = path_of(resource);
        let url = json!({"serverRelativeURL": format!("/openapi/v3/{path}?hash=nodeferry")});
        paths.insert(path, url);
    }
    Response::json(200, &json!({"paths": paths}))
}

/// `/openapi/v3/...`: the document of one group and version.
pub(super) fn document(world: &World, path: &str) -> Result<Response, Failure> {
    let found: Vec<&Resource> = all(world).iter().filter(|one| path_of(one) == path).collect();
    if found.is_empty() {
        return Err(Failure::no_path());
    }
    let mut paths = Map::new();
    for resource in &found {
        let kind = kind_of(resource);
        let validates = json!([{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}]);
        let operation = |verb: &str| {
            json!({"operationId": format!("{verb}{}", resource.kind), "parameters": validates,
                "responses": {"200": {"description": "OK"}},
                "x-kubernetes-action": verb, "x-kubernetes-group-version-kind": kind})
        };
        let collection = collection_path(resource);
        paths.insert(
            format!("{collection}/{{name}}"),
            json!({"get": operation("get"), "patch": operation("patch"), "put": operation("put")}),
        );
        paths.insert(collection, json!({"get": operation("list"), "post": operation("post")}));
    }
    let value = json!({"openapi": "3.0.0", "info": {"title": "Kubernetes", "version": "unversioned"},
        "paths": paths, "components": {"schemas": schemas(found.into_iter(), Version::Three)}});
    Ok(Response::json(200, &value))
}

/// `/openapi/v2`: the older form, which clients fall back to.
pub(super) fn version_2(world: &World) -> Response {
    let mut paths = Map::new();
    for resource in all(world) {
        let parameters =
            json!([{"name": "fieldValidation", "in": "query", "type": "string", "uniqueItems": true}]);
        let operation = json!({"parameters": parameters, "x-kubernetes-action": "patch",
            "responses": {"200": {"description": "OK"}},
            "x-kubernetes-group-version-kind": kind_of(resource)});
        paths.insert(format!("{}/{{name}}", collection_path(resource)), json!({"patch": operation}));
    }
    Response::json(
        200,
        &json!({"swagger": "2.0", "info": {"title": "Kubernetes", "version": "unversioned"}, "paths": paths,
            "definitions": schemas(all(world).iter(), Version::Two)}),
    )
}

fn kind_of(resource: &Resource) -> Value {
    json!({"group": resource.group, "version": resource.version, "kind": resource.kind})
}

fn collection_path(resource: &Resource) -> String {
    let namespace = if resource.namespaced { "namespaces/{namespace}/" } else { "" };
    format!("/{}/{namespace}{}", path_of(resource), resource.plural)
}

fn schema_name(message: &str) -> String {
    match message.strip_prefix("meta.") {
        Some(rest) => format!("io.k8s.apimachinery.pkg.apis.meta.{rest}"),
        None => format!("io.k8s.api.{message}"),
    }
}

/// Schemas of the kinds and of all that they consist of.
fn schemas<'a>(resources: impl Iterator<Item = &'a Resource>, version: Version) -> Map<String, Value> {
    let mut schemas = Map::new();
    let mut done: BTreeSet<&'static str> = BTreeSet::new();
    for resource in resources {
        let kind = kind_of(resource);
        let Some(root) = message(&resource.api_version(), &resource.kind) else {
            let group = resource.group.split('.').next().unwrap_or("");
            let name = format!("{group}.{}.{}", resource.version, resource.kind);
            let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true,
                "x-kubernetes-group-version-kind": [kind]});
            schemas.insert(schema_name(&name), open);
            continue;
        };
        let mut todo = vec![root];
        while let Some(name) = todo.pop() {
            if !done.insert(name) {
                continue;
            }
            let mut properties = Map::new();
            add_fields(name, &mut properties, &mut todo, version);
            let mut schema = json!({"type": "object", "description": last(name), "properties": properties});
            if name == root {
                let text = json!({"type": "string", "description": ""});
                schema["properties"]["apiVersion"] = text.clone();
                schema["properties"]["kind"] = text;
                schema["x-kubernetes-group-version-kind"] = json!([kind]);
            }
            schemas.insert(schema_name(name), schema);
        }
    }
    schemas
}

fn last(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

fn add_fields(
    message: &str,
    properties: &mut Map<String, Value>,
    todo: &mut Vec<&'static str>,
    version: Version,
) {
    for field in messages().get(message).into_iter().flatten() {
        match field.name {
            Some(name) => {
                properties.insert(name.into(), property(field, todo, version));
            }
            None => add_fields(field.of, properties, todo, version),
        }
    }
}

fn property(field: &Field, todo: &mut Vec<&'static str>, version: Version) -> Value {
    let one = match field.of {
        "bool" => json!({"type": "boolean"}),
        "int32" | "int64" => json!({"type": "integer", "format": field.of}),
        "string" => json!({"type": "string"}),
        "bytes" => json!({"type": "string", "format": "byte"}),
        "time" | "microtime" => json!({"type": "string", "format": "date-time"}),
        "quantity" => json!({"type": "string", "description": "Quantity"}),
        "intorstring" => json!({"type": "string", "format": "int-or-string"}),
        "raw" => json!({"type": "object"}),
        message => {
            if let Some((name, _)) = messages().get_key_value(message) {
                todo.push(name);
            }
            match version {
                Version::Two => json!({"$ref": version.reference(message)}),
                Version::Three => json!({"default": {}, "description": last(message),
                    "allOf": [{"$ref": version.reference(message)}]}),
            }
        }
    };
    match field.shape {
        Shape::Once => one,
        Shape::List => json!({"type": "array", "items": one, "description": ""}),
        Shape::Map => json!({"type": "object", "additionalProperties": one, "description": ""}),
    }
}
