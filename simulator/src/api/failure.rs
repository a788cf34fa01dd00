//! Refusals in the server's form: a Status with code, reason and causes.

use serde_json::{Value, json};

use super::resources::Resource;
use crate::http::Response;

/// One reason for a refusal, at one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The reason's name.
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// Where, if it is about a field.
    pub field: Option<String>,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// HTTP status code.
    pub code: u16,
    /// Reason; empty where the server gives none.
    pub reason: &'static str,
    /// For people.
    pub message: String,
    /// Group, kind or plural, and name of what it is about. Boxed: results should not be as large as their rarest part.
    pub about: Option<Box<(String, String, String)>>,
    /// Causes.
    pub causes: Vec<Cause>,
    /// When to try again, in seconds.
    pub retry_after: Option<u64>,
}

impl Failure {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Failure {
        Failure { code, reason, message: message.into(), about: None, causes: Vec::new(), retry_after: None }
    }

    fn about(mut self, resource: &Resource, what: &str, name: &str) -> Failure {
        self.about = Some(Box::new((resource.group.clone(), what.to_owned(), name.to_owned())));
        self
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Failure {
        Failure::new(400, "BadRequest", message)
    }

    pub(super) fn no_path() -> Failure {
        Failure::new(404, "NotFound", "the server could not find the requested resource")
    }

    pub(super) fn not_found(resource: &Resource, name: &str) -> Failure {
        Failure::new(404, "NotFound", format!("{} \"{name}\" not found", resource.qualified())).about(
            resource,
            &resource.plural,
            name,
        )
    }

    pub(super) fn no_namespace(name: &str) -> Failure {
        let mut failure = Failure::new(404, "NotFound", format!("namespaces \"{name}\" not found"));
        failure.about = Some(Box::new((String::new(), "namespaces".into(), name.into())));
        failure
    }

    pub(super) fn method_not_allowed() -> Failure {
        let message = "the server does not allow this method on the requested resource";
        Failure::new(405, "MethodNotAllowed", message)
    }

    pub(super) fn not_acceptable() -> Failure {
        let message = "only the following media types are accepted: application/json";
        Failure::new(406, "NotAcceptable", message)
    }

    pub(super) fn unsupported_media_type(accepted: &str) -> Failure {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {accepted}"
        );
        Failure::new(415, "UnsupportedMediaType", message)
    }

    pub(super) fn too_large() -> Failure {
        Failure::new(413, "RequestEntityTooLarge", "Request entity too large: limit is 3145728")
    }

    /// What a container would have said.
    pub(super) fn no_logs() -> Failure {
        Failure::new(501, "NotImplemented", "containers of the simulated cluster write no logs")
    }

    /// An object that is larger than what is stored at once. Source: etcd, `ErrGRPCRequestTooLarge`.
    pub(super) fn object_too_large() -> Failure {
        Failure::new(500, "", "etcdserver: request is too large")
    }

    /// The server is full and takes deletions alone. Source: etcd, `ErrGRPCNoSpace`.
    pub(super) fn no_space() -> Failure {
        Failure::new(500, "", "etcdserver: mvcc: database space exceeded")
    }

    pub(super) fn already_exists(resource: &Resource, name: &str) -> Failure {
        Failure::new(409, "AlreadyExists", format!("{} \"{name}\" already exists", resource.qualified()))
            .about(resource, &resource.plural, name)
    }

    pub(super) fn conflict(resource: &Resource, name: &str, why: &str) -> Failure {
        let message = format!("Operation cannot be fulfilled on {} \"{name}\": {why}", resource.qualified());
        Failure::new(409, "Conflict", message).about(resource, &resource.plural, name)
    }

    pub(super) fn modified(resource: &Resource, name: &str) -> Failure {
        let why =
            "the object has been modified; please apply your changes to the latest version and try again";
        Failure::conflict(resource, name, why)
    }

    pub(super) fn apply_conflict(resource: &Resource, name: &str, causes: Vec<Cause>) -> Failure {
        let told: Vec<String> = causes
            .iter()
            .map(|cause| format!("{}: {}", cause.message, cause.field.as_deref().unwrap_or("")))
            .collect();
        let message = match told.as_slice() {
            [one] => format!("Apply failed with 1 conflict: {one}"),
            many => format!("Apply failed with {} conflicts: {}", many.len(), many.join(", ")),
        };
        let mut failure = Failure::new(409, "Conflict", message).about(resource, &resource.plural, name);
        failure.causes = causes;
        failure
    }

