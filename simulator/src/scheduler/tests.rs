use super::*;
use crate::chance::Seed;

fn node(cpu_m: i64) -> NodeState {
    NodeState { allocatable: Resources { cpu_m, memory: 8 << 30 }, pods_allowed: 110, ..NodeState::default() }
}

fn request(cpu_m: i64) -> PodRequest<'static> {
    let requests = Resources { cpu_m, memory: 1 << 30 };
    PodRequest { requests, requests_nonzero: requests, containers: 1, ..PodRequest::default() }
}

fn taint(key: &str, effect: Effect) -> Taint {
    Taint { key: key.into(), value: String::new(), effect }
}

fn ties() -> Stream {
    Seed(1).stream("ties")
}

#[track_caller]
fn check_failures(pod: &PodRequest<'_>, nodes: &[NodeState], expected: &str) {
    let decision = schedule(pod, nodes, 0, &mut ties());
    assert_eq!((decision.chosen, decision.failures.message(nodes.len()).as_str()), (None, expected));
}

#[test]
fn each_node_says_why_it_does_not_suit() {
    let full = NodeState { pods: 4, pods_allowed: 4, ..node(100) };
    let cordoned = NodeState { unschedulable: true, ..node(8000) };
    let tainted = NodeState { taints: vec![taint("mig", Effect::NoSchedule)], ..node(8000) };
    check_failures(
        &request(500),
        &[full, cordoned, tainted, node(400)],
        "0/4 nodes are available: 1 Too many pods, 1 node(s) had untolerated taint(s), \
         1 node(s) were unschedulable, 2 Insufficient cpu.",
    );
    check_failures(&request(500), &[], "no nodes available to schedule pods");
}

#[test]
fn a_blanket_toleration_passes_a_cordon() {
    let cordoned = [NodeState { unschedulable: true, ..node(8000) }];
    let blanket = [Toleration { effect: None, ..Toleration::exists("", Effect::NoSchedule) }];
    let pod = PodRequest { tolerations: &blanket, ..request(500) };
    assert_eq!(schedule(&pod, &cordoned, 0, &mut ties()).chosen, Some(0));
}

#[test]
fn what_is_not_requested_is_never_lacking() {
    let overfull = [NodeState { requested: Resources { cpu_m: 9000, memory: 0 }, ..node(8000) }];
    assert_eq!(schedule(&request(0), &overfull, 0, &mut ties()).chosen, Some(0));
    assert_eq!(schedule(&request(1), &overfull, 0, &mut ties()).chosen, None);
}

#[test]
fn host_ports_conflict_by_address() {
    let port = |address: Option<&str>| HostPort {
        protocol: Protocol::Tcp,
        port: 80,
        address: address.map(|text| text.parse().unwrap()),
    };
    let nodes = [NodeState { host_ports: vec![port(Some("10.0.0.1"))], ..node(8000) }];
    for (address, fits) in
        [(None, false), (Some("0.0.0.0"), false), (Some("10.0.0.1"), false), (Some("10.0.0.2"), true)]
    {
        let ports = [port(address)];
        let pod = PodRequest { host_ports: &ports, ..request(1) };
        assert_eq!(schedule(&pod, &nodes, 0, &mut ties()).chosen.is_some(), fits, "{address:?}");
    }
    let udp = [HostPort { protocol: Protocol::Udp, ..port(None) }];
    let pod = PodRequest { host_ports: &udp, ..request(1) };
    assert_eq!(schedule(&pod, &nodes, 0, &mut ties()).chosen, Some(0));
}

#[test]
fn affinity_between_pods_is_met_by_domain() {
    let nodes = vec![node(8000); 3];
    let zones = [0, 0, 1];
    let term = |matching| [AffinityTerm { domains: &zones, matching }];
    let check = |affinity: PodAffinity<'_>, expected: &[usize]| {
        assert_eq!(evaluate(&PodRequest { pod_affinity: affinity, ..request(1) }, &nodes).0, expected);
    };
    let (one, none) = (term(&[1, 0, 0]), term(&[0, 0, 0]));
    check(PodAffinity { required: &one, ..PodAffinity::default() }, &[0, 1]);
    check(PodAffinity { required_anti: &one, ..PodAffinity::default() }, &[2]);
    check(PodAffinity { required: &none, ..PodAffinity::default() }, &[]);
    check(PodAffinity { required: &none, matches_itself: true, ..PodAffinity::default() }, &[0, 1, 2]);
    check(PodAffinity { blocked: Some(&[false, true, false]), ..PodAffinity::default() }, &[0, 2]);
}

