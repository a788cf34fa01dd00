//! What stands before the API servers of the wire gear: it notes every call, refuses what a role is not granted, and can
//! lose answers.
//!
//! Judges by what is granted, the generated roles and policy themselves, and not by the table that they are made from. It
//! knows of RBAC what those use (no wildcards), and of IAM the actions and the resources of EKS; conditions are not judged:
//! what they are about is not in the request.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Mutex, PoisonError},
};

use migrator::permissions::{self, Account, Manifest, Role};
use serde_json::{Value, json};
use simulator::{
    aws_api::Service,
    http::{Method, Request, Response},
};

/// Whoever is let in is of this group.
const GROUP: &str = "nodeferry";

/// A gate before the API servers.
#[derive(Debug, Default)]
pub struct Gate {
    granted: Option<Granted>,
    loses: bool,
    noted: Mutex<Noted>,
}

#[derive(Debug)]
struct Granted {
    manifests: Vec<Manifest>,
    policy: Value,
}

#[derive(Debug, Default)]
struct Noted {
    calls: BTreeSet<String>,
    refused: BTreeSet<String>,
    /// Writes whose answer was lost, and how often.
    lost: BTreeMap<String, u32>,
}

/// A call to Kubernetes, as it is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    verb: String,
    group: String,
    /// With its subresource.
    resource: String,
    namespace: String,
    name: String,
    /// It is no resource but this path.
    path: Option<String>,
}

impl Gate {
    /// Lets everything pass.
    pub fn open() -> Gate {
        Gate::default()
    }

    /// Lets pass what a role is granted in the cluster `cluster`.
    pub fn of(role: Role, cluster: &str) -> Gate {
        let account = Account {
            region: "eu-central-1".to_owned(),
            account: "111122223333".to_owned(),
            cluster: cluster.to_owned(),
            node_role: "*".to_owned(),
        };
        let granted =
            Granted { manifests: permissions::rbac(role, GROUP), policy: permissions::iam(role, &account) };
        Gate { granted: Some(granted), ..Gate::default() }
    }

    /// Lets the same pass, but takes what it grants of one resource or one action away.
    #[must_use]
    pub fn without(mut self, what: &str) -> Gate {
        if let Some(granted) = &mut self.granted {
            for manifest in &mut granted.manifests {
                let rules = match manifest {
                    Manifest::ClusterRole(role) => &mut role.rules,
                    Manifest::Role(role) => &mut role.rules,
                    Manifest::ClusterRoleBinding(_) | Manifest::RoleBinding(_) => continue,
                };
                for resources in rules.iter_mut().flatten().filter_map(|rule| rule.resources.as_mut()) {
                    resources.retain(|one| one != what);
                }
            }
            let statements = granted.policy["Statement"].as_array_mut();
            for actions in statements.into_iter().flatten().filter_map(|one| one["Action"].as_array_mut()) {
                actions.retain(|one| one != what);
            }
        }
        self
    }

    /// Loses the answer to the first write of each kind, after it took effect.
    #[must_use]
    pub fn losing_answers(self) -> Gate {
        Gate { loses: true, ..self }
    }

    /// Every call that was made, as the table of permissions names it.
    pub fn calls(&self) -> BTreeSet<String> {
        self.noted().calls.clone()
    }

    /// The calls that were refused.
    pub fn refused(&self) -> BTreeSet<String> {
        self.noted().refused.clone()
    }

    fn noted(&self) -> std::sync::MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a request for Kubernetes that does not pass. A review of what the asker may do is answered here too.
    pub(super) fn kubernetes(&self, request: &Request) -> Option<Response> {
        let asked = Asked::of(request);
        self.noted().calls.insert(asked.shown());
        let granted = self.granted.as_ref()?;
        if !granted.allows(&asked) {
            self.noted().refused.insert(asked.shown());
            return Some(forbidden(&asked));
        }
        (asked.resource == "selfsubjectaccessreviews").then(|| {
            let mut review: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let allowed = granted.allows(&Asked::reviewed(&review));
            review["metadata"] = json!({});
            review["status"] = json!({ "allowed": allowed });
            Response::json(201, &review)
        })
    }

    /// The answer to a request for AWS that does not pass.
    pub(super) fn aws(&self, request: &Request) -> Option<Response> {
        let (service, action, resource) = aws_action(request)?;
        let rehearsed = String::from_utf8_lossy(&request.body).contains("DryRun=true");
        if !rehearsed {
            self.noted().calls.insert(action.clone());
        }
        let granted = self.granted.as_ref()?;
        if granted.allows_action(&action, resource.as_deref()) {
            return None;
        }
        self.noted().refused.insert(action.clone());
        Some(access_denied(service, &action))
    }

