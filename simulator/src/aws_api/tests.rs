use std::path::Path;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    chance::Seed,
    http::Method,
    import::{
        aws::{LoadBalancerDefaults, complete, read_aws},
        read_cluster,
    },
    parameters::Parameters,
};

fn clinic() -> World {
    let path = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name);
    let cluster = read_cluster(&path("clinic.yaml")).unwrap();
    let file = read_aws(&path("clinic-aws.json")).unwrap();
    let (state, _) = complete(Some(file), &cluster, &LoadBalancerDefaults::default()).unwrap();
    World::new(&cluster, &state, Parameters::default(), Seed(1)).unwrap()
}

/// A header as the aws command sends it.
fn signed(service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261128/eu-central-1/{service}/aws4_request, \
         SignedHeaders=content-type;host;x-amz-date, Signature=0123456789abcdef"
    )
}

/// Sends one line: `eks GET /clusters`, `eks POST /path {…}`, or `ec2 Action=DescribeSubnets`.
fn ask(world: &mut World, line: &str) -> (u16, String) {
    let (service, rest) = line.split_once(' ').unwrap();
    let request = match rest.split_once(' ') {
        Some((method @ ("GET" | "POST" | "DELETE"), rest)) => {
            let (target, body) = rest.split_once(' ').unwrap_or((rest, ""));
            let method = match method {
                "GET" => Method::Get,
                "POST" => Method::Post,
                _ => Method::Delete,
            };
            Request::new(method, target, body.as_bytes().to_vec())
        }
        _ => Request::new(Method::Post, "/", rest.as_bytes().to_vec()),
    };
    let request = Request { authorization: signed(service), ..request };
    let response = handle(world, &request);
    (response.code, String::from_utf8(response.body).unwrap())
}

/// Each request is answered with the code, and with every part of the text after it.
#[track_caller]
fn check(world: &mut World, story: &[(&str, u16, &[&str])]) {
    for (line, code, parts) in story {
        let (answered, body) = ask(world, line);
        assert_eq!(answered, *code, "{line}: {body}");
        for part in *parts {
            assert!(body.contains(part), "{line}: no {part} in {body}");
        }
    }
}

const CREATE: &str = r#"eks POST /clusters/clinic/node-groups {"clientRequestToken":"t1","nodegroupName":"green","scalingConfig":{"minSize":2,"maxSize":4,"desiredSize":3},"subnets":["subnet-07694e6010105081a","subnet-0bea1be61f77bf881"],"instanceTypes":["m6i.large"],"nodeRole":"arn:aws:iam::111122223333:role/clinic-nodes","launchTemplate":{"name":"ferry-green","version":"1"},"taints":[{"key":"a","value":"b","effect":"NO_EXECUTE"}],"tags":{"owner":"ferry"}}"#;
const TEMPLATE: &str = "ec2 Action=CreateLaunchTemplate&Version=2016-11-15&ClientToken=t0&LaunchTemplateName=ferry-green\
    &LaunchTemplateData.BlockDeviceMapping.1.DeviceName=%2Fdev%2Fxvda&LaunchTemplateData.BlockDeviceMapping.1.Ebs.VolumeType=gp3\
    &LaunchTemplateData.BlockDeviceMapping.1.Ebs.VolumeSize=50&LaunchTemplateData.BlockDeviceMapping.1.Ebs.Encrypted=true\
    &TagSpecification.1.ResourceType=launch-template&TagSpecification.1.Tag.1.Key=owner&TagSpecification.1.Tag.1.Value=a+%26+b";

