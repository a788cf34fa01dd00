//! What is granted to a role, as text that `kubectl` and `aws` take.

use migrator::permissions::{Account, Role, iam, rbac};

/// Roles and bindings for `kubectl apply -f -`.
pub fn rbac_yaml(role: Role, group: &str) -> String {
    let name = role.name();
    let mut text = format!(
        "# What `nodeferry` needs of the cluster for {}, granted to the group {group}.\n\
         # Printed by: nodeferry permissions --for {name} --rbac\n",
        commands(role)
    );
    for manifest in rbac(role, group) {
        text.push_str("---\n");
        text.push_str(&serde_saphyr::to_string(&manifest).expect("manifests are plain trees"));
    }
    text
}

/// A policy for `aws iam create-policy --policy-document`.
pub fn iam_json(role: Role, account: &Account) -> String {
    let policy = iam(role, account);
    serde_json::to_string_pretty(&policy).expect("a policy is a plain tree") + "\n"
}

fn commands(role: Role) -> &'static str {
    match role {
        Role::Observe => "`preflight` and `status`",
        Role::Plan => "`preflight`, `status` and `plan`",
        Role::Apply => "every command",
    }
}
