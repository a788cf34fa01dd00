//! The namespace controller: in which order the contents of a terminating namespace go.
//!
//! Source: kubernetes pkg/controller/namespace/deletion/namespaced_resources_deleter.go (ordered deletion, on by
//! default since 1.33).

#[cfg(test)]
mod tests;

/// What is left in a terminating namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    /// Pods whose deletion has not begun.
    pub pods: usize,
    /// Pods whose deletion has begun.
    pub terminating_pods: usize,
    /// Other objects whose deletion has not begun.
    pub others: usize,
    /// Other objects that only their finalizers hold.
    pub terminating_others: usize,
}

/// What happens next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// All pods are deleted, each with its own grace period; no budget is asked.
    DeletePods,
    /// Nothing else is deleted while a pod is left: what serves it (policies, accounts) must outlive it.
    WaitForPods,
    /// Everything else is deleted.
    DeleteOthers,
    /// Finalizers hold some of it.
    WaitForOthers,
    /// The namespace loses its finalizer `kubernetes` and is gone.
    Finalize,
}

/// Decides the next step of a namespace whose deletion has begun.
pub fn next_step(contents: &Contents) -> Step {
    match *contents {
        Contents { pods: 1.., .. } => Step::DeletePods,
        Contents { terminating_pods: 1.., .. } => Step::WaitForPods,
        Contents { others: 1.., .. } => Step::DeleteOthers,
        Contents { terminating_others: 1.., .. } => Step::WaitForOthers,
        Contents { .. } => Step::Finalize,
    }
}
