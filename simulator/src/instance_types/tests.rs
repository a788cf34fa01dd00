use super::*;

/// Name, processors, GiB, pods as `eni-max-pods.txt` has them.
#[track_caller]
fn check(name: &str, vcpus: u32, memory_gib: u64, pods_max: u32) {
    let known = lookup(name).unwrap_or_else(|| panic!("{name} is not known"));
    assert_eq!(
        (known.vcpus, known.memory_mib, known.pods_max()),
        (vcpus, memory_gib * 1024, pods_max),
        "{name}"
    );
}

#[test]
fn usual_types_have_the_published_figures() {
    check("t3.medium", 2, 4, 17);
    check("t3a.small", 2, 2, 8);
    check("t3.small", 2, 2, 11);
    check("t3.large", 2, 8, 35);
    check("m5.large", 2, 8, 29);
    check("m5.4xlarge", 16, 64, 234);
    check("c5.9xlarge", 36, 72, 234);
    check("c7g.medium", 1, 2, 8);
    check("r6i.32xlarge", 128, 1024, 737);
    check("m7i.48xlarge", 192, 768, 737);
}

#[test]
fn unknown_types_are_not_guessed() {
    assert_eq!(lookup("m5.huge"), None);
    assert_eq!(lookup(""), None);
}

#[test]
fn every_name_is_there_once_and_in_order() {
    assert!(TYPES.windows(2).all(|pair| pair[0].name < pair[1].name));
}

#[test]
fn eks_keeps_a_share_for_the_system() {
    // Of 2 processors 60 m + 10 m; 255 + 29 × 11 + 100 = 674 MiB of the 7900 that such a node was seen to report.
    assert_eq!(allocatable(2, 7900, 29), Allocatable { cpu_millis: 1930, memory_mib: 7226, pods: 29 });
    // Of 16: 60 + 10 + 10 + 30 m.
    assert_eq!(allocatable(16, 60_000, 234).cpu_millis, 15_890);
    // Of 1: 60 m.
    assert_eq!(allocatable(1, 2000, 8).cpu_millis, 940);
    // Smaller than what is reserved: nothing is left, and nothing wraps.
    assert_eq!(allocatable(2, 300, 4).memory_mib, 0);
}
