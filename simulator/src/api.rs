//! The Kubernetes API server over the simulated world: one request in, one answer out.
//!
//! Decides what a request means, whether it may be done and what is answered; what a write causes is the world's affair.
//! There is no socket and no clock here: transports call [`handle`], and a watch is a value that is polled. The same
//! world and the same requests give the same answers.
//!
//! Everybody who asks is let in: the simulated cluster knows no users, and whoever can reach the process may do all.

use crate::{
    http::{Method, Request, Response},
    world::World,
};

mod apply;
mod base64;
mod content;
mod defaults;
mod discovery;
mod failure;
mod human;
mod managed;
mod negotiate;
mod objects;
mod openapi;
mod patch;
mod read;
pub mod resources;
mod route;
mod schema;
mod select;
mod table;
#[cfg(test)]
mod tests;
mod validate;
mod watch;
mod write;

pub use failure::Failure;
pub use watch::{Polled, Watch};

use route::{Path, Target};

/// Largest body that is read, in bytes: 3 MiB, as the real server.
/// Source: `apiserver/pkg/server/config.go`, MaxRequestBodyBytes.
pub const BODY_BYTES_MAX: usize = 3 << 20;

/// What a request is answered with.
#[derive(Debug)]
pub enum Reply {
    /// A whole answer.
    Whole(Response),
    /// A stream of events that goes on.
    Watch(Box<Watch>),
}

/// What a busy server answers: to try again in a second.
/// Source: `apiserver/pkg/server/filters/maxinflight.go`, tooManyRequests.
pub fn too_many_requests() -> Response {
    Failure::too_many_requests().into_response()
}

/// Answers a request.
pub fn handle(world: &mut World, request: &Request) -> Reply {
    world.serve();
    answer(world, request).unwrap_or_else(|failure| Reply::Whole(failure.into_response()))
}

fn answer(world: &mut World, request: &Request) -> Result<Reply, Failure> {
    let whole = |response| Ok(Reply::Whole(response));
    if request.body.len() > BODY_BYTES_MAX {
        return Err(Failure::too_large());
    }
    let path = route::parse(world, &request.path)?;
    match path {
        Path::Health => whole(Response::text(200, "ok")),
        Path::Version => whole(discovery::version(world)),
        Path::Paths => whole(discovery::paths(world)),
        Path::Legacy => whole(discovery::legacy(world, request)),
        Path::Groups => whole(discovery::groups(world, request)),
        Path::Group(group) => discovery::group(world, &group).map(Reply::Whole),
        Path::GroupVersion(group, version) => discovery::resources(world, &group, &version).map(Reply::Whole),
        Path::OpenApiIndex => whole(openapi::index(world)),
        Path::OpenApi(group_version) => openapi::document(world, &group_version).map(Reply::Whole),
        Path::OpenApiV2 => whole(openapi::version_2(world)),
        Path::Resource(target) => resource(world, request, &target),
    }
}

fn resource(world: &mut World, request: &Request, target: &Target) -> Result<Reply, Failure> {
    let reads = request.method == Method::Get;
    match (&target.subresource, &target.name) {
        (None, None) if reads && request.flag("watch") => {
            watch::begin(world, request, target).map(|watch| Reply::Watch(Box::new(watch)))
        }
        (None, None) if reads => read::list(world, request, target).map(Reply::Whole),
        (None, Some(_)) if reads && request.flag("watch") => {
            watch::begin(world, request, target).map(|watch| Reply::Watch(Box::new(watch)))
        }
        (_, Some(_)) if reads => read::get(world, request, target).map(Reply::Whole),
        _ => write::answer(world, request, target).map(Reply::Whole),
    }
}
