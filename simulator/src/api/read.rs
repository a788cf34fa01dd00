//! Reads of one object and of lists: versions, pages, selectors.

use std::{ops::Bound, sync::Arc};

use serde_json::{Value, json};

use super::{
    failure::Failure,
    objects::{self, Shape},
    resources::Subresource,
    route::Target,
    select::Selection,
    write,
};
use crate::{
    http::{Request, Response},
    world::{
        World,
        store::{Key, Store},
    },
};

/// One object, or its scale.
pub(super) fn get(world: &World, request: &Request, target: &Target) -> Result<Response, Failure> {
    let store = store(world)?;
    let value = store
        .get(target.index, &target.key())
        .ok_or_else(|| Failure::not_found(&target.resource, target.name()))?;
    match target.subresource {
        None | Some(Subresource::Status) => {
            let shape = Shape::of(request)?;
            let now = world.wall(world.now() as i64);
            Ok(Response::new(200, "application/json", objects::one(&target.resource, value, shape, now)))
        }
        Some(Subresource::Scale) => Ok(Response::json(200, &write::scale_of(target, value))),
        Some(Subresource::Log) => Err(Failure::no_logs()),
        Some(Subresource::Eviction | Subresource::Binding) => Err(Failure::method_not_allowed()),
    }
}

/// What a page continues with.
struct Token {
    version: u64,
    after: Key,
}

impl Token {
    fn write(&self) -> String {
        format!("{}:{}/{}", self.version, self.after.0, self.after.1)
    }

    fn read(text: &str) -> Result<Token, Failure> {
        let parse = || {
            let (version, key) = text.split_once(':')?;
            let (namespace, name) = key.split_once('/')?;
            Some(Token { version: version.parse().ok()?, after: (namespace.into(), name.into()) })
        };
        parse().ok_or_else(|| Failure::bad_request("continue key is not valid"))
    }
}

/// A list.
pub(super) fn list(world: &World, request: &Request, target: &Target) -> Result<Response, Failure> {
    let store = store(world)?;
    let shape = Shape::of(request)?;
    let selection = Selection::of(request, target)?;
    let limit = number(request, "limit")?.filter(|&limit| limit > 0);
    let token = request.parameter("continue").map(Token::read).transpose()?;
    let version = match &token {
        Some(token) => {
            if request.parameter("resourceVersionMatch").is_some() {
                return Err(Failure::bad_request(
                    "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden with continue",
                ));
            }
            token.version
        }
        None => listed_version(world, request)?,
    };
    let objects = snapshot(store, target, version, world.resource_version()).ok_or_else(|| {
        if token.is_some() { Failure::continue_expired() } else { Failure::expired(version, version + 1) }
    })?;
    let from = token.map_or(Bound::Unbounded, |token| Bound::Excluded(token.after));
    let mut matching =
        objects.range::<Key, _>((from, Bound::Unbounded)).filter(|(_, value)| selection.matches(value));
    let mut items: Vec<Arc<Value>> = Vec::new();
    let mut last = None;
    let most = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    for (key, value) in matching.by_ref().take(most) {
        items.push(value.clone());
        last = Some(key.clone());
    }
    let rest = matching.count();
    let mut meta = json!({"resourceVersion": version.to_string()});
    if let Some(after) = last.filter(|_| rest > 0) {
        meta["continue"] = json!(Token { version, after }.write());
        // With a selector the server does not know how many remain.
        if request.parameter("labelSelector").is_none() && request.parameter("fieldSelector").is_none() {
            meta["remainingItemCount"] = json!(rest);
        }
    }
    let now = world.wall(world.now() as i64);
    let body = objects::list(&target.resource, &items, meta, shape, now);
    Ok(Response::new(200, "application/json", body))
}

/// The version that a list without continuation shows.
fn listed_version(world: &World, request: &Request) -> Result<u64, Failure> {
    let newest = world.resource_version();
    let asked = number(request, "resourceVersion")?;
    match (asked, request.parameter("resourceVersionMatch")) {
        (None, Some(_)) => Err(Failure::bad_request(
            "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided",
        )),
        (Some(0), Some("Exact")) => Err(Failure::bad_request(
            "resourceVersionMatch: Forbidden: resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
        )),
        (Some(asked), _) if asked > newest => Err(Failure::version_too_large(asked, newest)),
        (Some(asked), Some("Exact")) => Ok(asked),
        (_, None | Some("NotOlderThan")) => Ok(newest),
        (_, Some(other)) => Err(Failure::bad_request(format!(
            "resourceVersionMatch: Unsupported value: \"{other}\": supported values: \"Exact\", \"NotOlderThan\""
        ))),
    }
}

type Objects = std::collections::BTreeMap<Key, Arc<Value>>;

/// The objects of a resource as they were at a version; `None` where that is no longer known.
fn snapshot<'a>(
    store: &'a Store,
    target: &Target,
    version: u64,
    newest: u64,
) -> Option<std::borrow::Cow<'a, Objects>> {
    let objects = store.objects(target.index);
    if version >= newest {
        return Some(std::borrow::Cow::Borrowed(objects));
    }
    let mut since: Vec<_> = store.since(version)?.filter(|record| record.resource == target.index).collect();
    if since.is_empty() {
        return Some(std::borrow::Cow::Borrowed(objects));
    }
    let mut then = objects.clone();
    since.reverse();
    for record in since {
        match &record.before {
            Some(before) => then.insert(record.key.clone(), before.clone()),
            None => then.remove(&record.key),
        };
    }
    Some(std::borrow::Cow::Owned(then))
}

/// A parameter that is a number.
pub(super) fn number(request: &Request, name: &str) -> Result<Option<u64>, Failure> {
    request
        .parameter(name)
        .map(|text| {
            text.parse().map_err(|_| {
                Failure::bad_request(format!("{name}: Invalid value: \"{text}\": must be a number"))
            })
        })
        .transpose()
}

pub(super) fn store(world: &World) -> Result<&Store, Failure> {
    world.store().ok_or_else(|| Failure::internal("nothing is served"))
}
