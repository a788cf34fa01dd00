//! The simulated EKS: a Kubernetes control plane, its nodes, Auto Scaling, EKS and Network Load Balancers as one
//! value in virtual time. Knows `loadgen`'s vocabulary; knows nothing of what a migrator decides.

pub use loadgen::chance;

pub mod api;
pub mod aws_api;
pub mod conformance;
pub mod controllers;
pub mod export;
pub mod http;
pub mod import;
pub mod instance_types;
pub mod kube_proxy;
#[cfg(feature = "live")]
pub mod live;
pub mod parameters;
pub mod scheduler;
pub mod selector;
pub mod world;
