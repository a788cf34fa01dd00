//! Roles for Kubernetes, with the bindings that give them to a group.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{
    api::rbac::v1::{
        ClusterRole, ClusterRoleBinding, PolicyRule, Role as NamespaceRole, RoleBinding, RoleRef, Subject,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde::Serialize;

use super::{KubernetesCall, Place, Role, kubernetes};
use crate::names;

/// The API group of roles.
const GROUP: &str = "rbac.authorization.k8s.io";

/// One object to apply.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
#[expect(missing_docs, reason = "the names are Kubernetes' own")]
pub enum Manifest {
    ClusterRole(ClusterRole),
    Role(NamespaceRole),
    ClusterRoleBinding(ClusterRoleBinding),
    RoleBinding(RoleBinding),
}

impl Manifest {
    /// The rules of a role; none of a binding.
    pub fn rules(&self) -> &[PolicyRule] {
        match self {
            Manifest::ClusterRole(role) => role.rules.as_deref().unwrap_or_default(),
            Manifest::Role(role) => role.rules.as_deref().unwrap_or_default(),
            Manifest::ClusterRoleBinding(_) | Manifest::RoleBinding(_) => &[],
        }
    }
}

/// What a role may do, and that members of `group` have it: what is everywhere in a ClusterRole, what is beside the journal
/// and the lock in a Role.
pub fn rbac(role: Role, group: &str) -> Vec<Manifest> {
    let name = format!("nodeferry-{}", role.name());
    let granted: Vec<KubernetesCall> = kubernetes().filter(|call| call.role <= role).collect();
    let everywhere = |call: &&KubernetesCall| matches!(call.place, Place::Cluster | Place::Path);
    let own = || ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
    let beside = || ObjectMeta { namespace: Some(names::NAMESPACE.to_owned()), ..own() };
    let subjects = || {
        Some(vec![Subject {
            api_group: Some(GROUP.to_owned()),
            kind: "Group".to_owned(),
            name: group.to_owned(),
            namespace: None,
        }])
    };
    let to =
        |kind: &str| RoleRef { api_group: Some(GROUP.to_owned()), kind: kind.to_owned(), name: name.clone() };
    vec![
        Manifest::ClusterRole(ClusterRole {
            metadata: own(),
            rules: Some(rules(granted.iter().filter(everywhere))),
            aggregation_rule: None,
        }),
        Manifest::Role(NamespaceRole {
            metadata: beside(),
            rules: Some(rules(granted.iter().filter(|call| !everywhere(call)))),
        }),
        Manifest::ClusterRoleBinding(ClusterRoleBinding {
            metadata: own(),
            role_ref: to("ClusterRole"),
            subjects: subjects(),
        }),
        Manifest::RoleBinding(RoleBinding { metadata: beside(), role_ref: to("Role"), subjects: subjects() }),
    ]
}

/// As few rules as say it: the verbs of a resource together, then the resources of a group that have the same.
fn rules<'a>(calls: impl Iterator<Item = &'a KubernetesCall>) -> Vec<PolicyRule> {
    let mut verbs: BTreeMap<(Place, &str, String), BTreeSet<&str>> = BTreeMap::new();
    for call in calls {
        verbs.entry((call.place, call.group, call.resources())).or_default().insert(call.verb);
    }
    let mut resources: BTreeMap<(Place, &str, BTreeSet<&str>), Vec<String>> = BTreeMap::new();
    for ((place, group, resource), verbs) in verbs {
        resources.entry((place, group, verbs)).or_default().push(resource);
    }
    let rule = |((place, group, verbs), resources): ((Place, &str, BTreeSet<&str>), Vec<String>)| {
        let verbs = verbs.into_iter().map(str::to_owned).collect();
        let rule = PolicyRule { verbs, ..PolicyRule::default() };
        let groups = Some(vec![group.to_owned()]);
        match place {
            Place::Path => PolicyRule { non_resource_urls: Some(resources), ..rule },
            Place::Cluster | Place::Namespace => {
                PolicyRule { api_groups: groups, resources: Some(resources), ..rule }
            }
            Place::Named(name) => PolicyRule {
                api_groups: groups,
                resources: Some(resources),
                resource_names: Some(vec![name.to_owned()]),
                ..rule
            },
        }
    };
    resources.into_iter().map(rule).collect()
}
