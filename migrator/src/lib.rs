//! What a migration does next, decided from what the cluster shows. Pure: no runtime, socket, clock or randomness.

pub mod action;
pub mod findings;
pub mod request;
pub mod view;
