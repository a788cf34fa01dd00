//! Where simulator, migrator and load meet: scenarios, the gears that drive them, the promises and the verdict.

pub mod drive;
pub mod observe;
pub mod promises;
pub mod report;
pub mod scenario;
