//! What a PodDisruptionBudget demands, at the scale that its workloads had before we doubled them.
//!
//! A budget in percent, or one that bounds what may be unavailable, grows with the replicas it covers: during a surge
//! its status demands twice as many pods, and after the scale-back it would allow half of them to be gone. What counts
//! for us is what it demanded before.

use crate::view::DisruptionBudget;

/// How many pods must be healthy when the budget's workloads have `scale` replicas together.
///
/// Percentages round up, both ways: `minAvailable: 50%` of 3 demands 2, `maxUnavailable: 50%` of 3 lets 2 go.
/// Source: kubernetes.md section 9 (`disruption.go:getExpectedPodCount`, recorded in golden `pdb_status.jsonl`).
pub fn desired_healthy(budget: &DisruptionBudget, scale: u32) -> u32 {
    match (budget.min_available.as_deref(), budget.max_unavailable.as_deref()) {
        (Some(least), _) => resolved(least, scale).unwrap_or(scale),
        (None, Some(most)) => scale.saturating_sub(resolved(most, scale).unwrap_or(0)),
        (None, None) => 0,
    }
}

/// An amount as written (`2`, `50%`), of `scale`; `None` where it cannot be read, which then demands everything.
fn resolved(amount: &str, scale: u32) -> Option<u32> {
    match amount.strip_suffix('%') {
        Some(percent) => u32::try_from((percent.parse::<u64>().ok()? * u64::from(scale)).div_ceil(100)).ok(),
        None => amount.parse().ok(),
    }
}

#[cfg(test)]
mod tests;
