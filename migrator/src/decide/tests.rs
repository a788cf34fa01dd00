//! Whole migrations of small clusters, driven decision by decision.

pub(crate) mod fake;
mod stories;
mod table;