#[test]
fn preferences_are_weighted_and_normalised() {
    let soft = NodeState { taints: vec![taint("soft", Effect::PreferNoSchedule)], ..node(8000) };
    let nodes = [node(8000), soft];
    let zones = [0, 1];
    let preferred = [PreferredTerm { weight: -5, term: AffinityTerm { domains: &zones, matching: &[2, 0] } }];
    let on_first = [true, false];
    let images = [Image { size: 2_000_000_000, on_node: &on_first }];
    let pod = PodRequest {
        affinity_preference: Some(&[10, 40]),
        pod_affinity: PodAffinity { preferred: &preferred, ..PodAffinity::default() },
        images: &images,
        ..request(0)
    };
    let (_, scores) = evaluate(&pod, &nodes);
    let parts =
        |of: &PluginScores| (of.taint_toleration, of.node_affinity, of.pod_affinity, of.image_locality);
    // Half of 2 GB is 953 MiB: 100 · (953 - 23) / (1000 - 23) = 95.
    assert_eq!(parts(&scores[0]), (300, Some(50), Some(0), 95));
    assert_eq!(parts(&scores[1]), (0, Some(200), Some(200), 0));
    assert_eq!(
        scores[0].total(),
        300 + 50 + 95 + scores[0].resources_fit + scores[0].balanced_allocation.unwrap()
    );
}

#[test]
fn large_clusters_are_sampled_from_a_rotating_start() {
    assert_eq!([0, 99, 100, 150, 500, 1000, 6000].map(candidates_wanted), [0, 99, 100, 100, 230, 420, 300]);
    let nodes = vec![node(8000); 150];
    let decision = schedule(&request(1), &nodes, 80, &mut ties());
    assert_eq!((decision.feasible, decision.next_start), (100, 30));
    let chosen = decision.chosen.unwrap();
    assert!(!(30..80).contains(&chosen), "{chosen} was not looked at");
}

#[test]
fn ties_are_drawn_uniformly_and_only_ties_are_drawn() {
    let nodes = vec![node(8000); 4];
    let mut stream = ties();
    let mut counts = [0_u32; 4];
    for _ in 0..4000 {
        counts[schedule(&request(1), &nodes, 0, &mut stream).chosen.unwrap()] += 1;
    }
    // 1,000 expected for each; five standard deviations are 137.
    assert!(counts.iter().all(|count| (863..1137).contains(count)), "{counts:?}");
    let mut untouched = ties();
    let _decision = schedule(&request(1000), &[node(4000), node(8000)], 0, &mut untouched);
    assert_eq!(untouched.next_u64(), ties().next_u64());
}

#[test]
fn a_node_that_releases_what_was_bound_is_what_it_was() {
    let mut state = node(8000);
    let ports = [HostPort { protocol: Protocol::Tcp, port: 80, address: None }];
    let requests = Resources { cpu_m: 5, memory: 6 };
    state.on_bound(requests, requests, &ports);
    assert_eq!((state.pods, state.host_ports.len(), state.requested), (1, 1, requests));
    state.on_released(requests, requests, &ports);
    assert_eq!(state, node(8000));
}

#[test]
fn no_amount_overflows() {
    let huge = NodeState {
        allocatable: Resources { cpu_m: i64::MAX, memory: i64::MIN },
        requested: Resources { cpu_m: i64::MIN, memory: i64::MAX },
        requested_nonzero: Resources { cpu_m: i64::MAX, memory: i64::MIN },
        ..node(0)
    };
    let pod = PodRequest { requests: Resources { cpu_m: i64::MAX, memory: 0 }, ..request(0) };
    let _decision = schedule(&pod, &[huge.clone(), huge, node(1)], usize::MAX, &mut ties());
}