    /// What of an answer comes back.
    pub(super) fn answered(&self, request: &Request, response: Response) -> Response {
        if !self.loses || request.method == Method::Get || response.code >= 300 {
            return response;
        }
        let asked = Asked::of(request);
        if asked.resource == "selfsubjectaccessreviews" {
            return response;
        }
        let mut noted = self.noted();
        let times = noted.lost.entry(asked.shown()).or_default();
        *times += 1;
        if *times == 1 { Response::text(504, "the answer was lost") } else { response }
    }
}

impl Granted {
    fn allows(&self, asked: &Asked) -> bool {
        self.manifests.iter().any(|manifest| {
            let within = match manifest {
                Manifest::Role(role) => role.metadata.namespace.as_deref() == Some(&*asked.namespace),
                _ => true,
            };
            within && manifest.rules().iter().any(|rule| rule_allows(rule, asked))
        })
    }

    fn allows_action(&self, action: &str, resource: Option<&str>) -> bool {
        let statements = self.policy["Statement"].as_array().into_iter().flatten();
        statements.clone().any(|statement| {
            let named = statement["Action"].as_array().is_some_and(|all| all.iter().any(|one| one == action));
            let all = &statement["Resource"];
            let matches = |one: &Value| {
                one.as_str().is_some_and(|pattern| {
                    pattern == "*" || resource.is_none_or(|resource| glob(pattern, resource))
                })
            };
            named && (matches(all) || all.as_array().is_some_and(|all| all.iter().any(matches)))
        })
    }
}

fn rule_allows(rule: &k8s_openapi::api::rbac::v1::PolicyRule, asked: &Asked) -> bool {
    let has = |all: &Option<Vec<String>>, one: &str| {
        all.as_ref().is_some_and(|all| all.iter().any(|has| has == one))
    };
    if !rule.verbs.contains(&asked.verb) {
        return false;
    }
    if let Some(path) = &asked.path {
        return rule.non_resource_urls.iter().flatten().any(|pattern| glob(pattern, path));
    }
    has(&rule.api_groups, &asked.group)
        && has(&rule.resources, &asked.resource)
        && (rule.resource_names.is_none() || has(&rule.resource_names, &asked.name))
}

/// Whether a pattern with at most one star at its end fits.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => text.starts_with(beginning),
        None => pattern == text,
    }
}

impl Asked {
    /// As the API server takes a request apart. Source: `apiserver/pkg/endpoints/request/requestinfo.go`.
    fn of(request: &Request) -> Asked {
        let segments = request.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let (group, rest) = match segments.as_slice() {
            ["api", _version, rest @ ..] if !rest.is_empty() => ("", rest),
            ["apis", group, _version, rest @ ..] if !rest.is_empty() => (*group, rest),
            _ => {
                return Asked {
                    verb: "get".to_owned(),
                    group: String::new(),
                    resource: String::new(),
                    namespace: String::new(),
                    name: String::new(),
                    path: Some(request.path.clone()),
                };
            }
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let resource = rest.first().copied().unwrap_or_default();
        let mut name = rest.get(1).copied().unwrap_or_default().to_owned();
        let many = name.is_empty();
        if many
            && let Some(selected) = request.parameter("fieldSelector")
            && let Some(only) = selected.strip_prefix("metadata.name=")
        {
            only.clone_into(&mut name);
        }
        let verb = match request.method {
            Method::Get if request.flag("watch") => "watch",
            Method::Get if many => "list",
            Method::Get => "get",
            Method::Post => "create",
            Method::Put => "update",
            Method::Patch => "patch",
            Method::Delete if many => "deletecollection",
            Method::Delete => "delete",
        };
        let resource = rest.get(2).map_or(resource.to_owned(), |sub| format!("{resource}/{sub}"));
        Asked {
            verb: verb.to_owned(),
            group: group.to_owned(),
            resource,
            namespace: namespace.to_owned(),
            name,
            path: None,
        }
    }

    /// What a SelfSubjectAccessReview asks for.
    fn reviewed(review: &Value) -> Asked {
        let of =
            |kind: &str, field: &str| review["spec"][kind][field].as_str().unwrap_or_default().to_owned();
        let attribute = |field: &str| of("resourceAttributes", field);
        let (resource, subresource) = (attribute("resource"), attribute("subresource"));
        let path = review["spec"].get("nonResourceAttributes").is_some_and(Value::is_object);
        Asked {
            verb: if path { of("nonResourceAttributes", "verb") } else { attribute("verb") },
            group: attribute("group"),
            resource: if subresource.is_empty() { resource } else { format!("{resource}/{subresource}") },
            namespace: attribute("namespace"),
            name: attribute("name"),
            path: path.then(|| of("nonResourceAttributes", "path")),
        }
    }

    /// As the table names it: the most exact row that is there.
    fn shown(&self) -> String {
        if let Some(path) = &self.path {
            let path = if path.starts_with("/apis/") { "/apis/*" } else { path };
            return format!("get {path}");
        }
        let group = if self.group.is_empty() { String::new() } else { format!("{}/", self.group) };
        let of = format!("{} {group}{}", self.verb, self.resource);
        let own = self.namespace == migrator::names::NAMESPACE;
        match self.resource.as_str() {
            "configmaps" | "leases" | "events" if own && self.verb == "create" => {
                format!("{of} in {}", self.namespace)
            }
            "configmaps" | "leases" if own => format!("{of} {}/{}", self.namespace, self.name),
            _ => of,
        }
    }
}

/// In the words of the API server. Source: `apiserver/pkg/endpoints/handlers/responsewriters/errors.go`.
fn forbidden(asked: &Asked) -> Response {
    let message = format!(
        "{} \"{}\" is forbidden: User \"somebody\" cannot {} resource \"{}\" in API group \"{}\"",
        asked.resource, asked.name, asked.verb, asked.resource, asked.group
    );
    Response::json(
        403,
        &json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
                 "reason": "Forbidden", "code": 403 }),
    )
}

