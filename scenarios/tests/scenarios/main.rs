//! Whole migrations as stories: what every promise catches, how much of each wait is enough, and what Kubernetes itself
//! was measured to do.

mod boundaries;
mod cluster;
mod configuration;
mod determinism;
mod fidelity;
mod measurements;
mod promises;
mod story;
mod timeline;
