//! What befalls requests on their way, and the processes that make them.

use std::{
    fmt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
};

use simulator::{
    api, aws_api,
    http::{Method, Request, Response},
    world::Time,
};

/// A request as it leaves its process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Its number among all requests of the run, from 0.
    pub number: usize,
    /// Which process makes it, in the order in which they began.
    pub process: usize,
    /// When, in milliseconds since the start of the run.
    pub at: Time,
    /// What is asked, without the names of objects: `PATCH deployments`, `WATCH pods`, `EC2 CreateLaunchTemplate`.
    pub site: String,
    /// It is for AWS.
    pub aws: bool,
    /// It changes something.
    pub mutates: bool,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It is answered.
    Served,
    /// It is answered with an error and does nothing.
    Refused(Refusal),
    /// It does nothing and is never answered.
    Lost,
    /// It is served, and its answer never comes.
    Unanswered,
    /// The connection breaks, after or before it was served.
    Broken {
        /// Whether it was served.
        served: bool,
    },
    /// It lies on the way for so many milliseconds and is served then, whether or not anybody still waits.
    Delayed(Time),
    /// A watch that is begun and never says anything.
    Silent,
    /// Its process dies.
    Dies(When),
    /// Its process stands still for so many milliseconds and then goes on as if nothing had been; meanwhile another one is
    /// started.
    Stands(When, Time),
}

/// At which point of a request something befalls its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Before it takes effect.
    Before,
    /// After it took effect, before its answer.
    Served,
    /// After its answer.
    Answered,
}

/// An error that a server answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Kubernetes, 409 `Conflict`.
    Conflict,
    /// Kubernetes, 429 `TooManyRequests`, to be tried again in a second.
    TooManyRequests,
    /// Kubernetes, 500.
    Internal,
    /// Kubernetes, 503 `ServiceUnavailable`.
    Unavailable,
    /// Kubernetes, 410 `Expired`.
    Expired,
    /// Kubernetes, 403 `Forbidden`; AWS, what the service says of missing permissions.
    Denied,
    /// AWS, each service in its own words.
    Throttled,
    /// AWS, 500 `InternalFailure`.
    InternalFailure,
    /// AWS, an update or a change is under way already.
    InUse,
}

impl Refusal {
    /// The answer. Sources: `apimachinery/pkg/api/errors`; common errors of the EKS, EC2, Auto Scaling and Elastic Load
    /// Balancing APIs.
    fn answer(self, request: &Request) -> Response {
        let kubernetes = |code, reason, message: &str, retry_after| {
            let causes = Vec::new();
            api::Failure { code, reason, message: message.to_owned(), about: None, causes, retry_after }
                .into_response()
        };
        let aws = |code, name, message| aws_api::refusal(request, code, name, message);
        match self {
            Refusal::Conflict => kubernetes(409, "Conflict", "the object has been modified", None),
            Refusal::TooManyRequests => api::too_many_requests(),
            Refusal::Internal => {
                kubernetes(500, "InternalError", "an error on the server has prevented the request", None)
            }
            Refusal::Unavailable => kubernetes(
                503,
                "ServiceUnavailable",
                "the server is currently unable to handle the request",
                None,
            ),
            Refusal::Expired => kubernetes(410, "Expired", "too old resource version: 1 (2)", None),
            Refusal::Denied if !aws_api::is_meant(request) => {
                kubernetes(403, "Forbidden", "User \"nodeferry\" cannot do this", None)
            }
            Refusal::Denied => match aws_api::Service::of(request) {
                Some(aws_api::Service::Eks) => {
                    aws(403, "AccessDeniedException", "not authorized to perform this action")
                }
                Some(aws_api::Service::Ec2) => {
                    aws(403, "UnauthorizedOperation", "You are not authorized to perform this operation.")
                }
                _ => aws(403, "AccessDenied", "User is not authorized to perform this action"),
            },
            Refusal::Throttled => aws_api::throttled(request),
            Refusal::InternalFailure => aws(500, "InternalFailure", "an unknown error has occurred"),
            Refusal::InUse => match aws_api::Service::of(request) {
                Some(aws_api::Service::Eks) => {
                    aws(409, "ResourceInUseException", "it has an update in progress")
                }
                Some(aws_api::Service::AutoScaling) => {
                    aws(400, "ScalingActivityInProgress", "a scaling activity is in progress")
                }
                _ => aws(400, "ResourceInUse", "it is in use"),
            },
        }
    }
}

