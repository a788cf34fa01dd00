//! Whether the service controller keeps a node among the targets of a load balancer.

use serde::Deserialize;
use serde_json::json;

use super::{Answer, CaseError, meaningless};
use crate::controllers::node_lifecycle::ConditionStatus;
use crate::controllers::service_load_balancer::{Node, TO_BE_DELETED_TAINT, in_load_balancer};
use crate::selector::{Effect, Taint};

#[derive(Deserialize)]
struct Case {
    exclude_label: Option<String>,
    to_be_deleted_taint: bool,
    ready_condition: String,
    deleting: bool,
    in_load_balancer: bool,
}

pub(in super::super) fn run(line: &[u8]) -> Result<Answer, CaseError> {
    let case: Case = serde_json::from_slice(line)?;
    let ready = match case.ready_condition.as_str() {
        "True" => ConditionStatus::True,
        "False" => ConditionStatus::False,
        "Unknown" => ConditionStatus::Unknown,
        other => return Err(meaningless("ready_condition", other)),
    };
    let taint =
        Taint { key: TO_BE_DELETED_TAINT.to_owned(), value: String::new(), effect: Effect::NoSchedule };
    let node = Node {
        exclude_label: case.exclude_label.as_deref(),
        taints: if case.to_be_deleted_taint { std::slice::from_ref(&taint) } else { &[] },
        ready,
        deleting: case.deleting,
        provider_id: "",
        aws_excluded: false,
    };
    let answer = |kept: bool| json!({ "in_load_balancer": kept });
    Ok(Answer::compare(answer(case.in_load_balancer), answer(in_load_balancer(&node))))
}
