//! The AWS side of a cluster, which a Kubernetes export does not contain.
//!
//! Three parts: [`parse_aws`] reads what `aws … describe-…` printed, [`AwsState`] is what the world needs to know, and
//! [`complete`] fills in what no file says from the Kubernetes side, telling what it had to assume.

mod attributes;
mod balancers;
mod complete;
mod contradictions;
mod file;
mod records;
mod services;
mod state;

pub(crate) use self::complete::assumed_instance;
pub use self::complete::complete;
pub use self::file::{AWS_FILE_BYTES_MAX, AwsFile, parse_aws, read_aws};
pub use self::services::LoadBalancerDefaults;
pub(crate) use self::services::hex;
pub use self::state::*;

#[cfg(test)]
mod tests;
