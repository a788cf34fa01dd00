//! What a migration would be refused on its way, as far as the servers say so beforehand.

use super::{Code, Report};
use crate::permissions::Review;

/// What there is to apply where something is missing.
const FIX: &str = "grant what `nodeferry permissions --for apply` prints, with --rbac for the cluster and with --iam for the \
     account, or migrate as somebody who has it (--as, --profile)";

/// Names that a finding lists before it counts the rest: all of a role, were nothing of it granted, fill a screen.
const NAMED: usize = 12;

pub(super) fn look(review: Option<&Review>, report: &mut Report) {
    let Some(review) = review else { return };
    if !review.missing.is_empty() {
        let reason = format!("refused would be: {}", listed(&review.missing));
        report.add(Code::PermissionsMissing, "Permissions", reason, FIX);
    }
    if let Some((_, why)) = review.unanswered.first() {
        let names: Vec<String> = review.unanswered.iter().map(|(name, _)| name.clone()).collect();
        let reason = format!("no answer to: {}; the first because {why}", listed(&names));
        let fix = "compare what is granted with what `nodeferry permissions --for apply` prints";
        report.add(Code::PermissionsUnanswered, "Permissions", reason, fix);
    }
    if !review.unasked.is_empty() {
        let reason = format!("only a call itself would tell for: {}", listed(&review.unasked));
        let fix = "compare the account's policy with what `nodeferry permissions --for apply --iam` prints";
        report.add(Code::PermissionsUnasked, "Permissions", reason, fix);
    }
}

fn listed(names: &[String]) -> String {
    let named = names.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