/// Service, action as policies name it, and for EKS the resource.
fn aws_action(request: &Request) -> Option<(Service, String, Option<String>)> {
    let service = Service::of(request)?;
    let prefix = match service {
        Service::Eks => "eks",
        Service::Ec2 => "ec2",
        Service::AutoScaling => "autoscaling",
        Service::ElasticLoadBalancing => "elasticloadbalancing",
        Service::Sts => "sts",
    };
    let eks = |kind: &str, name: &str| format!("arn:aws:eks:eu-central-1:111122223333:{kind}/{name}");
    if service != Service::Eks {
        let body = String::from_utf8_lossy(&request.body);
        let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="))?;
        return Some((service, format!("{prefix}:{action}"), None));
    }
    let segments = request.segments();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    // Source: EKS API, request syntax of its operations.
    let (action, resource) = match (request.method, segments.as_slice()) {
        (Method::Get, ["clusters"]) => ("ListClusters", None),
        (Method::Get, ["clusters", cluster]) => ("DescribeCluster", Some(eks("cluster", cluster))),
        (Method::Get, ["clusters", cluster, "node-groups"]) => {
            ("ListNodegroups", Some(eks("cluster", cluster)))
        }
        (Method::Post, ["clusters", cluster, "node-groups"]) => {
            ("CreateNodegroup", Some(eks("cluster", cluster)))
        }
        (method, ["clusters", cluster, "node-groups", group, ..]) => {
            let action = match method {
                Method::Get => "DescribeNodegroup",
                Method::Delete => "DeleteNodegroup",
                _ => "UpdateNodegroupConfig",
            };
            (action, Some(eks("nodegroup", &format!("{cluster}/{group}/0"))))
        }
        _ => ("Unknown", None),
    };
    Some((service, format!("eks:{action}"), resource))
}

/// In the form of each protocol. Source: EKS and Query APIs' common errors; EC2 API error codes.
fn access_denied(service: Service, action: &str) -> Response {
    let message = format!("User: somebody is not authorized to perform: {action}");
    let xml = |body: String| Response::new(403, "text/xml", body.into_bytes());
    match service {
        Service::Eks => {
            let mut response = Response::json(403, &json!({ "message": message }));
            response.headers = vec![("x-amzn-errortype", "AccessDeniedException".to_owned())];
            response
        }
        Service::Ec2 => xml(format!(
            "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>{message}</Message></Error></Errors>\
             <RequestID>0</RequestID></Response>"
        )),
        Service::AutoScaling | Service::ElasticLoadBalancing | Service::Sts => xml(format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{message}</Message></Error>\
             <RequestId>0</RequestId></ErrorResponse>"
        )),
    }
}
