//! A policy for AWS.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{AWS, Limit, MARK, Role};

/// What a policy's resources are named by. Where something is not known, a word in capitals holds its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The region.
    pub region: String,
    /// The account's number.
    pub account: String,
    /// Name of the EKS cluster.
    pub cluster: String,
    /// ARN of the role of the nodes.
    pub node_role: String,
}

impl Default for Account {
    fn default() -> Self {
        Account {
            region: "REGION".to_owned(),
            account: "ACCOUNT".to_owned(),
            cluster: "CLUSTER".to_owned(),
            node_role: "NODE_ROLE_ARN".to_owned(),
        }
    }
}

impl Account {
    fn arn(&self, service: &str, resource: &str) -> String {
        // Source: AWS documentation, "IAM identifiers", partitions.
        let partition = match self.region.as_str() {
            region if region.starts_with("cn-") => "aws-cn",
            region if region.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        format!("arn:{partition}:{service}:{}:{}:{resource}", self.region, self.account)
    }

    /// Id, resources and condition of the statement for what is limited so.
    fn limits(&self, limit: Limit) -> (&'static str, Value, Value) {
        let templates = || self.arn("ec2", "launch-template/*");
        let created_by = |action: &str| json!({ "StringEquals": { "ec2:CreateAction": action } });
        match limit {
            // What EKS checks before it takes a launch template shows EC2 no key of the template: conditions on it refuse
            // the creation. Source: field reports of the same check by CreateAutoScalingGroup.
            Limit::None => ("Everywhere", json!("*"), Value::Null),
            Limit::Cluster => {
                ("Cluster", json!(self.arn("eks", &format!("cluster/{}", self.cluster))), Value::Null)
            }
            Limit::NodeGroups => {
                ("NodeGroups", json!(self.arn("eks", &format!("nodegroup/{}/*", self.cluster))), Value::Null)
            }
            Limit::ScalingGroups => (
                "ScalingGroups",
                json!(self.arn("autoscaling", "autoScalingGroup:*:autoScalingGroupName/eks-*")),
                json!({ "StringEquals": { "aws:ResourceTag/eks:cluster-name": self.cluster } }),
            ),
            Limit::Templates => ("Templates", json!(templates()), Value::Null),
            Limit::OwnTemplates => (
                "OwnTemplates",
                json!(templates()),
                json!({ "StringLike": { format!("aws:ResourceTag/{MARK}"): "*" } }),
            ),
            Limit::TemplateTags => ("TemplateTags", json!(templates()), created_by("CreateLaunchTemplate")),
            Limit::LaunchTags => {
                let launched =
                    ["instance/*", "network-interface/*", "volume/*"].map(|one| self.arn("ec2", one));
                ("LaunchTags", json!(launched), created_by("RunInstances"))
            }
            Limit::NodeRole => ("NodeRole", json!(self.node_role), Value::Null),
            Limit::NodeRoleToEks => (
                "NodeRoleToEks",
                json!(self.node_role),
                json!({ "StringEquals": { "iam:PassedToService": "eks.amazonaws.com" } }),
            ),
        }
    }
}

/// What a role may do: one statement for each way in which actions can be limited.
pub fn iam(role: Role, account: &Account) -> Value {
    let mut actions: BTreeMap<Limit, Vec<String>> = BTreeMap::new();
    for call in AWS.iter().filter(|call| call.role <= role) {
        actions.entry(call.limit).or_default().push(call.shown());
    }
    let statements = actions.into_iter().map(|(limit, mut actions)| {
        actions.sort_unstable();
        let (id, resource, condition) = account.limits(limit);
        let mut statement = Map::new();
        statement.insert("Sid".into(), json!(id));
        statement.insert("Effect".into(), json!("Allow"));
        statement.insert("Action".into(), json!(actions));
        statement.insert("Resource".into(), resource);
        if !condition.is_null() {
            statement.insert("Condition".into(), condition);
        }
        Value::from(statement)
    });
    // The one version of the language that knows all of this. Source: IAM user guide, "Version".
    json!({ "Version": "2012-10-17", "Statement": statements.collect::<Vec<_>>() })
}
