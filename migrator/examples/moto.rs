//! A second opinion on the AWS side: what a migration describes and sends, put to moto, a simulation of AWS that others wrote.
//!
//!     moto ENDPOINT        the address of a `moto_server`; started by `tests/clients/run`
//!
//! A line for each check, and their count at the end; exits 1 where one failed. Where moto differs from AWS, the check says
//! what AWS does and what moto is taken to do instead.

#![expect(clippy::print_stdout, reason = "prints what it checked")]

use std::{collections::BTreeMap, error::Error, process::ExitCode, sync::Arc, time::Duration};

use aws_sdk_autoscaling::types::LaunchTemplateSpecification;
use aws_sdk_elasticloadbalancingv2::types as elb;
use jiff::Timestamp;
use k8s_openapi::api::core::v1 as core;
use migrator::{
    action::{Answer, Write},
    live::{
        Clock, Failed,
        aws::{Aws, Endpoints, Look},
        connect::{To, account},
    },
    objects,
    plan::{PLAN_TAG, Plan},
    request::Request,
    view::{AwsView, Bounds, ClusterView, EksTaint, NodeGroupStatus, TargetState},
};

type Outcome = Result<(), Box<dyn Error>>;

/// Checks by name.
#[derive(Default)]
struct Checks {
    passed: u32,
    failed: u32,
}

impl Checks {
    fn check(&mut self, name: &str, outcome: Outcome) {
        match outcome {
            Ok(()) => {
                self.passed += 1;
                println!("ok      {name}");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAILED  {name}\n        {error}");
            }
        }
    }
}

/// An expectation, told with what was seen.
fn expect(holds: bool, seen: impl std::fmt::Debug) -> Outcome {
    if holds { Ok(()) } else { Err(format!("{seen:?}").into()) }
}

