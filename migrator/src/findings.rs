//! What stands in the way of a migration, seen before it starts: findings with a code, a reason and a fix.
//!
//! A finding blocks only what would break a promise; what the strategy copes with is a warning at most. The findings
//! describe `single-move`; the recipes have faults of their own, which are to be seen and are not listed here. Whether
//! the request itself makes sense is [`request_errors`]; how long a wait takes is the plan's.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    permissions::Review,
    request::Request,
    view::{ClusterView, ObjectName, Resources},
};

mod capacity;
mod code;
mod groups;
mod load_balancers;
mod marks;
mod permissions;
mod placement;
mod request_error;
mod selector;
mod spread;
mod survey;
#[cfg(test)]
mod tests;
mod workloads;

pub use code::{Code, Severity};
pub use request_error::{RequestError, request_errors};

/// Something about the cluster that a migration has to reckon with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What it is about; its severity with it.
    pub code: Code,
    /// The object: kind, then namespace and name, or the name alone (`Service shop/web`, `NodeGroup blue`).
    pub object: String,
    /// The code's severity.
    pub severity: Severity,
    /// What was seen, with values: one sentence.
    pub reason: String,
    /// What to do about it: one sentence.
    pub fix: String,
}

/// What the caller knows beside the view.
#[derive(Debug, Clone, Default)]
pub struct Expectations {
    /// Allocatable resources of one new node; `None` takes them from nodes of the same type in the view.
    pub node_allocatable: Option<Resources>,
    /// The migration that these findings are for, where it has started already: its own marks, lock and journal are
    /// not findings.
    pub plan: Option<Arc<str>>,
    /// What the servers said of the permissions that the migration needs; `None` where there is nobody to ask.
    pub review: Option<Review>,
    /// The pod that this program runs in, if it runs in one.
    pub own_pod: Option<ObjectName>,
}

/// Everything found, by code, then object.
pub fn findings(request: &Request, cluster: &ClusterView, expectations: &Expectations) -> Vec<Finding> {
    let survey = survey::Survey::new(request, cluster, expectations);
    let mut report = Report::default();
    marks::look(&survey, &mut report);
    permissions::look(expectations.review.as_ref(), &mut report);
    groups::look(&survey, &mut report);
    load_balancers::look(&survey, &mut report);
    placement::look(&survey, &mut report);
    workloads::look(&survey, &mut report);
    capacity::look(&survey, &mut report);
    report.findings.into_iter().collect()
}

/// The findings that stop a plan: blocking ones whose code is not accepted.
pub fn blocking<'a>(findings: &'a [Finding], accept: &BTreeSet<String>) -> Vec<&'a Finding> {
    let stops =
        |finding: &&Finding| finding.severity == Severity::Blocking && !accept.contains(finding.code.id());
    findings.iter().filter(stops).collect()
}

/// Collects findings; the same one twice (a Service with two target groups) counts once.
#[derive(Default)]
struct Report {
    findings: BTreeSet<Finding>,
}

impl Report {
    fn add(&mut self, code: Code, object: impl Into<String>, reason: String, fix: impl Into<String>) {
        let object = object.into();
        self.findings.insert(Finding { code, object, severity: code.severity(), reason, fix: fix.into() });
    }
}
