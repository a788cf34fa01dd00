//! The decisions of the kube-controller-manager and of the cloud's service controller, one module for each.
//!
//! Everything here is a pure function of what its caller shows it: plain numbers and borrowed slices, no API object,
//! no clock. What a controller sees, when it looks and what becomes of its answer is the world's affair. Points in
//! time are whole milliseconds since the start of the run and signed, because objects may be older than the run.

pub mod daemon_set;
pub mod deployment;
pub mod disruption;
pub mod endpoint_slice;
pub mod horizontal_pod_autoscaler;
pub mod job;
pub mod namespace;
pub mod node_lifecycle;
pub mod pod_gc;
pub mod replica_set;
pub mod service_load_balancer;
pub mod stateful_set;
pub mod taint_eviction;

#[cfg(test)]
mod tests;

/// A point in time: milliseconds since the start of the run, negative before it.
pub type Millis = i64;

/// The phase of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PodPhase {
    /// Not all containers have started.
    Pending,
    /// The node cannot be asked.
    Unknown,
    /// At least one container runs.
    Running,
    /// All containers ended with success and none will be restarted.
    Succeeded,
    /// All containers ended, at least one of them without success.
    Failed,
}

impl PodPhase {
    /// Reads the API's word.
    pub fn parse(phase: &str) -> Option<Self> {
        match phase {
            "Pending" => Some(PodPhase::Pending),
            "Unknown" => Some(PodPhase::Unknown),
            "Running" => Some(PodPhase::Running),
            "Succeeded" => Some(PodPhase::Succeeded),
            "Failed" => Some(PodPhase::Failed),
            _ => None,
        }
    }

    /// Whether the pod has ended for good.
    pub fn is_terminal(self) -> bool {
        matches!(self, PodPhase::Succeeded | PodPhase::Failed)
    }
}

/// Whether a controller counts the pod among its replicas. A pod whose deletion has begun is replaced at once, not
/// after its grace period.
///
/// Source: kubernetes pkg/controller/controller_utils.go:IsPodActive.
pub fn is_active(phase: PodPhase, terminating: bool) -> bool {
    !phase.is_terminal() && !terminating
}

/// A number of pods, or a share of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntOrPercent {
    /// So many pods.
    Number(i32),
    /// So many of a hundred.
    Percent(i32),
}

impl IntOrPercent {
    /// Reads `3` or `25%`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        match text.strip_suffix('%') {
            Some(percent) => percent.parse().ok().map(IntOrPercent::Percent),
            None => text.parse().ok().map(IntOrPercent::Number),
        }
    }

    /// The number of pods of `total` that is meant, rounded up.
    pub fn of_rounded_up(self, total: i64) -> i64 {
        match self {
            IntOrPercent::Number(number) => i64::from(number),
            IntOrPercent::Percent(percent) => -(-product(percent, total)).div_euclid(100),
        }
    }

    /// The number of pods of `total` that is meant, rounded down.
    pub fn of_rounded_down(self, total: i64) -> i64 {
        match self {
            IntOrPercent::Number(number) => i64::from(number),
            IntOrPercent::Percent(percent) => product(percent, total).div_euclid(100),
        }
    }
}

/// Clamped so that no total, however absurd, overflows (and so that the product can be negated).
fn product(percent: i32, total: i64) -> i64 {
    i64::from(percent).saturating_mul(total).clamp(-i64::MAX, i64::MAX)
}
