//! The AWS API servers over the simulated world: EKS, EC2, Auto Scaling, Elastic Load Balancing and STS; one request
//! in, one answer out.
//!
//! Decides which service is meant (by the scope of the signature), what a request means and what it is answered. Any
//! credential is accepted. What is described is [`World::aws`], kept until something changes; what is changed goes through [`World::submit`], so that
//! it has the effects and the cause that a migration's own requests have. There is no socket and no clock here: an
//! answer to a change is there after the API's latency, by which time the world has moved on that far.

use serde_json::Value;

use crate::{
    http::{Request, Response},
    world::{
        World,
        requests::{Answer, Request as Change},
    },
};

mod autoscaling;
mod ec2;
mod eks;
mod elb;
mod failure;
mod form;
mod page;
mod service;
mod sts;
#[cfg(test)]
mod tests;
mod xml;

pub use failure::Failure;
pub use service::Service;

use form::Form;

/// Largest body that is read, in bytes: 1 MiB. A launch template with its user data needs less than 100 KiB.
pub const BODY_BYTES_MAX: usize = 1 << 20;

/// Whether a request is for one of these servers: only AWS' clients sign so.
pub fn is_meant(request: &Request) -> bool {
    Service::of(request).is_some()
}

/// What a service answers that is asked too often, each in its own words.
/// Source: EKS API, common errors; EC2 documentation, "Request throttling"; Query APIs' common errors.
pub fn throttled(request: &Request) -> Response {
    let service = Service::of(request).unwrap_or(Service::Eks);
    let (code, name, message) = match service {
        Service::Eks => (429, "ThrottlingException", "Rate exceeded"),
        Service::Ec2 => (503, "RequestLimitExceeded", "Request limit exceeded."),
        Service::AutoScaling | Service::ElasticLoadBalancing | Service::Sts => {
            (400, "Throttling", "Rate exceeded")
        }
    };
    refusal(request, code, name, message)
}

/// A refusal in the form of the service that a request is for: for whoever stands between a client and the servers.
pub fn refusal(request: &Request, code: u16, name: &str, message: &str) -> Response {
    let service = Service::of(request).unwrap_or(Service::Eks);
    Failure::new(code, name, message).into_response(service, "00000000-0000-4000-8000-000000000000")
}

/// Answers a request.
pub fn handle(world: &mut World, request: &Request) -> Response {
    let Some(service) = Service::of(request) else {
        // What AWS says to whoever does not sign.
        return Failure::new(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
            .into_response(Service::Eks, "");
    };
    world.serve();
    let id = request_id(world, request);
    let changes = world.requests_made();
    let answered = if request.body.len() > BODY_BYTES_MAX {
        Err(Failure::new(413, "RequestEntityTooLarge", "the body is larger than 1 MiB"))
    } else {
        match service {
            Service::Eks => eks::answer(world, request, &id),
            Service::Ec2 => {
                query(world, request, ec2::answer).map(|(act, value)| xml::ec2(&act, &value, &id))
            }
            Service::AutoScaling => query(world, request, autoscaling::answer)
                .map(|(act, value)| xml::query(&act, &value, autoscaling::NAMESPACE, &id)),
            Service::ElasticLoadBalancing => query(world, request, elb::answer)
                .map(|(act, value)| xml::query(&act, &value, elb::NAMESPACE, &id)),
            Service::Sts => query(world, request, sts::answer)
                .map(|(act, value)| xml::query(&act, &value, sts::NAMESPACE, &id)),
        }
    };
    if world.requests_made() > changes {
        // A change is remembered with all that it says: by the request, and by what it made.
        world.charge(request.body.len() * 2);
    }
    answered.unwrap_or_else(|failure| failure.into_response(service, &id))
}

type Act = fn(&mut World, &str, &Form) -> Result<Value, Failure>;

/// Parameters of the query protocol: from the body, or from the address.
fn query(world: &mut World, request: &Request, act: Act) -> Result<(String, Value), Failure> {
    let form = Form::of(request);
    let Some(action) = form.text("Action").map(str::to_owned) else {
        return Err(Failure::new(400, "MissingAction", "The request must contain the parameter Action"));
    };
    let value = act(world, &action, &form)?;
    Ok((action, value))
}

/// Sends a change and waits for its answer.
fn change(world: &mut World, change: Change) -> Result<crate::world::ids::RequestId, Failure> {
    if world.is_full() {
        let message = "The simulation is full: what has happened takes all the memory that it may have.";
        return Err(Failure::new(503, "ServiceUnavailableException", message));
    }
    let id = world.submit(world.served_client(), "", change);
    let latency = world.parameters().api_latency.max(1);
    world.advance(world.now().saturating_add(latency), None);
    match world.answer(id).map(|(_, answer)| answer.clone()) {
        Some(Answer::Done(_)) => Ok(id),
        Some(Answer::Refused(told)) => Err(Failure::told(&told)),
        Some(Answer::NotFound) => Err(Failure::new(404, "ResourceNotFoundException", "it does not exist")),
        Some(Answer::Conflict) => Err(Failure::new(409, "ResourceInUseException", "it has been changed")),
        Some(Answer::RetryLater(_)) => Err(Failure::new(400, "ThrottlingException", "Rate exceeded")),
        None => Err(Failure::new(500, "InternalFailure", "the request was not answered in time")),
    }
}

/// In the form of a UUID; the same request at the same time has the same.
fn request_id(world: &World, request: &Request) -> String {
    let hex = crate::import::aws::hex;
    let (a, b) = (hex(&request.path), hex(&String::from_utf8_lossy(&request.body)));
    format!("{:08x}-{}-4{}-8{}-{}", world.now() as u32, &a[..4], &a[4..7], &a[7..10], &b[..12])
}
