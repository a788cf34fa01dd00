//! What EC2 instance types offer, and how much of it EKS leaves to pods.
//!
//! For nodes that an export does not show: those that a node group of another type will get. Nodes that exist say
//! themselves what they have. Sizes without virtualisation (`metal`) and special-purpose families are left out.

use std::sync::LazyLock;

/// An instance type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceType {
    /// For example `m5.large`.
    pub name: String,
    /// Virtual processors.
    pub vcpus: u32,
    /// Memory as advertised, in MiB. The node sees less; see [`Self::capacity_memory_mib`].
    pub memory_mib: u64,
    /// Network interfaces that can be attached. Source: EC2 documentation, "IP addresses per network interface".
    pub interfaces: u32,
    /// IPv4 addresses of each interface. Source: as above.
    pub addresses: u32,
}

/// What the scheduler may give to pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allocatable {
    /// Processor time, in thousandths of a processor.
    pub cpu_millis: u64,
    /// Memory, in MiB.
    pub memory_mib: u64,
    /// Pods.
    pub pods: u32,
}

/// Share of the advertised memory that firmware and kernel keep, in tenths of a percent.
///
/// Measured nodes lack 2 to 7.5 %, smaller ones more. 7.5 % is what Karpenter assumes
/// (`VM_MEMORY_OVERHEAD_PERCENT`): an estimate that is too low would place pods which then do not fit.
const MEMORY_OVERHEAD_PERMILLE: u64 = 75;

/// Memory that the kubelet keeps free by eviction, in MiB. Source: amazon-eks-ami, nodeadm, `memory.available`.
const EVICTION_MIB: u64 = 100;

impl InstanceType {
    /// Most pods with the VPC network plugin as installed by default: every pod takes an address, the first address of
    /// each interface is the node's, and two pods (kube-proxy and the plugin) use the node's own.
    ///
    /// Source: amazon-eks-ami, nodeadm, `eni-max-pods.txt`.
    pub fn pods_max(&self) -> u32 {
        self.interfaces * (self.addresses - 1) + 2
    }

    /// Memory that the node reports as its capacity, in MiB: an estimate that is rather too low.
    pub fn capacity_memory_mib(&self) -> u64 {
        self.memory_mib * (1000 - MEMORY_OVERHEAD_PERMILLE) / 1000
    }

    /// What is left to pods.
    pub fn allocatable(&self) -> Allocatable {
        allocatable(self.vcpus, self.capacity_memory_mib(), self.pods_max())
    }
}

/// What EKS leaves to pods on a node with these processors and this capacity.
///
/// Reserved for the system: of the first processor 6 %, of the second 1 %, of the third and fourth 0.5 % each, of all
/// others 0.25 %; 255 MiB and 11 MiB for each possible pod; the eviction threshold.
/// Source: amazon-eks-ami, nodeadm, `internal/kubelet/config.go`.
pub fn allocatable(vcpus: u32, capacity_memory_mib: u64, pods_max: u32) -> Allocatable {
    let total = u64::from(vcpus) * 1000;
    // From and up to so many thousandths of a processor, this share, in hundredths of a percent.
    let bands = [(0, 1000, 600), (1000, 2000, 100), (2000, 4000, 50), (4000, u64::MAX, 25)];
    let reserved: u64 =
        bands.iter().map(|&(from, to, share)| total.min(to).saturating_sub(from) * share / 10_000).sum();
    let reserved_mib = 255 + 11 * u64::from(pods_max) + EVICTION_MIB;
    Allocatable {
        cpu_millis: total - reserved,
        memory_mib: capacity_memory_mib.saturating_sub(reserved_mib),
        pods: pods_max,
    }
}

/// The instance type of that name, if it is among those known here.
pub fn lookup(name: &str) -> Option<&'static InstanceType> {
    TYPES.binary_search_by(|known| known.name.as_str().cmp(name)).ok().map(|at| &TYPES[at])
}

