//! What a migration does next, decided from what the cluster shows. Pure: no runtime, socket, clock or randomness.

pub mod action;
pub mod budget;
pub mod decide;
pub mod driver;
pub mod findings;
pub mod journal;
pub mod kernel;
#[cfg(feature = "live")]
pub mod live;
pub mod marks;
pub mod names;
pub mod objects;
pub mod outline;
pub mod permissions;
pub mod plan;
mod quantity;
pub mod refusals;
pub mod request;
mod selector;
mod situation;
pub mod view;
