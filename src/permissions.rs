//! `nodeferry permissions`: what a role has to be granted, in the cluster and in the account.

use anyhow::Result;
use scenarios::{
    grants::{iam_json, rbac_yaml},
    permissions::{AWS, Account, Role, kubernetes},
};

use crate::{
    arguments::{Color, Permissions, RoleName},
    exit::Exit,
    output::{BOLD, FAINT, print, styled},
};

/// Runs the command.
pub(crate) fn run(asked: &Permissions, color: Color) -> Result<Exit> {
    let role = match asked.role {
        RoleName::Observe => Role::Observe,
        RoleName::Plan => Role::Plan,
        RoleName::Apply => Role::Apply,
    };
    let text = if asked.rbac {
        let default = format!("nodeferry-{}", role.name());
        rbac_yaml(role, asked.group.as_deref().unwrap_or(&default))
    } else if asked.iam {
        iam_json(role, &account(asked))
    } else {
        table(role)
    };
    print(&text, color)?;
    Ok(Exit::Held)
}

fn account(asked: &Permissions) -> Account {
    let unknown = Account::default();
    let or = |said: &Option<String>, unknown: String| said.clone().unwrap_or(unknown);
    Account {
        region: or(&asked.region, unknown.region),
        account: or(&asked.account, unknown.account),
        cluster: or(&asked.cluster_name, unknown.cluster),
        node_role: or(&asked.node_role, unknown.node_role),
    }
}

/// Every call that the role makes, a line each, with the lowest role that makes it.
fn table(role: Role) -> String {
    let mut out = format!("{}\n", styled(BOLD, "Kubernetes"));
    let line = |role: Role, text: &str| format!("  {:<9}{text}\n", role.name());
    kubernetes().filter(|call| call.role <= role).for_each(|call| out += &line(call.role, &call.shown()));
    out += &format!("{}\n", styled(BOLD, "AWS"));
    for call in AWS.iter().filter(|call| call.role <= role) {
        let by = call.implied_by.map(|by| format!(" {}", styled(FAINT, format_args!("(wanted by {by})"))));
        out += &line(call.role, &format!("{}{}", call.shown(), by.unwrap_or_default()));
    }
    out
}