fn main() -> ExitCode {
    let Some(endpoint) = std::env::args().nth(1) else {
        println!("FAILED  the address of a moto_server is not given: tests/clients/run moto starts one");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let mut checks = Checks::default();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(all(&endpoint, &mut checks)),
        Err(error) => Err(error.into()),
    };
    if let Err(error) = done {
        checks.check("what the checks need can be had", Err(error));
    }
    println!("{} passed, {} failed", checks.passed, checks.failed);
    if checks.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// An account with a cluster, a node group and a load balancer.
struct Given {
    aws: Aws,
    clock: Clock,
    cluster: ClusterView,
    load_balancer: String,
    instance: String,
}

async fn all(endpoint: &str, checks: &mut Checks) -> Outcome {
    let mut given = given(endpoint).await?;
    checks.check("the cluster is found", found(&given).await);
    checks.check("what there is is described", described(&mut given).await);
    let view = polled(&mut given).await?;
    let cluster = ClusterView { aws: Arc::new(view), ..given.cluster.clone() };
    let request = Request::new("blue", "green");
    let plan = Plan::new("20260101-000000-0001", "holder", &request, &cluster, given.clock.now());
    checks.check("a launch template is tried, made, made again and seen", template(&mut given, &plan).await);
    checks.check("a node group is made, made again and seen", group(&mut given, &plan).await);
    checks.check("bounds and taints change", updated(&mut given, &plan).await);
    checks.check("processes are suspended and resumed", processes(&mut given, &plan).await);
    checks.check("a target that leaves is no target any more", left(&mut given).await);
    checks.check("what is deleted is gone, and gone the second time", deleted(&mut given, &plan).await);
    Ok(())
}

async fn given(endpoint: &str) -> Result<Given, Box<dyn Error>> {
    let url = || Some(endpoint.to_owned());
    let to = To {
        request_timeout: Duration::from_secs(30),
        region: Some("eu-central-1".to_owned()),
        endpoints: Endpoints { eks: url(), ec2: url(), autoscaling: url(), elb: url() },
        cluster: Some("clinic".to_owned()),
        ..To::default()
    };
    let aws = account(&to).await?;
    #[expect(clippy::disallowed_methods, reason = "the clock of a real server's client")]
    let clock = Clock::set(Timestamp::now(), 1);
    let vpc = aws.ec2.create_vpc().cidr_block("10.0.0.0/16").send().await?;
    let vpc = vpc.vpc().and_then(|vpc| vpc.vpc_id()).ok_or("no VPC")?.to_owned();
    let mut subnets = Vec::new();
    for (zone, block) in [("eu-central-1a", "10.0.1.0/24"), ("eu-central-1b", "10.0.2.0/24")] {
        let asked = aws.ec2.create_subnet().vpc_id(&vpc).availability_zone(zone).cidr_block(block);
        let made = asked.send().await?;
        subnets.push(made.subnet().and_then(|one| one.subnet_id()).ok_or("no subnet")?.to_owned());
    }
    let network =
        aws_sdk_eks::types::VpcConfigRequest::builder().set_subnet_ids(Some(subnets.clone())).build();
    let role = |name: &str| format!("arn:aws:iam::123456789012:role/{name}");
    let asked = aws.eks.create_cluster().name("clinic").version("1.33").role_arn(role("cluster"));
    asked.resources_vpc_config(network).send().await?;
    let scaling = aws_sdk_eks::types::NodegroupScalingConfig::builder();
    let scaling = scaling.min_size(2).max_size(4).desired_size(2).build();
    let asked = aws.eks.create_nodegroup().cluster_name("clinic").nodegroup_name("blue");
    let asked = asked.node_role(role("node")).set_subnets(Some(subnets.clone())).scaling_config(scaling);
    let asked = asked.instance_types("m6i.xlarge").ami_type("AL2023_x86_64_STANDARD".into());
    let made = asked.labels("team", "clinic").send().await?;
    let scaling_group = made
        .nodegroup()
        .and_then(|group| group.resources()?.auto_scaling_groups().first()?.name())
        .ok_or("the group names no Auto Scaling group")?
        .to_owned();
    // moto names an Auto Scaling group that it does not make; with EKS it is there.
    let data = aws_sdk_ec2::types::RequestLaunchTemplateData::builder().image_id("ami-12345678");
    let asked = aws.ec2.create_launch_template().launch_template_name("eks-blue");
    asked.launch_template_data(data.build()).send().await?;
    let template =
        LaunchTemplateSpecification::builder().launch_template_name("eks-blue").version("1").build();
    let asked = aws.autoscaling.create_auto_scaling_group().auto_scaling_group_name(&scaling_group);
    let asked = asked.min_size(2).max_size(4).desired_capacity(2).launch_template(template);
    asked.vpc_zone_identifier(subnets.join(",")).send().await?;
    let asked = aws.autoscaling.describe_auto_scaling_groups().auto_scaling_group_names(&scaling_group);
    let groups = asked.send().await?;
    let instance = groups
        .auto_scaling_groups()
        .first()
        .and_then(|group| group.instances().first()?.instance_id())
        .ok_or("the Auto Scaling group has no instance")?
        .to_owned();
    let asked = aws.elb.create_load_balancer().name("portal").r#type(elb::LoadBalancerTypeEnum::Network);
    let made = asked.set_subnets(Some(subnets)).send().await?;
    let balancer = made.load_balancers().first().ok_or("no load balancer")?;
    let (arn, host) = (balancer.load_balancer_arn(), balancer.dns_name());
    let (arn, host) = (arn.ok_or("no ARN")?.to_owned(), host.ok_or("no host name")?.to_owned());
    let asked = aws.elb.create_target_group().name("portal").protocol(elb::ProtocolEnum::Tcp).port(30080);
    let made = asked.vpc_id(&vpc).target_type(elb::TargetTypeEnum::Instance).send().await?;
    let group = made.target_groups().first().and_then(|group| group.target_group_arn());
    let group = group.ok_or("no target group")?.to_owned();
    let forward = elb::Action::builder().r#type(elb::ActionTypeEnum::Forward).target_group_arn(&group);
    let asked = aws.elb.create_listener().load_balancer_arn(&arn).protocol(elb::ProtocolEnum::Tcp).port(443);
    asked.default_actions(forward.build()).send().await?;
    let target = elb::TargetDescription::builder().id(&instance).build();
    aws.elb.register_targets().target_group_arn(&group).targets(target).send().await?;
    Ok(Given { aws, clock, cluster: service(&host)?, load_balancer: arn, instance })
}

/// What Kubernetes would show of the Service behind a load balancer.
fn service(host: &str) -> Result<ClusterView, Box<dyn Error>> {
    let service: core::Service = serde_json::from_value(serde_json::json!({
        "metadata": {"namespace": "clinic", "name": "portal", "uid": "u-1", "resourceVersion": "1"},
        "spec": {"type": "LoadBalancer", "selector": {"app": "portal"}},
        "status": {"loadBalancer": {"ingress": [{"hostname": host}]}},
    }))?;
    let service = objects::service(&service);
    let services = BTreeMap::from([(service.meta.name.clone(), Arc::new(service))]);
    Ok(ClusterView { services, ..ClusterView::default() })
}

fn why(failed: Failed) -> Box<dyn Error> {
    format!("{:?}: {}", failed.answer, failed.why).into()
}

async fn polled(given: &mut Given) -> Result<AwsView, Box<dyn Error>> {
    given.aws.poll(&given.cluster, &given.clock, Look::All).await.map_err(why)
}

async fn found(given: &Given) -> Outcome {
    let clusters = given.aws.clusters().await.map_err(why)?;
    expect(clusters == ["clinic"], clusters)
}

async fn described(given: &mut Given) -> Outcome {
    let view = polled(given).await?;
    let blue = view.node_groups.get("blue").ok_or("no group")?;
    expect(blue.status == NodeGroupStatus::Active, blue.status)?;
    expect(blue.bounds == Bounds { min: 2, max: 4, desired: 2 }, blue.bounds)?;
    expect(blue.instance_types == ["m6i.xlarge".into()], &blue.instance_types)?;
    expect(blue.labels.get("team").map(String::as_str) == Some("clinic"), &blue.labels)?;
    expect(&*view.cluster_version == "1.33", &view.cluster_version)?;
    expect(view.subnets.len() == 2 && view.subnets.values().all(|one| !one.zone.is_empty()), &view.subnets)?;
    let scaling = view.auto_scaling_groups.values().next().ok_or("no Auto Scaling group")?;
    expect(scaling.bounds == Bounds { min: 2, max: 4, desired: 2 }, scaling.bounds)?;
    expect(scaling.instances.len() == 2, &scaling.instances)?;
    let group = view.target_groups.values().next().ok_or("no target group")?;
    expect(!group.ip_targets && !group.classic && !group.cross_zone, group)?;
    // moto says nothing of it; with AWS it is on unless it was turned off.
    expect(group.unhealthy_cuts, group)?;
    // Of a group of which nothing was set.
    expect(group.deregistration_delay == Duration::from_secs(300), group.deregistration_delay)?;
    expect(group.targets.len() == 1, &group.targets)?;
    let target = &group.targets[0];
    expect(matches!(target.state, TargetState::Healthy | TargetState::Initial), target)?;
    expect(target.zone.starts_with("eu-central-1"), target)
}

async fn template(given: &mut Given, plan: &Plan) -> Outcome {
    let template = plan.creation.as_ref().ok_or("the plan makes nothing")?.launch_template.clone();
    let write = Write::CreateLaunchTemplate(template.clone());
    given.aws.rehearse(&write, plan).await.map_err(why)?;
    let view = polled(given).await?;
    expect(view.launch_templates.is_empty(), &view.launch_templates)?;
    given.aws.send(&write, plan).await.map_err(why)?;
    // The same token again: EC2 answers with what was made; moto does not know of tokens and says that it exists, which is
    // decided again on what is seen.
    match given.aws.send(&write, plan).await {
        Ok(()) => {}
        Err(failed) => expect(failed.answer == Answer::Conflict, failed)?,
    }
    let view = polled(given).await?;
    let tags = view.launch_templates.get(&template.name).ok_or("it is not seen")?;
    expect(tags.get(PLAN_TAG).map(String::as_str) == Some(&*plan.id), tags)
}

async fn group(given: &mut Given, plan: &Plan) -> Outcome {
    let group = plan.creation.as_ref().ok_or("the plan makes nothing")?.group.clone();
    let write = Write::CreateNodeGroup(group.clone());
    given.aws.send(&write, plan).await.map_err(why)?;
    // As with the template.
    match given.aws.send(&write, plan).await {
        Ok(()) => {}
        Err(failed) => expect(matches!(failed.answer, Answer::Refused(_)), failed)?,
    }
    let view = polled(given).await?;
    let green = view.node_groups.get("green").ok_or("it is not seen")?;
    expect(green.bounds == group.bounds, green.bounds)?;
    expect(green.labels == group.labels, &green.labels)?;
    expect(green.node_role == group.node_role, &green.node_role)?;
    expect(green.instance_types == group.instance_types, &green.instance_types)?;
    expect(green.tags.get(PLAN_TAG).map(String::as_str) == Some(&*plan.id), &green.tags)
}

async fn updated(given: &mut Given, plan: &Plan) -> Outcome {
    let bounds = Bounds { min: 2, max: 2, desired: 2 };
    let write = Write::UpdateNodeGroupBounds { group: "blue".into(), bounds };
    given.aws.send(&write, plan).await.map_err(why)?;
    let taint =
        EksTaint { key: "nodeferry.io/migrating".into(), value: "true".into(), effect: "NO_SCHEDULE".into() };
    let taints = |add: &[EksTaint], remove: &[EksTaint]| Write::UpdateNodeGroupTaints {
        group: "blue".into(),
        add: add.to_vec(),
        remove: remove.to_vec(),
    };
    given.aws.send(&taints(std::slice::from_ref(&taint), &[]), plan).await.map_err(why)?;
    let view = polled(given).await?;
    let blue = view.node_groups.get("blue").ok_or("no group")?;
    expect(blue.bounds == bounds, blue.bounds)?;
    expect(blue.taints == [taint.clone()], &blue.taints)?;
    given.aws.send(&taints(&[], &[taint]), plan).await.map_err(why)?;
    let view = polled(given).await?;
    let blue = view.node_groups.get("blue").ok_or("no group")?;
    expect(blue.taints.is_empty(), &blue.taints)
}

async fn processes(given: &mut Given, plan: &Plan) -> Outcome {
    let view = polled(given).await?;
    let name = view.auto_scaling_groups.keys().next().ok_or("no Auto Scaling group")?.clone();
    let processes: Vec<Arc<str>> = vec!["AZRebalance".into()];
    let suspend = Write::SuspendProcesses { group: name.clone(), processes: processes.clone() };
    given.aws.send(&suspend, plan).await.map_err(why)?;
    let suspended = |view: &AwsView| view.auto_scaling_groups.get(&name).map(|group| group.suspended.clone());
    let seen = suspended(&polled(given).await?);
    expect(seen.as_deref() == Some(&["AZRebalance".into()]), seen)?;
    let resume = Write::ResumeProcesses { group: name.clone(), processes };
    given.aws.send(&resume, plan).await.map_err(why)?;
    let seen = suspended(&polled(given).await?);
    expect(seen == Some(Vec::new()), seen)
}

async fn left(given: &mut Given) -> Outcome {
    let asked = given.aws.elb.describe_target_groups().load_balancer_arn(&given.load_balancer);
    let groups = asked.send().await?;
    let arn = groups.target_groups().first().and_then(|group| group.target_group_arn()).ok_or("no group")?;
    let target = elb::TargetDescription::builder().id(&given.instance).build();
    given.aws.elb.deregister_targets().target_group_arn(arn).targets(target).send().await?;
    let view = polled(given).await?;
    let targets = view.target_groups.get(arn).map(|group| group.targets.clone());
    expect(targets.as_ref().is_some_and(Vec::is_empty), targets)
}

async fn deleted(given: &mut Given, plan: &Plan) -> Outcome {
    let template = plan.creation.as_ref().ok_or("the plan makes nothing")?.launch_template.name.clone();
    let group = Write::DeleteNodeGroup { group: "green".into() };
    given.aws.send(&group, plan).await.map_err(why)?;
    let again = given.aws.send(&group, plan).await;
    expect(again.as_ref().is_err_and(|failed| failed.answer == Answer::NotFound), again)?;
    let template = Write::DeleteLaunchTemplate { name: template };
    given.aws.send(&template, plan).await.map_err(why)?;
    // EC2 says that there is none of this name; moto, that no name was given.
    let again = given.aws.send(&template, plan).await;
    let gone = again.as_ref().is_err_and(|failed| {
        failed.answer == Answer::NotFound || failed.why.starts_with("MissingParameter: ")
    });
    expect(gone, again)?;
    let view = polled(given).await?;
    expect(!view.node_groups.contains_key("green"), view.node_groups.keys())?;
    expect(view.launch_templates.is_empty(), &view.launch_templates)
}
