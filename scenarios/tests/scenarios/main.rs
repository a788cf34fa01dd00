//! Whole migrations as stories: what every promise catches, how much of each wait is enough, and what Kubernetes itself
//! was measured to do.

mod boundaries;
mod causes;
mod cluster;
mod configuration;
mod determinism;
mod fidelity;
mod measurements;
#[cfg(feature = "live")]
mod permissions;
mod promises;
mod rollback;
mod room;
#[expect(
    dead_code,
    reason = "a story can name any strategy and object; not every way of telling is used yet"
)]
mod story;
mod timeline;
mod views;
#[cfg(feature = "live")]
mod wire;
