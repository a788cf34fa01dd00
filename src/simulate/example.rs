//! The cluster that is migrated where none is named: a clinic's environment, the setting that the published recipe was
//! written for. Profile servers of one and two replicas keep connections for up to an hour and cannot be told to close
//! them; an ingress, DNS, an autoscaler and daemons stand around them.

/// What reports call it.
pub(crate) const NAME: &str = "the shipped example (examples/clinic.yaml)";
/// The export.
pub(crate) const CLUSTER: &str = include_str!("../../examples/clinic.yaml");
/// Its AWS side.
pub(crate) const AWS: &str = include_str!("../../examples/clinic-aws.json");
/// The node group to leave, unless --from names one.
pub(crate) const FROM: &str = "blue";
/// The node group to move to, unless --to names one.
pub(crate) const TO: &str = "green";
