//! The cases: for each code a change that brings it about, and the nearest change that does not.

use std::sync::Arc;

use k8s_openapi::{api::core::v1 as core, apimachinery::pkg::api::resource::Quantity};

use crate::{
    findings::{
        Code::{self, *},
        tests::given::{Given, blanket, map, meta, name, owner, secs, selecting, spec, taint},
    },
    permissions::Review,
    request::LetGo,
    view::{
        NodeGroupStatus, OwnerKind, PodPhase, PodSpec, Resources, Subnet, TargetState, VerticalPodAutoscaler,
    },
};

type Change = fn(&mut Given);

pub(super) const CASES: &[(Code, Change, Change)] = &[
    (LockHeld, |given| given.lock("someone"), |given| given.lock("")),
    (JournalOpen, |given| given.journal("paused"), |given| given.journal("finished")),
    (
        MarksLeft,
        |given| mark(given, "plan-1"),
        |given| {
            given.expectations.plan = Some("plan-1".into());
            mark(given, "plan-1");
        },
    ),
    (
        MarksLeft,
        |given| given.node("blue-a").taints = Arc::new(vec![taint("nodeferry.io/migrating")]),
        |given| {
            given.node("blue-a").taints = Arc::new(vec![taint("example.com/other")]);
        },
    ),
    (
        PermissionsMissing,
        |given| review(given).missing.push("create pods/eviction".to_owned()),
        |given| *review(given) = Review::default(),
    ),
    (
        PermissionsMissing,
        // More than anybody reads.
        |given| review(given).missing.extend((0..14).map(|number| format!("get things-{number}"))),
        |_| {},
    ),
    (
        PermissionsUnanswered,
        |given| {
            let pair = |name: &str| (name.to_owned(), "Forbidden: no".to_owned());
            review(given).unanswered.extend([pair("patch nodes"), pair("patch pods")]);
        },
        |given| review(given).missing.push("patch nodes".to_owned()),
    ),
    (
        PermissionsUnasked,
        |given| review(given).unasked.push("eks:DeleteNodegroup".to_owned()),
        |given| review(given).missing.push("eks:DeleteNodegroup".to_owned()),
    ),
    (
        LeftBehind,
        |given| made_by(given, "plan-0", None),
        // The group that a migration made uses the template that it made.
        |given| made_by(given, "plan-0", Some(NodeGroupStatus::Active)),
    ),
    (
        LeftBehind,
        |given| made_by(given, "plan-0", Some(NodeGroupStatus::CreateFailed)),
        |given| {
            given.journal("finished");
            made_by(given, "plan-1", Some(NodeGroupStatus::CreateFailed));
        },
    ),
    (
        NodesElsewhere,
        |given| given.instances("blue", Vec::clear),
        |given| given.instances("blue", |instances| drop(instances.pop())),
    ),
    // A node whose instance is gone is not Ready for long.
    (
        NodeOutsideScalingGroup,
        |given| given.instances("blue", |instances| drop(instances.pop())),
        |given| {
            given.instances("blue", |instances| drop(instances.pop()));
            given.node("blue-b").ready = false;
        },
    ),
    (VersionNotTried, |given| given.aws(|aws| aws.cluster_version = "1.35".into()), |_| {}),
    (
        RoleNotMapped,
        |given| mapped(given, "CONFIG_MAP", Some("- rolearn: arn:aws:iam::1:role/nodes-of-another"), None),
        |given| mapped(given, "CONFIG_MAP", Some("- {\"rolearn\": \"arn:aws:iam::1:role/nodes\"}"), None),
    ),
    // What may not be read may have it.
    (
        RoleNotMapped,
        |given| mapped(given, "API_AND_CONFIG_MAP", Some("[]"), Some("arn:aws:iam::1:role/people")),
        |given| mapped(given, "API_AND_CONFIG_MAP", Some("[]"), None),
    ),
    (
        RoleNotMapped,
        |given| {
            mapped(
                given,
                "API",
                Some("- rolearn: arn:aws:iam::1:role/nodes"),
                Some("arn:aws:iam::1:role/nodes"),
            )
        },
        |given| mapped(given, "API", None, Some("arn:aws:iam::1:role/shop/nodes")),
    ),
    (
        AttributesDiffer,
        |given| {
            annotated(
                given,
                "deregistration_delay.timeout_seconds=60, deregistration_delay.connection_termination.enabled=false",
            )
        },
        |given| annotated(given, "deregistration_delay.timeout_seconds=300,preserve_client_ip.enabled=true"),
    ),
    // The cloud controller manager does not know these annotations.
    (
        AttributesDiffer,
        |given| annotated(given, "load_balancing.cross_zone.enabled=true"),
        |given| {
            annotated(given, "load_balancing.cross_zone.enabled=true");
            given.target_group(|group| group.load_balancer_controller = false);
        },
    ),
    (
        ReplicasManaged,
        |given| given.web().replicas_managers = ["argocd-controller".into(), "kubectl".into()].into(),
        |given| given.web().replicas_managers = ["kubectl".into(), "nodeferry".into()].into(),
    ),
    // Who is moved by eviction keeps its number.
    (
        ReplicasManaged,
        |given| given.web().replicas_managers = ["keda".into()].into(),
        |given| {
            given.web().replicas_managers = ["keda".into()].into();
            given.add_autoscaler(4, true);
        },
    ),
    (
        ReplicasDeployed,
        |given| given.web().replicas_managers = ["helm".into()].into(),
        |given| given.web().replicas_managers = ["helm-controller".into()].into(),
    ),
    (
        VerticalAutoscaler,
        |given| vertical(given, "Recreate", "web"),
        |given| vertical(given, "Initial", "web"),
    ),
    (
        VerticalAutoscaler,
        |given| vertical(given, "Auto", "web"),
        |given| vertical(given, "Auto", "elsewhere"),
    ),
    (SingletonSurged, |given| singleton(given, "0"), |given| singleton(given, "1")),
    (
        OwnPod,
        |given| given.expectations.own_pod = Some(name("shop", "web-1-0")),
        |given| {
            given.add_node("third", None, "a");
            given.add_pod("shop", "ferry", "ferry", "third", None);
            given.expectations.own_pod = Some(name("shop", "ferry"));
        },
    ),
    (GroupNotActive, |given| given.group(|group| group.status = NodeGroupStatus::Degraded), |_| {}),
    (GroupIsSpot, |given| given.group(|group| group.capacity_type = "SPOT".into()), |_| {}),
    (GroupRepairs, |given| given.group(|group| group.repair = true), |_| {}),
    (
        CustomImage,
        |given| given.group(|group| group.ami_type = "CUSTOM".into()),
        |given| {
            given.group(|group| group.ami_type = "CUSTOM".into());
            given.request.ami_type = Some("AL2023_x86_64_STANDARD".into());
        },
    ),
    (GroupQuota, |given| given.request.max = Some(451), |given| given.request.max = Some(450)),
    (ScalingGroupUnknown, |given| given.aws(|aws| aws.auto_scaling_groups.clear()), |_| {}),
    (VersionChanges, |given| given.group(|group| group.version = "1.35".into()), |_| {}),
    (
        ArchitectureChanges,
        |given| given.request.ami_type = Some("AL2023_ARM_64_STANDARD".into()),
        |given| {
            given.request.ami_type = Some("BOTTLEROCKET_x86_64".into());
        },
    ),
    (
        OtherNodes,
        |given| given.add_node("alone", None, "a"),
        |given| given.add_node("other", Some("other"), "a"),
    ),
    (OtherNodes, |given| kind(given, "karpenter.sh/NodePool"), |_| {}),
    (
        AutoscalerNotFound,
        |given| {
            given.cluster.deployments.remove(&name("kube-system", "cluster-autoscaler"));
        },
        |_| {},
    ),
    // Two nodes and two pods need four addresses.
    (AddressesScarce, |given| addresses(given, 1, 2), |given| addresses(given, 2, 2)),
    (
        OldNodeNotReady,
        |given| given.node("blue-a").ready = false,
        |given| {
            given.add_node("blue-c", Some("blue"), "c");
            given.node("blue-c").ready = false;
        },
    ),
    (NoLoadBalancer, |given| given.aws(|aws| aws.target_groups.clear()), |_| {}),
    // A contract of 600 s, and 300 s in which connections still arrive.
    (CutAtEndOfDelay, |given| delay(given, 899), |given| delay(given, 900)),
    (
        CutAtEndOfDelay,
        |given| {
            contract(given, 301);
            delay(given, 600);
        },
        |given| {
            contract(given, 300);
            delay(given, 600);
        },
    ),
    // A pod target's contract is 295 s: 605 s less 300 s of propagation and 10 s until it is deregistered.
    (
        CutAtEndOfDelay,
        |given| {
            given.ip_targets();
            delay(given, 594);
        },
        |given| {
            given.ip_targets();
            delay(given, 595);
        },
    ),
    (CutWhenPortCloses, |given| ip_that_cuts(given, 604), |given| ip_that_cuts(given, 605)),
    (IpGraceTooShort, |given| ip_grace(given, 310), |given| ip_grace(given, 311)),
    (
        ContractEmpty,
        |given| given.specs(|spec| spec.grace_period = secs(5)),
        |given| {
            given.specs(|spec| spec.grace_period = secs(6));
        },
    ),
    (IdleTimeoutTooShort, |given| silence(given, 350), |given| silence(given, 349)),
    (ClosesAtSigterm, closes, |given| {
        closes(given);
        given.request.settings.let_go = LetGo::Before;
    }),
    // Where others send new connections to old pods, holding them back does not help.
    (
        ClosesAtSigterm,
        |given| {
            closes(given);
            given.request.settings.let_go = LetGo::Before;
            given.service("web").local = false;
        },
        |_| {},
    ),
    (
        ClosesAtSigterm,
        |given| {
            closes(given);
            given.specs(|spec| spec.pre_stop = Some(secs(604)));
        },
        |given| {
            closes(given);
            given.specs(|spec| spec.pre_stop = Some(secs(605)));
        },
    ),
    (
        ClosesAtSigterm,
        |given| {
            closes(given);
            given.specs(|spec| spec.pre_stop = None);
        },
        |_| {},
    ),
    (
        ZoneWithoutTarget,
        |given| given.request.subnets = vec!["subnet-a".into(), "subnet-c".into()],
        |given| {
            given.request.subnets = vec!["subnet-a".into(), "subnet-c".into()];
            given.target_group(|group| group.cross_zone = true);
        },
    ),
    (ZoneWithoutTarget, |given| given.adopt(&["a"]), |given| given.adopt(&["a", "b"])),
    (
        ZoneWithoutTarget,
        |given| {
            given.ip_targets();
            given.request.subnets = vec!["subnet-a".into()];
        },
        Given::ip_targets,
    ),
    (ZoneMayStayEmpty, |given| given.request.desired = Some(1), |given| given.request.desired = Some(2)),
    (
        TargetGroupDrifted,
        |given| given.target_group(|group| group.drifted = true),
        |given| {
            // The AWS Load Balancer Controller changes attributes when the Service changes, not when nodes do.
            given.target_group(|group| (group.drifted, group.load_balancer_controller) = (true, true));
        },
    ),
    (
        TargetLabelsMissing,
        |given| target_labels(given, "pool=web,hand=made"),
        |given| target_labels(given, "pool=web"),
    ),
    (ClassicLoadBalancer, |given| given.target_group(|group| group.classic = true), |_| {}),
    (Ingresses, |given| kind(given, "networking.k8s.io/Ingress"), |_| {}),
    // Two zones with 500 places each.
    (TargetQuota, |given| many_targets(given, 999), |given| many_targets(given, 998)),
    (
        LongContract,
        |given| given.specs(|spec| spec.grace_period = secs(3606)),
        |given| {
            given.specs(|spec| spec.grace_period = secs(3605));
        },
    ),
    (DaemonSetServes, serving_daemon_set, |given| given.add_daemon_set("edge", spec())),
    (
        ControllerAlone,
        |given| controller(given, &["blue-a"]),
        |given| controller(given, &["blue-a", "blue-b"]),
    ),
    (
        DaemonSetServesToTheEnd,
        |given| {
            serving_daemon_set(given);
            given.service("edge").local = false;
        },
        serving_daemon_set,
    ),
    (
        StatefulSetAloneInZone,
        |given| {
            given.add_stateful_set("db", &["blue-a", "blue-b"]);
            given.add_service("db");
        },
        // Any node is a target that forwards to pods elsewhere.
        |given| {
            given.add_stateful_set("db", &["blue-a", "blue-b"]);
            given.add_service("db");
            given.service("db").local = false;
        },
    ),
    (
        StatefulSetAloneInZone,
        |given| {
            given.ip_targets();
            given.cluster.pods.clear();
            given.add_stateful_set("web", &["blue-a", "blue-b"]);
        },
        // With cross-zone load balancing on, any target of another zone serves.
        |given| {
            given.ip_targets();
            given.cluster.pods.clear();
            given.add_stateful_set("web", &["blue-a", "blue-b"]);
            given.target_group(|group| group.cross_zone = true);
        },
    ),
    (
        MarksLeft,
        |given| {
            let pods = &mut given.cluster.pods;
            let pod = Arc::make_mut(pods.get_mut(&name("shop", "web-1-0")).expect("given"));
            pod.meta.annotations = map(&[("nodeferry.io/was", "{}")]).into();
        },
        |_| {},
    ),
    (
        ClosesAtSigterm,
        |given| {
            closes(given);
            given.request.settings.let_go = LetGo::Before;
            given.web().recreate = true;
        },
        |given| {
            closes(given);
            given.request.settings.let_go = LetGo::Before;
        },
    ),
    (
        StatefulSetSharesNode,
        |given| {
            given.add_stateful_set("db", &["blue-a", "blue-a", "blue-b"]);
            given.add_service("db");
        },
        |given| {
            given.add_stateful_set("db", &["blue-a", "blue-b"]);
            given.add_service("db");
        },
    ),
    (
        FewerDaemonSetPods,
        |given| {
            serving_daemon_set(given);
            given.request.desired = Some(1);
        },
        |given| {
            serving_daemon_set(given);
            given.request.desired = Some(2);
        },
    ),
    (
        NoMatchingNode,
        |given| {
            let labels = Arc::make_mut(&mut given.node("blue-a").meta.labels);
            labels.insert("hand".to_owned(), "made".to_owned());
            select(given, "hand", "made");
        },
        |given| select(given, "pool", "web"),
    ),
    (
        NoMatchingNode,
        |given| select(given, "eks.amazonaws.com/nodegroup", "blue"),
        |given| {
            select(given, "eks.amazonaws.com/nodegroup", "green");
        },
    ),
    (
        NoMatchingNode,
        |given| require(given, "topology.kubernetes.io/zone", "In", &["c"]),
        |given| {
            require(given, "topology.kubernetes.io/zone", "In", &["c", "b"]);
        },
    ),
    (
        NoMatchingNode,
        |given| require(given, "kubernetes.io/hostname", "In", &["blue-a"]),
        |given| {
            require(given, "kubernetes.io/hostname", "NotIn", &["blue-a"]);
        },
    ),
    // It waits for a node, and only the old ones are such a node.
    (NoMatchingNode, |given| waiting_for(given, "blue"), |given| waiting_for(given, "green")),
    (NoMatchingNode, |given| adopt_tainted(given, "no"), |given| adopt_tainted(given, "yes")),
    (
        LabelsNotCloned,
        |given| {
            Arc::make_mut(&mut given.node("blue-a").meta.labels).insert("hand".to_owned(), "made".to_owned());
        },
        |_| {},
    ),
    (VolumeZone, |given| given.add_claim(false, &["c"]), |given| given.add_claim(false, &["c", "b"])),
    // Each of two new nodes takes one pod.
    (
        AntiAffinity,
        |given| {
            given.add_deployment("shop", "web", &["blue-a", "blue-a", "blue-b"]);
            keep_apart(given, "kubernetes.io/hostname");
        },
        |given| keep_apart(given, "kubernetes.io/hostname"),
    ),
    // A zone each: the old pods hold both zones while the new ones start.
    (
        AntiAffinity,
        |given| keep_apart(given, "topology.kubernetes.io/zone"),
        |given| {
            given.cluster.deployments.remove(&name("shop", "web"));
            given.cluster.pods.clear();
            given.add_stateful_set("web", &["blue-a", "blue-b"]);
            keep_apart(given, "topology.kubernetes.io/zone");
        },
    ),
    // The other zone has room, but the load balancer keeps its zones apart.
    (AntiAffinity, one_pod_kept_out_of_its_zone, |given| {
        one_pod_kept_out_of_its_zone(given);
        given.target_group(|group| group.cross_zone = true);
    }),
    // An old node without a pod stays a domain with none: each of two new nodes takes one.
    (
        Spread,
        |given| spread_with_empty_node(given, None),
        |given| spread_with_empty_node(given, Some("Honor")),
    ),
    (
        HostPort,
        |given| {
            given.add_deployment("shop", "web", &["blue-a", "blue-b", "blue-b"]);
            host_port(given);
        },
        host_port,
    ),
    (
        ComesBack,
        |given| {
            given.add_stateful_set("db", &["blue-a", "blue-b"]);
            given.specs(|spec| spec.tolerations = vec![blanket()]);
        },
        |given| given.specs(|spec| spec.tolerations = vec![blanket()]),
    ),
    (
        MayLandOnOldNode,
        |given| {
            given.target_group(|group| group.cross_zone = true);
            given.specs(|spec| spec.tolerations = vec![blanket()]);
        },
        |given| {
            given.target_group(|group| group.cross_zone = true);
            let named = core::Toleration { key: Some("example.com/other".to_owned()), ..blanket() };
            given.specs(|spec| spec.tolerations = vec![named.clone()]);
        },
    ),
    (
        NotSteered,
        |given| given.specs(|spec| spec.tolerations = vec![blanket()]),
        |given| {
            given.target_group(|group| group.cross_zone = true);
            given.specs(|spec| spec.tolerations = vec![blanket()]);
        },
    ),
    (
        DaemonSetStaysBehind,
        |given| given.add_daemon_set("edge", selecting_pool("tcp")),
        |given| {
            given.add_daemon_set("edge", selecting_pool("web"));
        },
    ),
    (
        ServingDaemonSetStaysBehind,
        |given| {
            given.add_daemon_set("edge", selecting_pool("tcp"));
            given.add_service("edge");
        },
        |given| {
            given.add_daemon_set("edge", selecting_pool("tcp"));
            given.add_inner_service("edge");
        },
    ),
    (NotConverged, |given| given.web().observed_generation = 0, |_| {}),
    (
        NotConverged,
        |given| {
            given.add_replica_set("shop", "web-2", owner(OwnerKind::Other, "shop", "web"), 1);
        },
        |given| {
            given.add_replica_set("shop", "web-2", owner(OwnerKind::Other, "shop", "web"), 0);
            given.web().paused = true;
        },
    ),
    (NotReady, |given| given.web().ready_replicas = 0, |given| given.web().ready_replicas = 1),
    (NotReady, |given| unready_on(given, None), |given| unready_on(given, Some("blue"))),
    (OldPodsNotReady, |given| given.web().ready_replicas = 1, |_| {}),
    (
        LonelyStatefulSet,
        |given| {
            given.add_stateful_set("db", &["blue-a"]);
            given.add_service("db");
        },
        // Nothing from outside depends on it.
        |given| {
            given.add_stateful_set("db", &["blue-a"]);
            given.add_inner_service("db");
        },
    ),
    (
        LonelyStatefulSetPauses,
        |given| given.add_stateful_set("db", &["blue-a"]),
        |given| {
            given.add_stateful_set("db", &["blue-a", "blue-b"]);
        },
    ),
    (
        BudgetAllowsNothing,
        |given| budgeted_set(given, Some("2"), None),
        |given| budgeted_set(given, Some("1"), None),
    ),
    // Half of two rounds to one; more than half to two.
    (
        BudgetAllowsNothing,
        |given| budgeted_set(given, Some("51%"), None),
        |given| {
            budgeted_set(given, Some("50%"), None);
        },
    ),
    (
        BudgetAllowsNothing,
        |given| budgeted_set(given, None, Some("0")),
        |given| {
            // What is surged needs no eviction.
            given.add_budget("web", "web", None, Some("0"));
        },
    ),
    (
        BudgetAllowsNothing,
        |given| {
            given.web().recreate = true;
            given.add_budget("web", "web", None, Some("0"));
        },
        |given| {
            given.web().recreate = true;
            given.add_budget("web", "web", None, Some("1"));
        },
    ),
    (
        BudgetAboveScale,
        |given| given.add_budget("web", "web", Some("3"), None),
        |given| {
            given.add_budget("web", "web", Some("2"), None);
        },
    ),
    (
        TwoBudgets,
        |given| {
            budgeted_set(given, Some("1"), None);
            given.add_budget("second", "db", Some("1"), None);
        },
        |given| {
            given.add_budget("first", "web", Some("1"), None);
            given.add_budget("second", "web", Some("1"), None);
        },
    ),
    (
        EvictedDeploymentServes,
        |given| given.web().recreate = true,
        |given| {
            given.web().recreate = true;
            given.service("web").load_balancer = false;
            given.add_service("db");
        },
    ),
    // Without any load balancer the clients are inside, and every Service has some.
    (
        EvictedDeploymentServes,
        |given| {
            given.web().recreate = true;
            given.service("web").load_balancer = false;
        },
        |given| given.service("web").load_balancer = false,
    ),
    (EvictedDeploymentServes, |given| given.add_claim(true, &[]), |given| given.add_claim(false, &[])),
    (EvictedDeploymentServes, |given| given.add_autoscaler(4, true), |given| given.add_autoscaler(4, false)),
    (
        EvictedDeployment,
        |given| {
            given.web().recreate = true;
            given.service("web").load_balancer = false;
            given.add_service("db");
        },
        |given| given.web().recreate = true,
    ),
    (
        BarePodServes,
        |given| given.add_pod("shop", "bare", "web", "blue-a", None),
        |given| {
            given.add_pod("shop", "bare", "none", "blue-a", None);
        },
    ),
    (
        BarePod,
        |given| given.add_pod("shop", "bare", "none", "blue-a", None),
        |given| {
            given.add_node("other", Some("other"), "a");
            given.add_pod("shop", "bare", "none", "other", None);
        },
    ),
    (UnknownControllerServes, |given| rollout(given, "web"), |given| rollout(given, "none")),
    (UnknownController, |given| rollout(given, "none"), |given| rollout(given, "web")),
    (
        JobRuns,
        |given| {
            given.add_pod("shop", "job-1", "job", "blue-a", owner(OwnerKind::Job, "shop", "job"));
        },
        |_| {},
    ),
    (LocalData, |given| empty_dir(given, None), |given| empty_dir(given, Some("Memory"))),
    // Two old pods and two new ones.
    (AboveMaximum, |given| given.add_autoscaler(3, false), |given| given.add_autoscaler(4, false)),
    (GitOps, |given| kind(given, "argoproj.io/Application"), |_| {}),
    (QuotaTooSmall, |given| given.add_quota("pods", 3, 2), |given| given.add_quota("pods", 4, 2)),
    (
        QuotaTooSmall,
        |given| given.add_quota("requests.cpu", 3999, 2000),
        |given| {
            given.add_quota("requests.cpu", 4000, 2000);
        },
    ),
    (QuotaTooSmall, |given| limited(given, (2 << 30) - 1), |given| limited(given, 2 << 30)),
    // Two nodes of 4 cores for two pods, one in each zone.
    (
        CapacityTooSmall,
        |given| given.specs(|spec| spec.requests.cpu_milli = 4001),
        |given| {
            given.specs(|spec| spec.requests.cpu_milli = 4000);
        },
    ),
    // The DaemonSet's own pods count on every new node.
    (
        CapacityTooSmall,
        |given| {
            given.add_daemon_set("agent", spec());
            given.specs(|spec| spec.requests.cpu_milli = 3001);
        },
        |given| {
            given.add_daemon_set("agent", spec());
            given.specs(|spec| spec.requests.cpu_milli = 3000);
        },
    ),
    (CapacityTooSmall, |given| places_for_pods(given, 1), |given| places_for_pods(given, 2)),
    // Both pods of a zone have to fit in it, however much room the other has.
    (
        CapacityTooSmall,
        |given| {
            given.add_deployment("shop", "web", &["blue-a", "blue-a"]);
            given.specs(|spec| spec.requests.cpu_milli = 2001);
        },
        |given| {
            given.add_deployment("shop", "web", &["blue-a", "blue-a"]);
            given.specs(|spec| spec.requests.cpu_milli = 2001);
            given.target_group(|group| group.cross_zone = true);
        },
    ),
    // In sum 5 of 8 cores, but one pod needs more than a node has.
    (CapacityTooSmall, |given| one_large_pod(given, 4001), |given| one_large_pod(given, 4000)),
    // Three pods of 2.5 cores: 7.5 of 8 cores, but each node takes one.
    (
        CapacityTight,
        |given| {
            given.target_group(|group| group.cross_zone = true);
            given.add_deployment("shop", "web", &["blue-a", "blue-a", "blue-b"]);
            given.specs(|spec| spec.requests.cpu_milli = 2500);
        },
        |given| {
            given.target_group(|group| group.cross_zone = true);
            given.add_deployment("shop", "web", &["blue-a", "blue-a", "blue-b"]);
            given.specs(|spec| spec.requests.cpu_milli = 2000);
        },
    ),
    (
        CapacityUnknown,
        |given| given.request.instance_types = vec!["m8i.large".into()],
        |given| {
            given.request.instance_types = vec!["m8i.large".into()];
            given.expectations.node_allocatable =
                Some(Resources { cpu_milli: 2000, memory: 8 << 30, pods: 29 });
        },
    ),
];

