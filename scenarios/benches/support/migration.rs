//! What the benchmarks share: the migration that they ask for, and what the process has held.

use migrator::request::{Request, Settings, Strategy};

/// From blue to green by single-move, everything else as the old group has it.
pub(crate) fn request() -> Request {
    Request {
        from: "blue".into(),
        to: "green".into(),
        strategy: Strategy::SingleMove,
        adopt: false,
        keep_group: false,
        instance_types: Vec::new(),
        min: None,
        max: None,
        desired: None,
        ami_type: None,
        subnets: Vec::new(),
        accept: Default::default(),
        closes_at_sigterm: Default::default(),
        contracts: Default::default(),
        longest_silence: Default::default(),
        settings: Settings::default(),
    }
}

/// The most memory that the process has held so far, in kB, where the system tells.
pub(crate) fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok())
}
