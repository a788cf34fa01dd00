//! What a path names.

use std::sync::Arc;

use super::{
    failure::Failure,
    resources::{Resource, Subresource},
};
use crate::{
    http::percent_decode,
    world::{World, store::Key},
};

/// What a path names.
#[derive(Debug)]
pub(super) enum Path {
    Health,
    Version,
    Paths,
    Legacy,
    Groups,
    Group(String),
    GroupVersion(String, String),
    OpenApiIndex,
    OpenApi(String),
    OpenApiV2,
    Resource(Target),
}

/// Objects, or an object, or a part of one.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Index of the resource in the store.
    pub(super) index: usize,
    pub(super) resource: Resource,
    pub(super) namespace: Option<Arc<str>>,
    pub(super) name: Option<Arc<str>>,
    pub(super) subresource: Option<Subresource>,
}

impl Target {
    /// Namespace and name of the one object.
    pub(super) fn key(&self) -> Key {
        (self.namespace.clone().unwrap_or_default(), self.name.clone().unwrap_or_default())
    }

    pub(super) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("")
    }
}

/// Reads a path.
pub(super) fn parse(world: &World, path: &str) -> Result<Path, Failure> {
    let parts: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(percent_decode).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    match parts.as_slice() {
        [] => Ok(Path::Paths),
        ["healthz" | "livez" | "readyz", ..] => Ok(Path::Health),
        ["version"] => Ok(Path::Version),
        ["api"] => Ok(Path::Legacy),
        ["apis"] => Ok(Path::Groups),
        ["apis", group] => Ok(Path::Group((*group).into())),
        ["api", version] => Ok(Path::GroupVersion(String::new(), (*version).into())),
        ["apis", group, version] => Ok(Path::GroupVersion((*group).into(), (*version).into())),
        ["openapi", "v2"] => Ok(Path::OpenApiV2),
        ["openapi", "v3"] => Ok(Path::OpenApiIndex),
        ["openapi", "v3", rest @ ..] => Ok(Path::OpenApi(rest.join("/"))),
        ["api", version, rest @ ..] => target(world, "", version, rest).map(Path::Resource),
        ["apis", group, version, rest @ ..] => target(world, group, version, rest).map(Path::Resource),
        _ => Err(Failure::no_path()),
    }
}

fn target(world: &World, group: &str, version: &str, rest: &[&str]) -> Result<Target, Failure> {
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !matches!(rest, [] | ["status" | "finalize"]) => {
            (Some(Arc::from(*namespace)), rest)
        }
        rest => (None, rest),
    };
    let store = world.store().ok_or_else(Failure::no_path)?;
    let (plural, name, subresource) = match rest {
        [plural] => (plural, None, None),
        [plural, name] => (plural, Some(Arc::from(*name)), None),
        [plural, name, subresource] => (plural, Some(Arc::from(*name)), Some(*subresource)),
        _ => return Err(Failure::no_path()),
    };
    let index = store.find(group, version, plural).ok_or_else(Failure::no_path)?;
    let resource = store.resources()[index].clone();
    let subresource = match subresource {
        None => None,
        Some(name) => Some(
            resource
                .subresources
                .iter()
                .copied()
                .find(|one| one.name() == name)
                .ok_or_else(Failure::no_path)?,
        ),
    };
    // Objects in namespaces are named with theirs; lists may go over all.
    if resource.namespaced != namespace.is_some() && (name.is_some() || !resource.namespaced) {
        return Err(Failure::no_path());
    }
    Ok(Target { index, resource, namespace, name, subresource })
}