fn mark(given: &mut Given, plan: &str) {
    let mark = format!(r#"{{"plan":"{plan}","replicas":{{"was":2,"set":4}}}}"#);
    given.web().meta.annotations = map(&[("nodeferry.io/was", &mark)]).into();
}

fn kind(given: &mut Given, kind: &str) {
    given.cluster.other_kinds.insert(kind.to_owned(), 1);
}

fn addresses(given: &mut Given, in_a: u64, in_b: u64) {
    given.aws(|aws| {
        aws.subnets.insert("subnet-a".into(), Subnet { zone: "a".into(), available_addresses: in_a });
        aws.subnets.insert("subnet-b".into(), Subnet { zone: "b".into(), available_addresses: in_b });
    });
}

fn delay(given: &mut Given, delay: u64) {
    given.target_group(|group| (group.deregistration_cuts, group.deregistration_delay) = (true, secs(delay)));
}

fn contract(given: &mut Given, contract: u64) {
    given.request.contracts.insert(name("shop", "web"), secs(contract));
}

fn ip_that_cuts(given: &mut Given, pre_stop: u64) {
    given.ip_targets();
    given.target_group(|group| group.unhealthy_cuts = true);
    given.specs(|spec| spec.pre_stop = Some(secs(pre_stop)));
}

fn ip_grace(given: &mut Given, grace: u64) {
    given.ip_targets();
    given.specs(|spec| spec.grace_period = secs(grace));
}

fn silence(given: &mut Given, silence: u64) {
    given.request.longest_silence.insert(name("shop", "web"), secs(silence));
}

fn closes(given: &mut Given) {
    given.request.closes_at_sigterm.insert(name("shop", "web"));
}

fn target_labels(given: &mut Given, labels: &str) {
    given.target_group(|group| group.target_node_labels = Some(labels.into()));
}

/// The two targets of old nodes, and others; two more come with the new nodes.
fn many_targets(given: &mut Given, all: usize) {
    given.target_group(|group| {
        let mut target = group.targets[0].clone();
        target.state = TargetState::Healthy;
        group.targets.resize(all, target);
    });
}

fn serving_daemon_set(given: &mut Given) {
    given.add_daemon_set("edge", spec());
    given.add_service("edge");
}

fn controller(given: &mut Given, nodes: &[&str]) {
    given.add_deployment("shop", "lbc", nodes);
    for pod in given.cluster.pods.values_mut().filter(|pod| pod.meta.name.name.starts_with("lbc")) {
        let pod = Arc::make_mut(pod);
        pod.meta.labels = Arc::new(map(&[("app.kubernetes.io/name", "aws-load-balancer-controller")]));
    }
}

fn select(given: &mut Given, key: &str, value: &str) {
    given.kubernetes(|spec| spec.node_selector = Some(map(&[(key, value)])));
}

fn require(given: &mut Given, key: &str, operator: &str, values: &[&str]) {
    let requirement = core::NodeSelectorRequirement {
        key: key.to_owned(),
        operator: operator.to_owned(),
        values: Some(values.iter().map(|value| (*value).to_owned()).collect()),
    };
    let term = core::NodeSelectorTerm { match_expressions: Some(vec![requirement]), match_fields: None };
    let required = core::NodeSelector { node_selector_terms: vec![term] };
    let node = core::NodeAffinity {
        required_during_scheduling_ignored_during_execution: Some(required),
        ..Default::default()
    };
    let affinity = core::Affinity { node_affinity: Some(node), ..Default::default() };
    given.kubernetes(|spec| spec.affinity = Some(affinity.clone()));
}

/// The group to adopt takes only what tolerates `for: yes`.
fn adopt_tainted(given: &mut Given, tolerated: &str) {
    given.adopt(&["a", "b"]);
    for node in ["green-a", "green-b"] {
        let tainted = core::Taint { value: Some("yes".to_owned()), ..taint("for") };
        given.node(node).taints = Arc::new(vec![tainted]);
    }
    let toleration = core::Toleration {
        key: Some("for".to_owned()),
        value: Some(tolerated.to_owned()),
        ..Default::default()
    };
    given.specs(|spec| spec.tolerations = vec![toleration.clone()]);
}

fn keep_apart(given: &mut Given, key: &str) {
    let term = core::PodAffinityTerm {
        label_selector: Some(selecting(&[("app", "web")])),
        topology_key: key.to_owned(),
        ..Default::default()
    };
    let anti = core::PodAntiAffinity {
        required_during_scheduling_ignored_during_execution: Some(vec![term]),
        ..Default::default()
    };
    let affinity = core::Affinity { pod_anti_affinity: Some(anti), ..Default::default() };
    given.kubernetes(|spec| spec.affinity = Some(affinity.clone()));
}

fn one_pod_kept_out_of_its_zone(given: &mut Given) {
    given.cluster.pods.clear();
    given.add_deployment("shop", "web", &["blue-a"]);
    keep_apart(given, "topology.kubernetes.io/zone");
}

/// A pod without a node, for nodes of this group alone.
fn waiting_for(given: &mut Given, group: &str) {
    const GROUP: &str = "eks.amazonaws.com/nodegroup";
    Arc::make_mut(&mut given.node("blue-a").meta.labels).insert(GROUP.to_owned(), "blue".to_owned());
    given.add_deployment("shop", "late", &["blue-a"]);
    let pod =
        Arc::make_mut(given.cluster.pods.get_mut(&name("shop", "late-1-0")).expect("it was just added"));
    (pod.node, pod.phase, pod.ready_since) = (None, PodPhase::Pending, None);
    let node_selector = Some(map(&[(GROUP, group)]));
    let kubernetes = core::PodSpec { node_selector, ..Default::default() };
    pod.spec = Arc::new(PodSpec { kubernetes: Arc::new(kubernetes), ..spec() });
}

/// Three pods on two old nodes, a third old node without one, and at most one pod more than on the emptiest node.
fn spread_with_empty_node(given: &mut Given, node_taints_policy: Option<&str>) {
    given.add_node("blue-empty", Some("blue"), "b");
    given.add_deployment("shop", "web", &["blue-a", "blue-a", "blue-b"]);
    let constraint = core::TopologySpreadConstraint {
        label_selector: Some(selecting(&[("app", "web")])),
        max_skew: 1,
        topology_key: "kubernetes.io/hostname".to_owned(),
        when_unsatisfiable: "DoNotSchedule".to_owned(),
        node_taints_policy: node_taints_policy.map(str::to_owned),
        ..Default::default()
    };
    given.kubernetes(|spec| spec.topology_spread_constraints = Some(vec![constraint.clone()]));
}

fn host_port(given: &mut Given) {
    let port = core::ContainerPort { container_port: 80, host_port: Some(8080), ..Default::default() };
    let container = core::Container { ports: Some(vec![port]), ..Default::default() };
    given.kubernetes(|spec| spec.containers = vec![container.clone()]);
}

fn selecting_pool(pool: &str) -> PodSpec {
    let kubernetes = core::PodSpec { node_selector: Some(map(&[("pool", pool)])), ..Default::default() };
    PodSpec { kubernetes: Arc::new(kubernetes), ..spec() }
}

fn budgeted_set(given: &mut Given, least: Option<&str>, most: Option<&str>) {
    given.add_stateful_set("db", &["blue-a", "blue-b"]);
    given.add_budget("db", "db", least, most);
}

/// A pod of a ReplicaSet whose owner is not a Deployment.
fn rollout(given: &mut Given, app: &str) {
    let mut set = meta("shop", "canary-1", &[]);
    set.uid = "uid of shop/canary-1".into();
    given.add_replica_set("shop", "canary-1", owner(OwnerKind::Other, "argo", "canary"), 1);
    given.add_pod("shop", "canary-1-0", app, "blue-a", owner(OwnerKind::ReplicaSet, "shop", "canary-1"));
}

fn empty_dir(given: &mut Given, medium: Option<&str>) {
    let empty_dir = core::EmptyDirVolumeSource { medium: medium.map(str::to_owned), size_limit: None };
    let volume = core::Volume { name: "cache".to_owned(), empty_dir: Some(empty_dir), ..Default::default() };
    given.kubernetes(|spec| spec.volumes = Some(vec![volume.clone()]));
}

/// Two pods with a limit of 1 GiB each, and so much room in the quota.
fn limited(given: &mut Given, room: u64) {
    let limits = [("memory".to_owned(), Quantity("1Gi".to_owned()))].into();
    let resources = core::ResourceRequirements { limits: Some(limits), ..Default::default() };
    let container = core::Container { resources: Some(resources), ..Default::default() };
    given.kubernetes(|spec| spec.containers = vec![container.clone()]);
    given.add_quota("limits.memory", (2 << 30) + room, 2 << 30);
}

/// Nodes with so many places for pods, one of which a DaemonSet takes.
fn places_for_pods(given: &mut Given, places: u64) {
    given.add_daemon_set("agent", PodSpec { requests: Resources::default(), ..spec() });
    for node in ["blue-a", "blue-b"] {
        given.node(node).allocatable.pods = places;
    }
}

/// One pod of this size and one of a core, in whatever zone.
fn one_large_pod(given: &mut Given, cpu_milli: u64) {
    given.target_group(|group| group.cross_zone = true);
    let pod = Arc::make_mut(given.cluster.pods.get_mut(&name("shop", "web-1-0")).expect("given"));
    Arc::make_mut(&mut pod.spec).requests.cpu_milli = cpu_milli;
}

/// A third pod of `web`, not Ready, on another node of this group.
fn unready_on(given: &mut Given, group: Option<&str>) {
    given.add_node("third", group, "a");
    given.add_pod("shop", "web-1-2", "web", "third", owner(OwnerKind::ReplicaSet, "shop", "web-1"));
    let pod = given.cluster.pods.get_mut(&name("shop", "web-1-2")).expect("it was just added");
    Arc::make_mut(pod).ready_since = None;
    let web = given.web();
    (web.replicas, web.status_replicas, web.updated_replicas, web.ready_replicas) = (3, 3, 3, 2);
    let set = given.cluster.replica_sets.get_mut(&name("shop", "web-1")).expect("given");
    let set = Arc::make_mut(set);
    (set.replicas, set.status_replicas) = (3, 3);
}

fn review(given: &mut Given) -> &mut Review {
    given.expectations.review.get_or_insert_default()
}

/// A launch template of a plan, and a node group of the same where a status is given.
fn made_by(given: &mut Given, plan: &str, status: Option<NodeGroupStatus>) {
    let tags = map(&[("nodeferry/plan", plan)]);
    if status.is_some() {
        given.add_group("red");
        given.add_node("red-a", Some("red"), "a");
    }
    given.aws(|aws| {
        aws.launch_templates.insert(format!("nodeferry-{plan}").into(), tags.clone());
        if let (Some(group), Some(status)) = (aws.node_groups.get_mut("red"), status) {
            let group = Arc::make_mut(group);
            (group.tags, group.status) = (tags, status);
        }
    });
}

/// Where EKS looks up callers, and what is there.
fn mapped(given: &mut Given, mode: &str, config_map: Option<&str>, entry: Option<&str>) {
    given.group(|group| group.node_role = "arn:aws:iam::1:role/shop/nodes".into());
    given.cluster.mapped_roles = config_map.map(Into::into);
    given.aws(|aws| {
        aws.authentication = mode.into();
        aws.access_entries = entry.map(|entry| [entry.into()].into());
    });
}

/// A target group of the AWS Load Balancer Controller whose Service wants it so.
fn annotated(given: &mut Given, attributes: &str) {
    given.target_group(|group| group.load_balancer_controller = true);
    let key = "service.beta.kubernetes.io/aws-load-balancer-target-group-attributes";
    given.service("web").meta.annotations = map(&[(key, attributes)]).into();
}

fn vertical(given: &mut Given, mode: &str, target: &str) {
    let autoscaler =
        VerticalPodAutoscaler { target: ("Deployment".into(), target.into()), mode: mode.into() };
    given.cluster.vertical_pod_autoscalers.insert(name("shop", "right-size"), autoscaler);
}

/// A Deployment of one replica.
fn singleton(given: &mut Given, max_surge: &str) {
    given.add_deployment("shop", "clock", &["blue-a"]);
    let clock =
        Arc::make_mut(given.cluster.deployments.get_mut(&name("shop", "clock")).expect("it was just added"));
    clock.max_surge = max_surge.into();
}
