//! What a Deployment does to its ReplicaSets when `spec.replicas` changes.

use serde::Deserialize;
use serde_json::json;

use super::{Answer, CaseError, int_or_percent};
use crate::controllers::deployment::{
    Deployment, Fenceposts, ReplicaSet, Strategy, Which, new_size, resolve_fenceposts, scale,
};

#[derive(Deserialize)]
struct Case {
    replicas: i32,
    max_surge: String,
    max_unavailable: String,
    resolved_max_surge: i32,
    resolved_max_unavailable: i32,
    new_rs: Option<Set>,
    old_rs: Vec<Set>,
    rolling_new_rs_replicas: i32,
}

#[derive(Deserialize)]
struct Set {
    name: String,
    replicas: i32,
    max_replicas_annotation: Option<i32>,
    desired_replicas_annotation: Option<i32>,
    created_order: i64,
    replicas_after: i32,
}

impl Set {
    /// No pod is available, as the family says.
    fn model(&self) -> ReplicaSet<'_> {
        ReplicaSet {
            name: &self.name,
            created_at: self.created_order,
            replicas: self.replicas,
            status_replicas: self.replicas,
            ready_replicas: 0,
            available_replicas: 0,
            desired_replicas_annotation: self.desired_replicas_annotation,
            max_replicas_annotation: self.max_replicas_annotation,
        }
    }
}

pub(in super::super) fn run(line: &[u8]) -> Result<Answer, CaseError> {
    let case: Case = serde_json::from_slice(line)?;
    let max_surge = int_or_percent("max_surge", &case.max_surge)?;
    let max_unavailable = int_or_percent("max_unavailable", &case.max_unavailable)?;
    let sets = || case.new_rs.iter().chain(&case.old_rs);
    let total: i64 = sets().map(|set| i64::from(set.replicas)).sum();
    let deployment = Deployment {
        replicas: case.replicas,
        strategy: Strategy::RollingUpdate { max_surge, max_unavailable },
        paused: false,
        status_replicas: i32::try_from(total).unwrap_or(i32::MAX),
    };
    let new = case.new_rs.as_ref().map(Set::model);
    let old: Vec<ReplicaSet<'_>> = case.old_rs.iter().map(Set::model).collect();

    let fenceposts = resolve_fenceposts(max_surge, max_unavailable, case.replicas);
    let resizes = scale(&deployment, new.as_ref(), &old);
    let after = |which: Which, before: i32| {
        resizes.iter().find(|resize| resize.replica_set == which).map_or(before, |resize| resize.replicas)
    };
    let old_after: Vec<i32> =
        (0..).zip(&case.old_rs).map(|(i, set)| after(Which::Old(i), set.replicas)).collect();
    let old_expected: Vec<i32> = case.old_rs.iter().map(|set| set.replicas_after).collect();
    let answer =
        |fenceposts: Fenceposts, new_after: Option<i32>, old_after: Vec<i32>, rolling: Option<i32>| {
            json!({
                "resolved_max_surge": fenceposts.max_surge,
                "resolved_max_unavailable": fenceposts.max_unavailable,
                "new_rs": new_after,
                "old_rs": old_after,
                "rolling_new_rs_replicas": rolling,
            })
        };
    let expected = answer(
        Fenceposts { max_surge: case.resolved_max_surge, max_unavailable: case.resolved_max_unavailable },
        case.new_rs.as_ref().map(|set| set.replicas_after),
        old_expected,
        case.new_rs.as_ref().map(|_| case.rolling_new_rs_replicas),
    );
    let got = answer(
        fenceposts,
        case.new_rs.as_ref().map(|set| after(Which::New, set.replicas)),
        old_after,
        case.new_rs.as_ref().map(|set| new_size(&deployment, set.replicas, total)),
    );
    Ok(Answer::compare(expected, got))
}
