use std::path::Path;

use super::*;
use crate::{
    chance::Seed,
    import::{
        Cluster,
        aws::{LoadBalancerDefaults, complete, parse_aws, read_aws},
        read_cluster,
    },
    parameters::Parameters,
    world::Bounds,
    world::requests::{EksTaint, Request},
};

fn path(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn world(cluster: &Cluster, state: &AwsState) -> World {
    World::new(cluster, state, Parameters::default(), Seed(1)).unwrap()
}

fn written(world: &World) -> Vec<u8> {
    let mut text = Vec::new();
    write_aws(&mut text, world).unwrap();
    text
}

fn read_again(text: &[u8], cluster: &Cluster) -> (AwsState, Vec<String>) {
    complete(Some(parse_aws("again.json", text).unwrap()), cluster, &LoadBalancerDefaults::default()).unwrap()
}

/// Without the health of targets, which the first import may not have been told.
fn settled(state: &AwsState) -> AwsState {
    let mut state = state.clone();
    for group in &mut state.target_groups {
        group.targets.clear();
    }
    state
}

#[track_caller]
fn check_comes_back(cluster: &str, aws: Option<&str>) {
    let cluster = read_cluster(&path(cluster)).unwrap();
    let file = aws.map(|name| read_aws(&path(name)).unwrap());
    let (state, _) = complete(file, &cluster, &LoadBalancerDefaults::default()).unwrap();
    let first = written(&world(&cluster, &state));
    let (again, notes) = read_again(&first, &cluster);
    assert_eq!(settled(&again), settled(&state));
    assert!(notes.iter().all(|note| !note.contains("not known")), "{notes:?}");
    assert_eq!(String::from_utf8(written(&world(&cluster, &again))), String::from_utf8(first));
}

#[test]
fn what_was_imported_comes_back_with_its_aws_file_and_without() {
    check_comes_back("examples/clinic.yaml", Some("examples/clinic-aws.json"));
    check_comes_back("examples/clinic.yaml", None);
    check_comes_back("testdata/clusters/online-boutique.yaml", None);
}

#[test]
fn what_has_changed_is_exported_as_it_is_now() {
    let cluster = read_cluster(&path("examples/clinic.yaml")).unwrap();
    let file = read_aws(&path("examples/clinic-aws.json")).unwrap();
    let (state, _) = complete(Some(file), &cluster, &LoadBalancerDefaults::default()).unwrap();
    let mut world = world(&cluster, &state);
    let asg = state.node_groups[0].asg_name.as_str();
    let taint = EksTaint { key: "old".into(), value: "".into(), effect: "NO_EXECUTE".into() };
    world.submit(1, "", Request::UpdateNodeGroupBounds("blue".into(), Bounds { min: 4, max: 7, desired: 4 }));
    world.submit(1, "", Request::SuspendProcesses(asg.into(), vec!["AZRebalance".into()]));
    world.advance(600_000, None);
    world.submit(1, "", Request::UpdateNodeGroupTaints("blue".into(), vec![taint], Vec::new()));
    world.advance(1_200_000, None);
    let now = world.aws();
    let group = &now.node_groups[0];
    assert_eq!((group.min, group.desired, group.max), (4, 4, 7));
    assert_eq!(group.taints.last().map(|taint| taint.effect), Some("NoExecute"));
    let scaling = now.auto_scaling_groups.iter().find(|one| one.name == asg).unwrap();
    assert_eq!(scaling.suspended_processes, ["AZRebalance"]);
    assert_eq!(scaling.instances.len(), 4);
    assert_eq!(now.instances.len(), state.instances.len() + 1);
    let text = String::from_utf8(written(&world)).unwrap();
    assert!(text.contains("\"effect\": \"NO_EXECUTE\"") && text.contains("\"minSize\": 4"), "{text}");
    parse_aws("again.json", text.as_bytes()).unwrap();
}