/// Size, processors, interfaces, addresses of each.
type Size = (&'static str, u32, u32, u32);

const MEDIUM: Size = ("medium", 1, 2, 4);
const LARGE: Size = ("large", 2, 3, 10);
const XLARGE: Size = ("xlarge", 4, 4, 15);
const XLARGE2: Size = ("2xlarge", 8, 4, 15);
const XLARGE4: Size = ("4xlarge", 16, 8, 30);
const XLARGE8: Size = ("8xlarge", 32, 8, 30);
const XLARGE9: Size = ("9xlarge", 36, 8, 30);
const XLARGE12: Size = ("12xlarge", 48, 8, 30);
const XLARGE16: Size = ("16xlarge", 64, 15, 50);
const XLARGE18: Size = ("18xlarge", 72, 15, 50);
const XLARGE24: Size = ("24xlarge", 96, 15, 50);
const XLARGE32: Size = ("32xlarge", 128, 15, 50);
const XLARGE48: Size = ("48xlarge", 192, 15, 50);

const GENERATION_5: &[Size] = &[LARGE, XLARGE, XLARGE2, XLARGE4, XLARGE8, XLARGE12, XLARGE16, XLARGE24];
const C5: &[Size] = &[LARGE, XLARGE, XLARGE2, XLARGE4, XLARGE9, XLARGE12, XLARGE18, XLARGE24];
const INTEL_6: &[Size] = &[LARGE, XLARGE, XLARGE2, XLARGE4, XLARGE8, XLARGE12, XLARGE16, XLARGE24, XLARGE32];
const INTEL_7: &[Size] = &[LARGE, XLARGE, XLARGE2, XLARGE4, XLARGE8, XLARGE12, XLARGE16, XLARGE24, XLARGE48];
const AMD_6: &[Size] =
    &[LARGE, XLARGE, XLARGE2, XLARGE4, XLARGE8, XLARGE12, XLARGE16, XLARGE24, XLARGE32, XLARGE48];
const GRAVITON: &[Size] = &[MEDIUM, LARGE, XLARGE, XLARGE2, XLARGE4, XLARGE8, XLARGE12, XLARGE16];

/// Families whose memory is a fixed number of GiB for each processor. Source: EC2 documentation, "Instance types".
const FAMILIES: &[(&str, u64, &[Size])] = &[
    ("m5", 4, GENERATION_5),
    ("m5a", 4, GENERATION_5),
    ("m6i", 4, INTEL_6),
    ("m6a", 4, AMD_6),
    ("m6g", 4, GRAVITON),
    ("m7i", 4, INTEL_7),
    ("m7g", 4, GRAVITON),
    ("c5", 2, C5),
    ("c6i", 2, INTEL_6),
    ("c6g", 2, GRAVITON),
    ("c7i", 2, INTEL_7),
    ("c7g", 2, GRAVITON),
    ("r5", 8, GENERATION_5),
    ("r6i", 8, INTEL_6),
    ("r6g", 8, GRAVITON),
    ("r7i", 8, INTEL_7),
    ("r7g", 8, GRAVITON),
];

/// Burstable types: name, processors, MiB, interfaces, addresses of each. Source: as above.
const BURSTABLE: &[(&str, u32, u64, u32, u32)] = &[
    ("t3.nano", 2, 512, 2, 2),
    ("t3.micro", 2, 1024, 2, 2),
    ("t3.small", 2, 2048, 3, 4),
    ("t3.medium", 2, 4096, 3, 6),
    ("t3.large", 2, 8192, 3, 12),
    ("t3.xlarge", 4, 16_384, 4, 15),
    ("t3.2xlarge", 8, 32_768, 4, 15),
    ("t3a.nano", 2, 512, 2, 2),
    ("t3a.micro", 2, 1024, 2, 2),
    ("t3a.small", 2, 2048, 2, 4),
    ("t3a.medium", 2, 4096, 3, 6),
    ("t3a.large", 2, 8192, 3, 12),
    ("t3a.xlarge", 4, 16_384, 4, 15),
    ("t3a.2xlarge", 8, 32_768, 4, 15),
];

/// All types, ordered by name.
static TYPES: LazyLock<Vec<InstanceType>> =
    LazyLock::new(|| {
        let burstable = BURSTABLE.iter().map(|&(name, vcpus, memory_mib, interfaces, addresses)| {
            InstanceType { name: name.to_owned(), vcpus, memory_mib, interfaces, addresses }
        });
        let others = FAMILIES.iter().flat_map(|&(family, gib_per_vcpu, sizes)| {
            sizes.iter().map(move |&(size, vcpus, interfaces, addresses)| InstanceType {
                name: format!("{family}.{size}"),
                vcpus,
                memory_mib: u64::from(vcpus) * gib_per_vcpu * 1024,
                interfaces,
                addresses,
            })
        });
        let mut all: Vec<InstanceType> = burstable.chain(others).collect();
        all.sort_by(|left, right| left.name.cmp(&right.name));
        all
    });

#[cfg(test)]
mod tests;