/// Decides about each request.
pub type Script = dyn FnMut(&Call) -> Fate + Send;

/// The script, and how many requests it has decided about.
pub(super) struct Faults {
    script: Box<Script>,
    calls: usize,
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("calls", &self.calls).finish_non_exhaustive()
    }
}

impl Faults {
    pub(super) fn new(script: Box<Script>) -> Faults {
        Faults { script, calls: 0 }
    }

    pub(super) fn fate(&mut self, process: usize, at: Time, request: &Request) -> Fate {
        let aws = aws_api::is_meant(request);
        let (site, mutates) = if aws { aws_site(request) } else { kubernetes_site(request) };
        let call = Call { number: self.calls, process, at, site, aws, mutates };
        self.calls += 1;
        (self.script)(&call)
    }
}

/// The answer that stands in place of the server's own.
pub(super) fn refused(refusal: Refusal, request: &Request) -> Response {
    refusal.answer(request)
}

/// `PATCH deployments`, `POST pods/eviction`, `WATCH nodes`.
fn kubernetes_site(request: &Request) -> (String, bool) {
    let segments = request.segments();
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    // Behind `/api/v1` or `/apis/group/version`, and behind a namespace.
    let rest = match parts.as_slice() {
        ["api", _, rest @ ..] | ["apis", _, _, rest @ ..] => rest,
        other => other,
    };
    let rest = match rest {
        ["namespaces", _, rest @ ..] if !rest.is_empty() => rest,
        other => other,
    };
    let resource = match rest {
        [] => parts.first().copied().unwrap_or("/").to_owned(),
        [resource, _, subresource, ..] => format!("{resource}/{subresource}"),
        [resource, ..] => (*resource).to_owned(),
    };
    let verb = match request.method {
        Method::Get if request.flag("watch") => "WATCH",
        Method::Get if rest.len() == 1 => "LIST",
        Method::Get => "GET",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
    };
    (format!("{verb} {resource}"), request.method != Method::Get)
}

/// `EKS POST node-groups/update-config`, `EC2 CreateLaunchTemplate`.
fn aws_site(request: &Request) -> (String, bool) {
    let service = match aws_api::Service::of(request) {
        Some(aws_api::Service::Eks) | None => {
            // /clusters/NAME/node-groups/NAME/update-config
            let segments = request.segments();
            let resources: Vec<&str> = segments.iter().step_by(2).map(String::as_str).collect();
            let site = format!("EKS {:?} {}", request.method, resources.join("/"));
            return (site, request.method != Method::Get);
        }
        Some(aws_api::Service::Ec2) => "EC2",
        Some(aws_api::Service::AutoScaling) => "AutoScaling",
        Some(aws_api::Service::ElasticLoadBalancing) => "ElasticLoadBalancing",
        Some(aws_api::Service::Sts) => "STS",
    };
    let body = String::from_utf8_lossy(&request.body);
    let form = simulator::http::parameters(&body);
    let action = form.iter().find(|(key, _)| key == "Action").map_or("", |(_, value)| value.as_str());
    (format!("{service} {action}"), !action.starts_with("Describe"))
}

/// A process' access to the servers.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Its number.
    pub(super) process: usize,
    cut: AtomicBool,
    /// Until when it stands still, plus one; 0 where it does not.
    stands_until: AtomicU64,
}

impl Line {
    pub(super) fn new(process: usize) -> Line {
        Line { process, ..Line::default() }
    }

    pub(super) fn cut(&self) {
        self.cut.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Relaxed)
    }

    pub(super) fn stand_until(&self, at: Time) {
        self.stands_until.store(at.saturating_add(1), Ordering::Relaxed);
    }

    pub(super) fn stands_until(&self) -> Option<Time> {
        self.stands_until.load(Ordering::Relaxed).checked_sub(1)
    }

    pub(super) fn go_on(&self) {
        self.stands_until.store(0, Ordering::Relaxed);
    }
}
