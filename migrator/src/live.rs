//! The shell that carries a migration out: what the decisions see comes from a cluster's watches and from polls of AWS, what
//! they ask for becomes requests.
//!
//! Decides nothing about a migration. Time comes from a [`Clock`], connections from whoever calls, so that the same code
//! runs against a cluster and, under a clock that is not the machine's, against the simulation.

pub mod audit;
pub mod aws;
pub mod begun;
mod clock;
pub mod connect;
mod errors;
mod events;
mod fresh;
pub mod kubernetes;
pub mod review;
pub mod shell;
pub mod survey;
pub mod watches;

pub use clock::Clock;
pub use errors::{Failed, Unreachable};
