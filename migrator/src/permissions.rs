//! What a migration asks of Kubernetes and AWS, call by call, with the lowest role that makes the call.
//!
//! The table is exact: the scenarios run whole migrations against API servers that refuse what it does not allow, and miss
//! what nobody calls. What is granted follows from it, for Kubernetes in [`rbac`], for AWS in [`iam`]. It says nothing about
//! who asks: how an identity gets a role is the cluster's and the account's own affair.

use crate::{names, plan::PLAN_TAG};

mod iam;
mod rbac;
#[cfg(test)]
mod tests;

pub use iam::{Account, iam};
pub use rbac::{Manifest, rbac};

/// What somebody may do. Each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// `preflight` and `status`: sees, and changes nothing.
    Observe,
    /// `plan`: as yet nothing that [`Role::Observe`] may not; a role of its own, so that what is granted for it need not be
    /// granted anew when that changes.
    Plan,
    /// `migrate`, with every kind of dry run that a server takes part in, `resume`, `pause`, `rollback` and `unlock`.
    Apply,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Role; 3] = [Role::Observe, Role::Plan, Role::Apply];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            Role::Observe => "observe",
            Role::Plan => "plan",
            Role::Apply => "apply",
        }
    }
}

/// Which objects a call to Kubernetes is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Those of the whole cluster.
    Cluster,
    /// Those of the namespace in which a migration keeps what must outlive it. Whatever creates an object is granted for
    /// the namespace: the name is not known when it is judged. Source: Kubernetes documentation, "Using RBAC
    /// Authorization", referring to resources.
    Namespace,
    /// One object of that namespace. A list and a watch are judged by it where they select `metadata.name`. Source: the
    /// same place.
    Named(&'static str),
    /// No resource but a path of the API server.
    Path,
}

/// What follows where a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// The command cannot be carried out.
    Must,
    /// The same, where the cluster serves the API group; elsewhere it is not asked for.
    WhereServed,
    /// It is done without.
    Spared,
}

/// One call to Kubernetes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KubernetesCall {
    /// API group; empty for the first one.
    pub group: &'static str,
    /// Resource in the plural, or the path.
    pub resource: &'static str,
    /// Subresource; empty for the object itself.
    pub subresource: &'static str,
    /// Verb, as RBAC has it.
    pub verb: &'static str,
    /// Which objects.
    pub place: Place,
    /// The lowest role that makes it.
    pub role: Role,
    /// What follows where it is refused.
    pub need: Need,
}

impl KubernetesCall {
    /// The resource with its subresource, as RBAC writes both: `pods/eviction`.
    pub fn resources(&self) -> String {
        if self.subresource.is_empty() {
            self.resource.to_owned()
        } else {
            format!("{}/{}", self.resource, self.subresource)
        }
    }

    /// In a few words: `patch apps/deployments`, `update configmaps kube-system/nodeferry-journal`.
    pub fn shown(&self) -> String {
        let group = if self.group.is_empty() { String::new() } else { format!("{}/", self.group) };
        let of = format!("{} {group}{}", self.verb, self.resources());
        match self.place {
            Place::Cluster | Place::Path => of,
            Place::Namespace => format!("{of} in {}", names::NAMESPACE),
            Place::Named(name) => format!("{of} {}/{name}", names::NAMESPACE),
        }
    }
}

/// Calls of one resource, that are alike but for the verb.
struct Row {
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    place: Place,
    role: Role,
    need: Need,
}

const fn row(
    role: Role,
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    place: Place,
) -> Row {
    Row { group, resource, verbs, place, role, need: Need::Must }
}

const fn counted(group: &'static str, resource: &'static str) -> Row {
    let (role, place) = (Role::Observe, Place::Cluster);
    Row { group, resource, verbs: &["list"], place, role, need: Need::WhereServed }
}

/// One watch for each kind that a decision reads.
const SEEN: &[&str] = &["list", "watch"];

/// A patch, and a read of what became of one whose answer was lost.
const CHANGED: &[&str] = &["get", "patch"];