#[test]
fn a_node_group_lives_through_every_status() {
    let mut world = clinic();
    check(
        &mut world,
        &[
            (TEMPLATE, 200, &["<launchTemplateName>ferry-green</launchTemplateName>", "a &amp; b"]),
            // The same token again is the same request; another is another.
            (TEMPLATE, 200, &["<launchTemplateId>lt-0"]),
            (&TEMPLATE.replace("=t0", "=t9"), 400, &["InvalidLaunchTemplateName.AlreadyExistsException"]),
            (
                "ec2 Action=DescribeLaunchTemplateVersions&LaunchTemplateName=ferry-green&LaunchTemplateVersion.1=%24Latest",
                200,
                &[
                    "<blockDeviceMappingSet><item><deviceName>/dev/xvda</deviceName><ebs>",
                    "<volumeSize>50</volumeSize>",
                ],
            ),
            (CREATE, 200, &[r#""status":"CREATING""#, r#""desiredSize":3"#, r#""effect":"NO_EXECUTE""#]),
            (CREATE, 200, &[r#""status":"CREATING""#]),
            (&CREATE.replace("t1", "t2"), 409, &["ResourceInUseException"]),
            ("eks GET /clusters/clinic/node-groups", 200, &[r#"["blue","green"]"#]),
            (
                r#"eks POST /clusters/clinic/node-groups/green/update-config {"scalingConfig":{"minSize":1}}"#,
                409,
                &["ResourceInUseException"],
            ),
        ],
    );
    world.advance(world.now() + 600_000, None);
    let (_, body) = ask(
        &mut world,
        r#"eks POST /clusters/clinic/node-groups/green/update-config {"clientRequestToken":"u","scalingConfig":{"maxSize":6},"taints":{"removeTaints":[{"key":"a","value":"b","effect":"NO_EXECUTE"}]}}"#,
    );
    let update: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(update["update"]["status"], "InProgress", "{body}");
    let id = update["update"]["id"].as_str().unwrap();
    let describe = format!("eks GET /clusters/clinic/updates/{id}?nodegroupName=green");
    let of_blue = format!("eks GET /clusters/clinic/updates/{id}?nodegroupName=blue");
    check(
        &mut world,
        &[
            ("eks GET /clusters/clinic/node-groups/green", 200, &[r#""status":"UPDATING""#]),
            (&describe, 200, &[r#""status":"InProgress""#, r#""type":"MaxSize","value":"6""#]),
            (&of_blue, 404, &["ResourceNotFoundException"]),
            ("eks GET /clusters/clinic/updates/6e6f-1?nodegroupName=green", 404, &[]),
        ],
    );
    world.advance(world.now() + 600_000, None);
    check(
        &mut world,
        &[
            (&describe, 200, &[r#""status":"Successful""#]),
            ("eks GET /clusters/clinic/node-groups/green", 200, &[r#""status":"ACTIVE""#, r#""maxSize":6"#]),
            ("eks DELETE /clusters/clinic/node-groups/green", 200, &[r#""status":"DELETING""#]),
            ("ec2 Action=DeleteLaunchTemplate&LaunchTemplateName=ferry-green", 200, &["lt-0"]),
            (
                "ec2 Action=DescribeLaunchTemplates&LaunchTemplateName.1=ferry-green",
                400,
                &["<Code>InvalidLaunchTemplateName.NotFoundException</Code>"],
            ),
        ],
    );
    world.advance(world.now() + 3_600_000, None);
    check(
        &mut world,
        &[("eks GET /clusters/clinic/node-groups/green", 404, &["ResourceNotFoundException", "green"])],
    );
}

#[test]
fn a_group_without_nodes_comes_and_goes() {
    let mut world = clinic();
    let empty =
        CREATE.replace("\"minSize\":2", "\"minSize\":0").replace("\"desiredSize\":3", "\"desiredSize\":0");
    check(&mut world, &[(TEMPLATE, 200, &[]), (&empty, 200, &[])]);
    world.advance(world.now() + 600_000, None);
    check(
        &mut world,
        &[
            ("eks GET /clusters/clinic/node-groups/green", 200, &[r#""status":"ACTIVE""#]),
            ("eks DELETE /clusters/clinic/node-groups/green", 200, &[r#""status":"DELETING""#]),
        ],
    );
    world.advance(world.now() + 60_000, None);
    check(&mut world, &[("eks GET /clusters/clinic/node-groups/green", 404, &["ResourceNotFoundException"])]);
}

#[test]
fn what_is_described_is_the_state_of_the_world() {
    let mut world = clinic();
    let state = world.aws();
    let asg = state.node_groups[0].asg_name.clone();
    let balancer = &state.load_balancers[0];
    let group = &state.target_groups[0];
    let listener = &balancer.listeners[0];
    let elb = |action: &str| format!("elasticloadbalancing Action={action}&Version=2015-12-01");
    let suspend = format!(
        "autoscaling Action=SuspendProcesses&AutoScalingGroupName={asg}&ScalingProcesses.member.1=AZRebalance"
    );
    let groups = format!("autoscaling Action=DescribeAutoScalingGroups&AutoScalingGroupNames.member.1={asg}");
    let all = elb("DescribeTargetHealth") + "&TargetGroupArn=" + &group.arn;
    let one = all.clone() + "&Targets.member.1.Id=i-0";
    check(
        &mut world,
        &[
            ("sts Action=GetCallerIdentity&Version=2011-06-15", 200, &["<Account>111122223333</Account>"]),
            ("eks GET /clusters/clinic", 200, &[r#""version":"1.36""#]),
            ("ec2 Action=DescribeSubnets", 200, &["<subnetSet><item><subnetId>subnet-0"]),
            ("ec2 Action=DescribeAvailabilityZones", 200, &["<zoneName>eu-central-1a</zoneName>"]),
            (
                "ec2 Action=DescribeInstances&Filter.1.Name=tag%3Aeks%3Anodegroup-name&Filter.1.Value.1=blue",
                200,
                &[
                    "<instancesSet><item><instanceId>i-0",
                    "<instanceState><code>16</code><name>running</name>",
                ],
            ),
            (&groups, 200, &["<SuspendedProcesses></SuspendedProcesses>", "<LifecycleState>InService<"]),
            (&suspend, 200, &["<SuspendProcessesResult></SuspendProcessesResult>"]),
            (&groups, 200, &["<ProcessName>AZRebalance</ProcessName>"]),
            (&suspend.replace("Suspend", "Resume"), 200, &[]),
            (&groups, 200, &["<SuspendedProcesses></SuspendedProcesses>"]),
            (
                &format!("autoscaling Action=DescribeLifecycleHooks&AutoScalingGroupName={asg}"),
                200,
                &["Terminate-LC-Hook"],
            ),
            (&format!("autoscaling Action=DescribeScalingActivities&AutoScalingGroupName={asg}"), 200, &[]),
            (&elb("DescribeLoadBalancers"), 200, &[&balancer.dns_name, "<Type>network</Type>"]),
            (&elb("DescribeTargetGroups"), 200, &[&group.arn, "<TargetType>"]),
            (&all, 200, &["<State>healthy</State>"]),
            (&one, 200, &["<State>unused</State>", "Target.NotRegistered"]),
            (
                &(elb("DescribeTargetGroupAttributes") + "&TargetGroupArn=" + &group.arn),
                200,
                &["deregistration_delay.timeout_seconds"],
            ),
            (
                &(elb("DescribeLoadBalancerAttributes") + "&LoadBalancerArn=" + &balancer.arn),
                200,
                &["load_balancing.cross_zone.enabled"],
            ),
            (&(elb("DescribeListeners") + "&LoadBalancerArn=" + &balancer.arn), 200, &["<Port>"]),
            (
                &(elb("DescribeListenerAttributes") + "&ListenerArn=" + &listener.arn),
                200,
                &["tcp.idle_timeout.seconds"],
            ),
            (
                &(elb("DescribeTags") + "&ResourceArns.member.1=" + &balancer.arn),
                200,
                &["kubernetes.io/service-name"],
            ),
        ],
    );
}

#[test]
fn long_lists_come_in_pages() {
    let mut world = clinic();
    check(&mut world, &[(TEMPLATE, 200, &[]), (CREATE, 200, &[])]);
    check(
        &mut world,
        &[
            ("eks GET /clusters/clinic/node-groups?maxResults=1", 200, &[r#"["blue"],"nextToken":"1""#]),
            (
                "eks GET /clusters/clinic/node-groups?maxResults=1&nextToken=1",
                200,
                &[r#"["green"],"nextToken":null"#],
            ),
            ("eks GET /clusters/clinic/node-groups?maxResults=101", 400, &["InvalidParameterException"]),
            ("eks GET /clusters/clinic/node-groups?nextToken=x", 400, &["InvalidParameterException"]),
            ("autoscaling Action=DescribeAutoScalingGroups&MaxRecords=1", 200, &["<NextToken>1</NextToken>"]),
            (
                "elasticloadbalancing Action=DescribeTargetGroups&PageSize=1",
                200,
                &["<NextMarker>1</NextMarker>"],
            ),
            ("ec2 Action=DescribeInstances&MaxResults=4", 400, &["InvalidParameterValue"]),
        ],
    );
}

#[test]
fn refusals_have_the_names_that_clients_look_for() {
    let mut world = clinic();
    let without_role = CREATE.replace("nodeRole", "nodeRule");
    let unordered = CREATE.replace("\"minSize\":2", "\"minSize\":9");
    let elsewhere = CREATE.replace("subnet-07694e6010105081a", "subnet-0");
    let excluded = CREATE.replace(
        "\"tags\":{\"owner\"",
        "\"labels\":{\"node.kubernetes.io/exclude-from-external-load-balancers\"",
    );
    check(
        &mut world,
        &[
            (
                "eks GET /clusters/other",
                404,
                &["ResourceNotFoundException", "No cluster found for name: other."],
            ),
            ("eks GET /clusters/clinic/node-groups/none", 404, &["ResourceNotFoundException"]),
            ("eks DELETE /clusters/clinic/node-groups/none", 404, &["ResourceNotFoundException"]),
            (CREATE, 400, &["InvalidRequestException", "ferry-green"]),
            ("eks POST /clusters/clinic/node-groups {", 400, &["SerializationException"]),
            (TEMPLATE, 200, &[]),
            (&without_role, 400, &["InvalidParameterException", "nodeRole"]),
            (&unordered, 400, &["InvalidParameterException"]),
            (&elsewhere, 400, &["InvalidParameterException", "subnet-0 does not exist"]),
            (&excluded, 400, &["InvalidParameterException", "reserved"]),
            ("eks POST /clusters/clinic/node-groups/blue/update-config {}", 400, &["No changes needed"]),
            ("ec2 Action=DescribeInstances&InstanceId.1=i-9", 400, &["InvalidInstanceID.NotFound"]),
            ("ec2 Action=RunInstances", 400, &["InvalidAction"]),
            ("ec2 Version=2016-11-15", 400, &["MissingAction"]),
            (
                "autoscaling Action=SuspendProcesses&AutoScalingGroupName=none",
                400,
                &["<Code>ValidationError</Code>", "none"],
            ),
            (
                "elasticloadbalancing Action=DescribeTargetHealth&TargetGroupArn=none",
                400,
                &["<Type>Sender</Type><Code>TargetGroupNotFound</Code>"],
            ),
            (
                "elasticloadbalancing Action=DescribeLoadBalancers&Names.member.1=none",
                400,
                &["LoadBalancerNotFound"],
            ),
        ],
    );
    let unsigned =
        Request { authorization: "Bearer x".into(), ..Request::new(Method::Get, "/clusters", Vec::new()) };
    assert!(!is_meant(&unsigned));
    assert_eq!(handle(&mut world, &unsigned).code, 403);
    let body = vec![b' '; BODY_BYTES_MAX + 1];
    assert_eq!(
        handle(
            &mut world,
            &Request { authorization: signed("ec2"), ..Request::new(Method::Post, "/", body) }
        )
        .code,
        413
    );
}

#[test]
fn tags_are_added_to_a_node_group() {
    let mut world = clinic();
    let state = world.aws();
    let arn =
        crate::export::aws::compute::node_group_arn(&state, "blue").replace(':', "%3A").replace('/', "%2F");
    check(
        &mut world,
        &[
            (&format!(r#"eks POST /tags/{arn} {{"tags":{{"owner":"ferry"}}}}"#), 200, &[]),
            (&format!("eks GET /tags/{arn}"), 200, &[r#""owner":"ferry""#]),
            ("eks GET /clusters/clinic/node-groups/blue", 200, &[r#""tags":{"owner":"ferry"}"#]),
            (r#"eks POST /tags/none {"tags":{"a":"b"}}"#, 404, &["NotFoundException"]),
        ],
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever comes, there is an answer that its protocol allows.
    #[test]
    fn no_request_makes_it_panic(
        service in prop_oneof![Just("eks"), Just("ec2"), Just("autoscaling"), Just("elasticloadbalancing"), Just("sts")],
        line in prop_oneof![
            Just(CREATE.to_owned()), Just(TEMPLATE.to_owned()),
            Just("x Action=DescribeTargetHealth&Targets.member.1.Id=%".to_owned()),
            "x (GET|POST|DELETE) /(clusters|tags)(/[a-z%0-9]{0,8}){0,5}(\\?[a-z]{0,9}=[0-9]{0,22})? \\{.{0,20}",
        ],
        cut in 0..900_usize,
        put in "[\\PC]{0,6}",
    ) {
        let mut world = clinic();
        let at = (0..=cut.min(line.len())).rev().find(|&at| line.is_char_boundary(at)).unwrap_or(0);
        let changed = format!("{}{put}{}", &line[..at], line[at..].chars().skip(put.len()).collect::<String>());
        let rest = changed.split_once(' ').map_or("", |(_, rest)| rest);
        let (code, _) = ask(&mut world, &format!("{service} {rest}"));
        prop_assert!((200..500).contains(&code));
    }
}

#[test]
fn what_is_described_is_laid_together_once_until_something_changes() {
    let mut world = clinic();
    let suspend =
        "autoscaling Action=SuspendProcesses&ScalingProcesses.member.1=AZRebalance&AutoScalingGroupName=";
    ask(&mut world, "ec2 Action=DescribeInstances");
    let first = world.aws_shown();
    ask(&mut world, "elasticloadbalancing Action=DescribeTargetGroups");
    assert!(std::sync::Arc::ptr_eq(&first, &world.aws_shown()), "nothing has changed");
    let group = first.auto_scaling_groups[0].name.clone();
    assert_eq!(ask(&mut world, &format!("{suspend}{group}")).0, 200);
    assert_eq!(world.aws_shown().auto_scaling_groups[0].suspended_processes, ["AZRebalance"]);
    assert_eq!(*world.aws_shown(), world.aws());

    // A Node that is deleted through the other API no longer belongs to its instance.
    let node = world.aws().instances.iter().find_map(|one| one.node.clone()).unwrap();
    let path = format!("/api/v1/nodes/{node}");
    crate::api::handle(&mut world, &Request::new(Method::Delete, &path, Vec::new()));
    assert!(world.aws_shown().instances.iter().all(|one| one.node.as_ref() != Some(&node)));
}

#[test]
fn who_asks_too_often_is_told_in_the_words_of_the_service() {
    for (service, code, name) in [
        ("eks", 429, "ThrottlingException"),
        ("ec2", 503, "RequestLimitExceeded"),
        ("autoscaling", 400, "<Code>Throttling</Code>"),
        ("elasticloadbalancing", 400, "<Code>Throttling</Code>"),
    ] {
        let request = Request::new(Method::Post, "/", Vec::new());
        let response = throttled(&Request { authorization: signed(service), ..request });
        let body = String::from_utf8(response.body).unwrap();
        assert!(response.code == code && body.contains(name), "{service}: {} {body}", response.code);
    }
}

#[test]
fn an_instance_is_shown_for_an_hour_after_its_end() {
    let mut world = clinic();
    ask(&mut world, "eks DELETE /clusters/clinic/node-groups/blue");
    let id = world.aws().instances[0].id.clone();
    let describe = format!("ec2 Action=DescribeInstances&InstanceId.1={id}");
    let gone = |world: &mut World| ask(world, &describe).1.contains("<name>terminated</name>");
    let mut passed = 0;
    while !gone(&mut world) {
        world.advance(world.now() + 60_000, None);
        passed += 1;
        assert!(passed < 120, "the group takes its instances along");
    }
    world.advance(world.now() + 58 * 60_000, None);
    assert!(gone(&mut world));
    world.advance(world.now() + 3 * 60_000, None);
    let (code, body) = ask(&mut world, &describe);
    assert!(code == 400 && body.contains("InvalidInstanceID.NotFound"), "{body}");
}
