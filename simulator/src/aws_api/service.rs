//! Which service a request is for: what its signature's scope says.

use crate::http::Request;

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

impl Service {
    /// The service in the signature's scope: `Credential=ID/20261128/eu-central-1/eks/aws4_request`.
    /// Source: AWS documentation, "Signature Version 4".
    pub fn of(request: &Request) -> Option<Service> {
        let fields = request.authorization.strip_prefix("AWS4-HMAC-SHA256")?;
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
}