    pub(super) fn forbidden(resource: &Resource, name: &str, why: &str) -> Failure {
        let message = format!("{} \"{name}\" is forbidden: {why}", resource.qualified());
        Failure::new(403, "Forbidden", message).about(resource, &resource.plural, name)
    }

    /// A body that is understood and refused; one without causes was refused as a whole.
    pub(super) fn invalid(resource: &Resource, name: &str, causes: Vec<Cause>) -> Failure {
        let told: Vec<String> = causes
            .iter()
            .map(|cause| format!("{}: {}", cause.field.as_deref().unwrap_or(""), cause.message))
            .collect();
        let told = if let [one] = told.as_slice() { one.clone() } else { format!("[{}]", told.join(", ")) };
        let message = format!("{} \"{name}\" is invalid: {told}", resource.qualified_kind());
        let mut failure = Failure::new(422, "Invalid", message).about(resource, &resource.kind, name);
        failure.causes = causes;
        failure
    }

    /// A JSON patch that cannot be applied to the object as it stands.
    pub(super) fn inapplicable() -> Failure {
        Failure::new(422, "Invalid", "the server rejected our request due to an error in our request")
    }

    pub(super) fn expired(version: u64, oldest: u64) -> Failure {
        Failure::new(410, "Expired", format!("too old resource version: {version} ({oldest})"))
    }

    pub(super) fn continue_expired() -> Failure {
        let message = "The provided continue parameter is too old to display a consistent list result. You can start a \
                       new list without the continue parameter.";
        Failure::new(410, "Expired", message)
    }

    pub(super) fn version_too_large(asked: u64, newest: u64) -> Failure {
        let message = format!("Timeout: Too large resource version: {asked}, current: {newest}");
        let mut failure = Failure::new(504, "Timeout", message);
        failure.causes.push(Cause {
            reason: "ResourceVersionTooLarge",
            message: "Too large resource version".into(),
            field: None,
        });
        failure.retry_after = Some(1);
        failure
    }

    /// An eviction that a disruption budget does not allow now. `Retry-After` is sent only where the budget's status is
    /// not yet known.
    pub(super) fn disruption_budget(message: &str, cause: String, retry_after: Option<u64>) -> Failure {
        let mut failure = Failure::new(429, "TooManyRequests", message);
        failure.causes.push(Cause { reason: "DisruptionBudget", message: cause, field: None });
        failure.retry_after = retry_after;
        failure
    }

    /// The server is busy.
    pub(super) fn too_many_requests() -> Failure {
        let mut failure = Failure::new(429, "TooManyRequests", "Too many requests, please try again later.");
        failure.retry_after = Some(1);
        failure
    }

    /// An error of the server without a reason of its own.
    pub(super) fn internal(message: &str) -> Failure {
        Failure::new(500, "", message)
    }

    /// The Status.
    pub fn status(&self) -> Value {
        let mut status = json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message});
        if !self.reason.is_empty() {
            status["reason"] = json!(self.reason);
        }
        let mut details = json!({});
        if let Some((group, kind, name)) = self.about.as_deref() {
            if !name.is_empty() {
                details["name"] = json!(name);
            }
            if !group.is_empty() {
                details["group"] = json!(group);
            }
            details["kind"] = json!(kind);
        }
        if !self.causes.is_empty() {
            details["causes"] = self
                .causes
                .iter()
                .map(|cause| {
                    let mut one = json!({"reason": cause.reason, "message": cause.message});
                    if let Some(field) = &cause.field {
                        one["field"] = json!(field);
                    }
                    one
                })
                .collect();
        }
        if let Some(seconds) = self.retry_after {
            details["retryAfterSeconds"] = json!(seconds);
        }
        if self.about.is_some() || !self.causes.is_empty() || self.retry_after.is_some() || self.code == 404 {
            status["details"] = details;
        }
        status["code"] = json!(self.code);
        status
    }

    /// The answer: the Status, and when to try again.
    pub fn into_response(self) -> Response {
        let mut response = Response::json(self.code, &self.status());
        if let Some(seconds) = self.retry_after {
            response.headers.push(("retry-after", seconds.to_string()));
        }
        response
    }
}