const KUBERNETES: &[Row] = &[
    // Which version answers, and which groups it serves.
    row(Role::Observe, "", "/version", &["get"], Place::Path),
    row(Role::Observe, "", "/apis", &["get"], Place::Path),
    row(Role::Observe, "", "/apis/*", &["get"], Place::Path),
    row(Role::Observe, "", "nodes", SEEN, Place::Cluster),
    row(Role::Observe, "", "pods", SEEN, Place::Cluster),
    row(Role::Observe, "", "services", SEEN, Place::Cluster),
    row(Role::Observe, "", "resourcequotas", SEEN, Place::Cluster),
    row(Role::Observe, "", "persistentvolumeclaims", SEEN, Place::Cluster),
    row(Role::Observe, "", "persistentvolumes", SEEN, Place::Cluster),
    row(Role::Observe, "apps", "deployments", SEEN, Place::Cluster),
    row(Role::Observe, "apps", "replicasets", SEEN, Place::Cluster),
    row(Role::Observe, "apps", "statefulsets", SEEN, Place::Cluster),
    row(Role::Observe, "apps", "daemonsets", SEEN, Place::Cluster),
    row(Role::Observe, "autoscaling", "horizontalpodautoscalers", SEEN, Place::Cluster),
    row(Role::Observe, "policy", "poddisruptionbudgets", SEEN, Place::Cluster),
    row(Role::Observe, "", "configmaps", SEEN, Place::Named(names::JOURNAL)),
    row(Role::Observe, "coordination.k8s.io", "leases", SEEN, Place::Named(names::LEASE)),
    // Findings count them: who else may change what is moved.
    counted("argoproj.io", "applications"),
    counted("helm.toolkit.fluxcd.io", "helmreleases"),
    counted("karpenter.sh", "nodepools"),
    counted("kustomize.toolkit.fluxcd.io", "kustomizations"),
    counted("networking.k8s.io", "ingresses"),
    counted("autoscaling.k8s.io", "verticalpodautoscalers"),
    // Findings look for the new nodes' role in it.
    Row { need: Need::Spared, ..row(Role::Observe, "", "configmaps", &["get"], Place::Named("aws-auth")) },
    // Findings ask whether the rest of this table is allowed.
    row(Role::Observe, "authorization.k8s.io", "selfsubjectaccessreviews", &["create"], Place::Cluster),
    // The lock: taken, renewed, given back, and read before every write.
    row(Role::Apply, "coordination.k8s.io", "leases", &["create"], Place::Namespace),
    row(Role::Apply, "coordination.k8s.io", "leases", CHANGED, Place::Named(names::LEASE)),
    // The journal, which is replaced whole.
    row(Role::Apply, "", "configmaps", &["create"], Place::Namespace),
    row(Role::Apply, "", "configmaps", &["get", "update"], Place::Named(names::JOURNAL)),
    // Taints, cordons, the exclude label, and the marks beside them.
    row(Role::Apply, "", "nodes", CHANGED, Place::Cluster),
    // Deletion costs.
    row(Role::Apply, "", "pods", CHANGED, Place::Cluster),
    row(Role::Apply, "", "pods/eviction", &["create"], Place::Cluster),
    // Replicas; the mark that is copied onto ReplicaSets is taken from them again.
    row(Role::Apply, "apps", "deployments", CHANGED, Place::Cluster),
    row(Role::Apply, "apps", "replicasets", CHANGED, Place::Cluster),
    row(Role::Apply, "autoscaling", "horizontalpodautoscalers", CHANGED, Place::Cluster),
    Row { need: Need::Spared, ..row(Role::Apply, "", "events", &["create"], Place::Namespace) },
];

/// Every call to Kubernetes, in the table's order.
pub fn kubernetes() -> impl Iterator<Item = KubernetesCall> {
    KUBERNETES.iter().flat_map(|row| {
        let split = if matches!(row.place, Place::Path) { None } else { row.resource.split_once('/') };
        let (resource, subresource) = split.unwrap_or((row.resource, ""));
        row.verbs.iter().map(move |verb| KubernetesCall {
            group: row.group,
            resource,
            subresource,
            verb,
            place: row.place,
            role: row.role,
            need: row.need,
        })
    })
}

/// What an AWS policy can limit an action to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Limit {
    /// To nothing: the action knows no resources.
    None,
    /// To the EKS cluster.
    Cluster,
    /// To node groups of the cluster.
    NodeGroups,
    /// To Auto Scaling groups of the cluster, which EKS tags with its name.
    ScalingGroups,
    /// To launch templates of the account and region.
    Templates,
    /// To launch templates that carry the mark of a migration.
    OwnTemplates,
    /// To tags that are given while a launch template is created.
    TemplateTags,
    /// To tags that are given while an instance is launched, on what is launched with it.
    LaunchTags,
    /// To the role of the nodes.
    NodeRole,
    /// To the role of the nodes, handed to EKS.
    NodeRoleToEks,
}

