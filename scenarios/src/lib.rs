//! Where simulator, migrator and load meet: scenarios, the gears that drive them, the promises and the verdict.
//!
//! Whoever runs scenarios needs this crate alone: the few words of the others that a caller has to say or read are
//! given on here.

pub mod drive;
pub mod grants;
pub mod observe;
pub mod promises;
pub mod report;
pub mod scenario;
pub mod setup;
#[cfg(feature = "live")]
pub mod wire;

pub use loadgen::{
    chance::Seed,
    duration,
    outcome::EndCause,
    profile::AtSigterm,
    recorder::{Counts, Downtime, DropRate, Report as Figures, Summary},
    traffic_file::TrafficFile,
};
#[cfg(feature = "live")]
pub use migrator::{
    action, decide::rehearsal, findings, journal, live as shell, outline, plan, request::LetGo, view,
};
pub use migrator::{
    findings::{Code, Finding, RequestError, Severity},
    permissions,
    request::{Request, Settings, Strategy},
};
#[cfg(feature = "live")]
pub use simulator::live;
pub use simulator::{
    conformance, export, import,
    parameters::{Class, Parameter, Parameters},
    world::{World, clock},
};
