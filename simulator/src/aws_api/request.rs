//! Requests and answers as every transport brings and takes them, and which service a request is signed for.

use super::form::percent_decode;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are HTTP's own")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// A service that is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are AWS' own")]
pub enum Service {
    Eks,
    Ec2,
    AutoScaling,
    ElasticLoadBalancing,
    Sts,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path, percent-encoded as it came.
    pub path: String,
    /// Parameters of the address, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Header `Authorization`.
    pub authorization: String,
    /// Body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request from a path with parameters.
    pub fn new(method: Method, target: &str, authorization: &str, body: Vec<u8>) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Request {
            method,
            path: path.into(),
            query: super::form::parameters(query),
            authorization: authorization.into(),
            body,
        }
    }

    /// The service in the signature's scope: `Credential=ID/20261128/eu-central-1/eks/aws4_request`.
    /// Source: AWS documentation, "Signature Version 4".
    pub fn service(&self) -> Option<Service> {
        let fields = self.authorization.strip_prefix("AWS4-HMAC-SHA256")?;
        let credential = fields.split(',').find_map(|field| field.trim().strip_prefix("Credential="))?;
        // The id may hold slashes; the scope is what stands last.
        match credential.rsplit('/').nth(1)? {
            "eks" => Some(Service::Eks),
            "ec2" => Some(Service::Ec2),
            "autoscaling" => Some(Service::AutoScaling),
            "elasticloadbalancing" => Some(Service::ElasticLoadBalancing),
            "sts" => Some(Service::Sts),
            _ => None,
        }
    }

    /// The parts of the path, decoded.
    pub(super) fn segments(&self) -> Vec<String> {
        self.path.split('/').filter(|part| !part.is_empty()).map(percent_decode).collect()
    }

    /// The first value of a parameter; an empty one counts as absent.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        let named = self.query.iter().find(|(key, _)| key == name);
        named.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub code: u16,
    /// `Content-Type`.
    pub content_type: &'static str,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
}
