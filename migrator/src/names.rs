//! Where a migration keeps what must outlive it: one ConfigMap and one Lease in the cluster itself.

/// Namespace of both.
pub const NAMESPACE: &str = "kube-system";
/// The journal, a ConfigMap.
pub const JOURNAL: &str = "nodeferry-journal";
/// Where EKS reads which IAM roles are nodes, a ConfigMap that is not ours.
pub const AWS_AUTH: &str = "aws-auth";
/// The lock, a Lease.
pub const LEASE: &str = "nodeferry";
