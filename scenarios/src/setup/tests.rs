use simulator::import::{aws::parse_aws, parse_cluster};

use super::*;

const CLUSTER: &[u8] = include_bytes!("../../../examples/clinic.yaml");
const AWS: &[u8] = include_bytes!("../../../examples/clinic-aws.json");

fn given(assignments: &[&str], draw: &[Class], with_aws: bool) -> Setup {
    let cluster = parse_cluster("clinic.yaml", CLUSTER).unwrap();
    let aws = with_aws.then(|| parse_aws("clinic-aws.json", AWS).unwrap());
    let mut parameters = Parameters::default();
    for assignment in assignments {
        parameters.set(assignment).unwrap();
    }
    setup(&cluster, aws, &parameters, draw, Seed(3)).unwrap()
}

fn cross_zone(setup: &Setup) -> Vec<bool> {
    setup.world.target_groups().iter().map(|group| group.cross_zone).collect()
}

#[test]
fn what_no_file_says_is_told() {
    let without: Vec<String> = given(&[], &[], false).assumed;
    assert!(without.iter().any(|sentence| sentence.contains("node group blue: bounds")), "{without:#?}");
    let with = given(&[], &[], true).assumed;
    assert!(with.len() < without.len(), "{with:#?}");
}

#[test]
fn zones_share_targets_where_asked_for_and_an_annotation_is_stronger() {
    // The ingress has two ports and its annotation; the two profile servers say nothing.
    assert_eq!(cross_zone(&given(&[], &[], true)), [true, true, false, false]);
    assert_eq!(cross_zone(&given(&["nlb.cross_zone=true"], &[], true)), [true; 4]);
    let off = given(&["nlb.cross_zone=false"], &[], true);
    assert_eq!(cross_zone(&off), [true, true, false, false]);
    assert_eq!(
        off.overruled,
        [
            "nlb.cross_zone=false does not apply to Service ingress-nginx/ingress-nginx-controller, which says true"
        ]
    );
    assert!(given(&["nlb.cross_zone=true"], &[], true).overruled.is_empty());
}

#[test]
fn load_balancers_have_what_was_set_where_nobody_says_otherwise() {
    let set = ["nlb.dereg_delay=77s", "nlb.dereg_cut=true", "nlb.unhealthy_cut=false", "nlb.tcp_idle=99s"];
    let setup = given(&set, &[], true);
    assert!(setup.overruled.is_empty(), "{:#?}", setup.overruled);
    for group in setup.world.target_groups() {
        assert_eq!((group.deregistration_delay, group.idle_timeout), (77_000, 99_000));
        assert!(group.deregistration_cuts && !group.unhealthy_cuts);
    }
}

#[test]
fn what_is_set_is_not_drawn() {
    let draw = [Class::Uncertainty, Class::Configuration];
    let setup = given(&["eks.config_update=7s", "nlb.dereg_delay=77s"], &draw, true);
    let parameters = setup.world.parameters();
    assert_eq!((parameters.eks_config_update, parameters.nlb_dereg_delay), (7_000, 77_000));
    assert!(parameters.changed().count() > 20);
    // The same seed draws the same.
    let again = given(&["eks.config_update=7s", "nlb.dereg_delay=77s"], &draw, true);
    assert_eq!(parameters, again.world.parameters());
}

#[track_caller]
fn check_refusal(text: &[u8], expected: &str) {
    let told = parse_traffic("traffic.yaml", text).expect_err("nobody can follow this").to_string();
    assert!(told.starts_with(expected), "{told}");
    assert!(!told.contains('\n'), "{told}");
}

#[test]
fn traffic_files_are_refused_with_their_place() {
    check_refusal(b"", "traffic.yaml");
    check_refusal(b"- service: [\n", "traffic.yaml:");
    check_refusal(b"- service: a/b\n  clients: -1\n", "traffic.yaml:2:12: ");
    check_refusal(b"- service: a/b\n  colour: red\n", "traffic.yaml:2:3: ");
    check_refusal(b"- service: a/b\n  clients: 1\n", "traffic.yaml:2:3: ");
    check_refusal(b"a: 1\n\xff", "traffic.yaml:2: is not UTF-8 text");
    let swapped = b"- service: a/b\n  clients: 1\n  lifetime: { shortest: 2s, longest: 1s }\n";
    check_refusal(swapped, "traffic.yaml: entry 1 (a/b): lifetime");
    let good = b"- service: a/b\n  clients: 1\n  lifetime: { shortest: 1s, longest: 1h }\n";
    assert_eq!(parse_traffic("traffic.yaml", good).unwrap().entries.len(), 1);
}