/// One action of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AwsCall {
    /// The service, as policies name it.
    pub service: &'static str,
    /// The action.
    pub action: &'static str,
    /// What it can be limited to.
    pub limit: Limit,
    /// The lowest role that needs it.
    pub role: Role,
    /// The action that needs it, where it is not called but wanted of whoever calls that one.
    pub implied_by: Option<&'static str>,
}

impl AwsCall {
    /// As policies write it: `eks:DeleteNodegroup`.
    pub fn shown(&self) -> String {
        format!("{}:{}", self.service, self.action)
    }
}

const fn read(service: &'static str, action: &'static str, limit: Limit) -> AwsCall {
    AwsCall { service, action, limit, role: Role::Observe, implied_by: None }
}

const fn write(service: &'static str, action: &'static str, limit: Limit) -> AwsCall {
    AwsCall { service, action, limit, role: Role::Apply, implied_by: None }
}

const fn implied(by: &'static str, service: &'static str, action: &'static str, limit: Limit) -> AwsCall {
    AwsCall { service, action, limit, role: Role::Apply, implied_by: Some(by) }
}

const ELB: &str = "elasticloadbalancing";

/// Every action of AWS.
///
/// Which actions know resources, and which conditions: service authorization references of EKS, EC2, EC2 Auto Scaling and
/// Elastic Load Balancing. Its implied rows: EC2 user guide, "IAM permissions required for Amazon EC2 launch templates"
/// (tags at creation, `RunInstances` of whoever uses a template); EKS user guide, "Amazon EKS identity-based policy
/// examples" (`PassRole`, to EKS); terraform-aws-modules/terraform-aws-eks issue 2018 (`GetRole`).
pub const AWS: &[AwsCall] = &[
    read("eks", "ListClusters", Limit::None),
    read("eks", "DescribeCluster", Limit::Cluster),
    read("eks", "ListAccessEntries", Limit::Cluster),
    read("eks", "ListNodegroups", Limit::Cluster),
    read("eks", "DescribeNodegroup", Limit::NodeGroups),
    read("ec2", "DescribeLaunchTemplates", Limit::None),
    read("ec2", "DescribeLaunchTemplateVersions", Limit::None),
    read("ec2", "DescribeSubnets", Limit::None),
    read("autoscaling", "DescribeAutoScalingGroups", Limit::None),
    read(ELB, "DescribeLoadBalancers", Limit::None),
    read(ELB, "DescribeLoadBalancerAttributes", Limit::None),
    read(ELB, "DescribeListeners", Limit::None),
    read(ELB, "DescribeListenerAttributes", Limit::None),
    read(ELB, "DescribeTargetGroups", Limit::None),
    read(ELB, "DescribeTargetGroupAttributes", Limit::None),
    read(ELB, "DescribeTargetHealth", Limit::None),
    write("eks", "CreateNodegroup", Limit::Cluster),
    write("eks", "UpdateNodegroupConfig", Limit::NodeGroups),
    write("eks", "DeleteNodegroup", Limit::NodeGroups),
    write("ec2", "CreateLaunchTemplate", Limit::Templates),
    write("ec2", "DeleteLaunchTemplate", Limit::OwnTemplates),
    write("autoscaling", "SuspendProcesses", Limit::ScalingGroups),
    write("autoscaling", "ResumeProcesses", Limit::ScalingGroups),
    implied("ec2:CreateLaunchTemplate", "ec2", "CreateTags", Limit::TemplateTags),
    implied("eks:CreateNodegroup", "ec2", "RunInstances", Limit::None),
    implied("eks:CreateNodegroup", "ec2", "CreateTags", Limit::LaunchTags),
    implied("eks:CreateNodegroup", "eks", "TagResource", Limit::NodeGroups),
    implied("eks:CreateNodegroup", "iam", "GetRole", Limit::NodeRole),
    implied("eks:CreateNodegroup", "iam", "PassRole", Limit::NodeRoleToEks),
];

/// What a preflight learned of the permissions that a migration needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Review {
    /// What is refused, as [`KubernetesCall::shown`] and [`AwsCall::shown`] name it.
    pub missing: Vec<String>,
    /// What could not be asked, and why, in the server's words.
    pub unanswered: Vec<(String, String)>,
    /// What there is no way to ask but to do it.
    pub unasked: Vec<String>,
}

/// The mark that limits who may delete a launch template.
const MARK: &str = PLAN_TAG;
