//! What a case of each family looks like, and how it is put to the model.

pub(super) mod api_patch;
pub(super) mod deployment_scale;
pub(super) mod eviction;
pub(super) mod pdb_status;
pub(super) mod proxy_external_endpoints;
pub(super) mod replicaset_scale_down;
pub(super) mod scheduler_scores;
mod served;
pub(super) mod service_lb_nodes;

use super::{Answer, CaseError};
use crate::controllers::{IntOrPercent, PodPhase};

fn meaningless(field: &'static str, value: impl Into<String>) -> CaseError {
    CaseError::Meaningless { field, value: value.into() }
}

fn int_or_percent(field: &'static str, text: &str) -> Result<IntOrPercent, CaseError> {
    IntOrPercent::parse(text).ok_or_else(|| meaningless(field, text))
}

fn phase(text: &str) -> Result<PodPhase, CaseError> {
    PodPhase::parse(text).ok_or_else(|| meaningless("phase", text))
}
