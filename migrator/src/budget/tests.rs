use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;

use super::desired_healthy;
use crate::view::{DisruptionBudget, Meta, ObjectName};

fn budget(min_available: Option<&str>, max_unavailable: Option<&str>) -> DisruptionBudget {
    DisruptionBudget {
        meta: Meta {
            name: ObjectName { namespace: "shop".into(), name: "web".into() },
            uid: "uid".into(),
            resource_version: 1,
            labels: Arc::default(),
            annotations: Default::default(),
            created_at: Timestamp::UNIX_EPOCH,
            deleting: false,
        },
        selector: Arc::default(),
        min_available: min_available.map(Into::into),
        max_unavailable: max_unavailable.map(Into::into),
        disruptions_allowed: 0,
        desired_healthy: 0,
    }
}

/// Kubernetes' own answers. Where a controller is expected, its scale counts; without pods it was not looked up.
#[test]
fn budgets_demand_what_kubernetes_recorded() {
    let mut cases = 0;
    for line in include_str!("../../../testdata/golden/pdb_status.jsonl").lines() {
        let case: BTreeMap<String, serde_json::Value> = serde_json::from_str(line).unwrap();
        let budget = budget(case["min_available"].as_str(), case["max_unavailable"].as_str());
        let pods = case["pods"].as_array().unwrap().len();
        let scale = if pods == 0 { 0 } else { case["owner_replicas"].as_u64().unwrap() };
        let desired = u64::from(desired_healthy(&budget, scale as u32));
        assert_eq!(desired, case["desired_healthy"].as_u64().unwrap(), "{line}");
        cases += 1;
    }
    assert!(cases > 100, "only {cases} cases");
}

#[test]
fn what_cannot_be_read_demands_everything() {
    assert_eq!(desired_healthy(&budget(Some("many"), None), 4), 4);
    assert_eq!(desired_healthy(&budget(None, Some("x%")), 4), 4);
}
