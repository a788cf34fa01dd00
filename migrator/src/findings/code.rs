//! The table of findings: code, severity, title, and why it matters. A code keeps its meaning for ever; a retired one is
//! not used again. Which code applies where is decided by the modules beside this one.

use std::{fmt, fmt::Write as _};

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The migration would break one of its promises: there is no plan unless the code is accepted.
    Blocking,
    /// Somebody may be hurt, but no promise broken.
    Warning,
    /// Worth knowing before the start.
    Information,
}

impl Severity {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Blocking => "blocking",
            Severity::Warning => "warning",
            Severity::Information => "information",
        }
    }
}

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
struct Entry {
    id: &'static str,
    severity: Severity,
    title: &'static str,
    why: &'static str,
}

/// Writes the enum and the table from one list, so that neither can have a row that the other lacks.
macro_rules! codes {
    ($($code:ident $id:literal $severity:ident $title:literal $why:literal;)*) => {
        /// What a finding is about.
        ///
        /// ```
        /// use migrator::findings::Code;
        /// assert_eq!(Code::parse("NF202"), Some(Code::CutAtEndOfDelay));
        /// assert!(Code::markdown().starts_with("| code | severity | finding | why |\n"));
        /// ```
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $title] $code,)*
        }

        const CODES: &[Code] = &[$(Code::$code,)*];

        impl Code {
            const fn entry(self) -> &'static Entry {
                match self {
                    $(Code::$code => &Entry { id: $id, severity: Severity::$severity, title: $title, why: $why },)*
                }
            }
        }
    };
}

codes! {
    LockHeld "NF001" Blocking "another run holds the lock"
        "Two runs would undo each other's steps, so nothing is written without the lock and the migration never starts.";
    JournalOpen "NF002" Blocking "another migration has not ended"
        "Its journal remembers values that it still has to restore; a second migration would take changed values for the original ones.";
    MarksLeft "NF003" Blocking "an object carries marks of an earlier migration"
        "What the object was before cannot be told from what a migration made of it, so it cannot be restored.";
    PermissionsMissing "NF004" Blocking "permissions that the migration needs are missing"
        "It would stop half-way, at the first step that is refused.";
    PermissionsUnanswered "NF005" Warning "whether permissions suffice was not answered"
        "What is not granted stops the migration half-way.";
    PermissionsUnasked "NF006" Information "permissions that cannot be asked for beforehand"
        "EKS and Auto Scaling have no dry run, and EC2 has one only for what names all that it needs.";
    LeftBehind "NF007" Warning "an earlier migration left a node group or a launch template"
        "Its plan has no journal any more, so nobody will take it away; a node group costs what its nodes cost.";

    GroupNotActive "NF101" Blocking "a node group is not active"
        "EKS accepts one operation per group at a time and refuses changes to a group that is not active.";
    GroupIsSpot "NF102" Warning "the node group runs on Spot capacity"
        "EC2 may take back an instance at any time with two minutes of notice, whatever the migration does.";
    GroupRepairs "NF103" Warning "node auto repair is on"
        "EKS may replace a node during the migration without waiting for its connections.";
    CustomImage "NF104" Blocking "the node group's image comes from its launch template"
        "The new group's launch template carries no image, so EKS refuses the AMI type CUSTOM.";
    GroupQuota "NF105" Warning "a default quota of EKS is exceeded"
        "EKS allows 450 nodes per group and 30 groups per cluster unless the quota was raised, which cannot be seen.";
    ScalingGroupUnknown "NF106" Warning "the node group's Auto Scaling group is not known"
        "Its zone rebalancing cannot be suspended and may terminate an old node that still serves.";
    VersionChanges "NF107" Information "the new nodes run another Kubernetes version"
        "EKS creates groups only at the cluster's version.";
    ArchitectureChanges "NF108" Warning "the new nodes have another processor architecture"
        "An image that is built for one architecture does not start on the other.";
    OtherNodes "NF109" Information "the cluster has nodes outside managed node groups"
        "They are left alone, and pods that are moved may land there.";
    AutoscalerNotFound "NF110" Information "no cluster autoscaler was found"
        "Bounds are frozen all the same; an autoscaler of another name needs to read them.";
    AddressesScarce "NF111" Warning "the subnets have few free addresses"
        "Every new node and pod needs an address; how many the network plugin keeps in reserve cannot be seen.";
    OldNodeNotReady "NF112" Blocking "an old node with workload pods is not Ready"
        "Its kubelet does not finish a pod's termination, so the node never becomes empty.";
    NodesElsewhere "NF113" Blocking "no node of the group is an instance of its Auto Scaling group"
        "The account or the region is another cluster's: a group of the same name would be drained there, and deleted, with whatever runs on it.";
    NodeOutsideScalingGroup "NF114" Warning "a node is no instance of its group's Auto Scaling group"
        "It was detached, or its instance is gone: the deletion of the group does not take it along, and it goes on running, and costing.";
    VersionNotTried "NF115" Information "the cluster's Kubernetes version is not the one that this was checked with"
        "What Kubernetes answers was compared with recorded answers of one version; others are believed to agree where a migration looks.";
    RoleNotMapped "NF116" Warning "the cluster does not know the nodes' role"
        "EKS writes the mapping when it creates a group. Who keeps aws-auth or access entries elsewhere takes it away again, and the API server turns the new nodes away.";

    NoLoadBalancer "NF201" Information "no load balancer reaches the old nodes"
        "There is no connection from outside to protect; the gates of load balancers pass at once.";
    CutAtEndOfDelay "NF202" Blocking "connections are cut when the deregistration delay ends"
        "With connection termination on, the load balancer resets what is still open at the end of the delay, however long the pod would serve. Connections keep arriving for up to 5 minutes after the deregistration.";
    CutWhenPortCloses "NF203" Warning "connections to a pod are cut when its port closes"
        "A terminating ip target is still health-checked: if the application closes its port at SIGTERM, the load balancer resets the connections that it wanted to finish.";
    IpGraceTooShort "NF204" Blocking "ip targets end before the load balancer forgets them"
        "Deregistration of a pod starts with its deletion, and connections keep arriving for up to 5 minutes; the exclude label does nothing for them.";
    ContractEmpty "NF205" Warning "the grace period protects no connection"
        "What remains of it after the margin is nothing, so every open connection may be cut.";
    IdleTimeoutTooShort "NF206" Warning "the idle timeout is shorter than the connections' silence"
        "The load balancer forgets such a connection, with or without a migration.";
    ClosesAtSigterm "NF207" Blocking "the application closes its connections at SIGTERM"
        "The grace period does not help connections that the application itself ends. Letting old pods go only when the contract has ended helps where no new connections reach them: instance targets and externalTrafficPolicy Local.";
    ZoneWithoutTarget "NF208" Blocking "the new group covers no node in a zone that serves"
        "With cross-zone load balancing off, a zone of the load balancer reaches targets of its own zone only: old nodes may not leave before a new one serves there.";
    ZoneMayStayEmpty "NF209" Blocking "the new group has fewer nodes than zones"
        "Which zones get the nodes is up to the Auto Scaling group; one that serves now may get none.";
    TargetGroupDrifted "NF210" Blocking "the target group differs from its Service's annotations"
        "The cloud controller replaces such a target group at the next change of nodes, and deletes the old one with its connections.";
    TargetLabelsMissing "NF211" Blocking "the new nodes lack the labels that make a target"
        "The Service's annotation restricts targets to nodes with these labels, so no new node would ever serve.";
    ClassicLoadBalancer "NF212" Blocking "a Classic Load Balancer serves the Service"
        "The health of its targets is not read, and it closes connections when a node leaves it unless connection draining is on.";
    Ingresses "NF213" Information "the cluster has Ingresses"
        "Application load balancers are not gated on; behind an ingress controller in the cluster, its own Service is what counts.";
    TargetQuota "NF214" Warning "old and new nodes together exceed a default quota of targets"
        "A Network Load Balancer takes 500 targets per zone and a target group 1000 unless the quota was raised; a node counts once per port.";
    LongContract "NF215" Information "connections may live for hours"
        "Before the old group is deleted, the longest contract has to pass.";
    DaemonSetServes "NF216" Information "a DaemonSet serves behind a load balancer"
        "Its pods end with their nodes, after the longest contract has passed.";
    ControllerAlone "NF217" Warning "the load balancer controller has one replica, on an old node"
        "While it moves, targets are changed late: a new leader starts when the old one's lease has run out.";
    DaemonSetServesToTheEnd "NF218" Blocking "a DaemonSet gets new connections until its node is deleted"
        "Its pods are not moved and their readiness does not change, so connections that arrive last are cut by the deletion.";
    StatefulSetAloneInZone "NF219" Blocking "a StatefulSet's pod is its zone's only target, or may become it"
        "Its replacement follows the eviction. With cross-zone load balancing off, the zone has no target in between, and clients that know its address are refused.";
    StatefulSetSharesNode "NF220" Information "a node has several pods of a StatefulSet behind a load balancer"
        "With externalTrafficPolicy Local a node leaves the load balancer with all its pods, and a StatefulSet can miss one only: all but the last move while the node still serves, one after the other.";
    FewerDaemonSetPods "NF221" Blocking "fewer pods of a DaemonSet join than leave"
        "With externalTrafficPolicy Local every pod on an excluded node is an endpoint less, and the Service may not have fewer than before.";
    AttributesDiffer "NF222" Warning "attributes of a target group differ from its Service's annotations"
        "The AWS Load Balancer Controller writes the annotated values when it looks at the Service next; a plan that was made with the present ones may not hold with them.";

    NoMatchingNode "NF301" Blocking "no new node fits a workload's node selector"
        "Its new pods stay Pending and the old ones never leave.";
    LabelsNotCloned "NF302" Information "old nodes carry labels that their node group does not set"
        "The new group gets the labels of the old group's configuration; what was added by hand or by user data is missing.";
    VolumeZone "NF303" Blocking "a volume's zone gets no new node"
        "A zonal volume is mounted only in its zone, so the pod stays Pending.";
    AntiAffinity "NF304" Blocking "required anti-affinity leaves no room for the new pods"
        "While it moves, a workload has its old and its new pods at the same time.";
    Spread "NF305" Blocking "a hard topology spread leaves no room for the new pods"
        "Tainted nodes stay domains of a spread constraint; new pods may exceed the emptiest domain by its maximum skew only.";
    HostPort "NF306" Blocking "more pods with a host port than new nodes"
        "A host port can be taken once per node, terminating pods included.";
    ComesBack "NF307" Blocking "an evicted pod may come back to the old nodes"
        "It tolerates every taint and is replaced where there is room: on the old nodes that it was to leave.";
    MayLandOnOldNode "NF308" Warning "new pods may land on old nodes"
        "The workload tolerates every taint; pods that land on old nodes are surged for again.";
    DaemonSetStaysBehind "NF309" Warning "a DaemonSet does not run on the new nodes"
        "Its node selector or tolerations do not fit them; with the old nodes it disappears.";
    ServingDaemonSetStaysBehind "NF310" Blocking "a DaemonSet behind a load balancer does not run on the new nodes"
        "No new node would ever serve its Service.";
    NotSteered "NF311" Blocking "new pods cannot be kept in the zones where they are needed"
        "With cross-zone load balancing off, every zone needs a new pod before the old ones leave. Other zones are cordoned meanwhile, and old nodes tainted; a workload that tolerates every taint ignores both.";

    NotConverged "NF401" Blocking "a rollout is in progress"
        "How many pods the workload wants cannot be told during a rollout, and a paused one does not end by itself.";
    NotReady "NF402" Blocking "a workload has pods that are not Ready"
        "Old pods leave only when every pod that stays is Ready. One that stays and is not, or a template of which no pod becomes Ready, makes that wait a vain one.";
    LonelyStatefulSet "NF403" Blocking "a StatefulSet of one replica serves behind a load balancer"
        "Its pod keeps its name: the new one is created when the old one is gone, and in between nothing serves.";
    LonelyStatefulSetPauses "NF404" Warning "a StatefulSet of one replica pauses"
        "Its pod keeps its name: the new one is created when the old one is gone.";
    BudgetAllowsNothing "NF405" Blocking "a disruption budget forbids every eviction"
        "What cannot be surged has to be evicted, and the budget never allows it.";
    BudgetAboveScale "NF406" Blocking "a disruption budget wants more pods than there are"
        "Scaling back to the original size would leave fewer healthy pods than the budget asks for.";
    TwoBudgets "NF407" Blocking "two disruption budgets select a pod that has to be evicted"
        "The API server refuses such an eviction with an internal error until one of the budgets is gone.";
    EvictedDeploymentServes "NF408" Blocking "a Deployment behind a load balancer has to be moved by eviction"
        "Its new pods cannot run beside the old ones (strategy Recreate, a volume for one node, KEDA), so the Service has fewer endpoints until they are Ready.";
    EvictedDeployment "NF409" Warning "a Deployment has to be moved by eviction"
        "Its new pods cannot run beside the old ones (strategy Recreate, a volume for one node, KEDA), so it runs fewer pods until they are Ready.";
    BarePodServes "NF410" Blocking "a pod without a controller serves behind a load balancer"
        "Nobody creates it again.";
    BarePod "NF411" Warning "a pod without a controller"
        "It is evicted, and nobody creates it again.";
    UnknownControllerServes "NF412" Blocking "pods of a controller that cannot be scaled serve behind a load balancer"
        "They are evicted before their replacements run, and the Service has fewer endpoints until these are Ready.";
    UnknownController "NF413" Warning "pods of a controller that cannot be scaled"
        "They are evicted before their replacements run.";
    JobRuns "NF414" Warning "a Job runs on an old node"
        "Evicting its pod counts as a failure of the Job unless a podFailurePolicy says otherwise.";
    LocalData "NF415" Warning "a workload keeps data on its node"
        "What is in an emptyDir is gone with the pod; what is on a hostPath stays on the old node.";
    AboveMaximum "NF416" Information "a workload exceeds its autoscaler's maximum while it moves"
        "Old and new pods run together; what limits the maximum (connections to a database, licences) sees more of them.";
    GitOps "NF417" Warning "a GitOps controller may revert the migration's changes"
        "Replicas and annotations that differ from the repository are written back when it compares them.";
    OldPodsNotReady "NF418" Warning "a workload has old pods that are not Ready"
        "They go first when it is scaled back, and nobody misses them; but what keeps them from being Ready may keep new pods from it too.";
    ReplicasManaged "NF419" Warning "a controller manages the replicas of workloads"
        "It writes its own number back when it compares, which undoes a surge or a scale-back half-way.";
    ReplicasDeployed "NF420" Information "a deployment tool manages the replicas of workloads"
        "It writes its own number back when somebody deploys; during the migration nobody should.";
    VerticalAutoscaler "NF421" Warning "a VerticalPodAutoscaler may evict pods"
        "It removes pods when it finds their requests wrong, whatever connections they hold; new pods may request more than was reckoned with.";
    SingletonSurged "NF422" Warning "a workload that never runs twice will run twice"
        "Its rolling update starts a pod only when the old one is gone; a surge runs both for minutes. What they write to at once has to bear it.";
    OwnPod "NF423" Warning "the migration itself runs in a pod on an old node"
        "It is evicted half-way, and nothing goes on until somebody runs it again.";

    QuotaTooSmall "NF501" Blocking "a resource quota does not allow the surge"
        "New pods are refused, so the old ones never leave.";
    CapacityTooSmall "NF502" Blocking "the new nodes are too small"
        "What the old nodes hold does not fit; new pods stay Pending and old ones never leave.";
    CapacityTight "NF503" Blocking "the new nodes may be too small"
        "In sum there is room, but not as pods are placed; a pod without a node stops the migration half-way.";
    CapacityUnknown "NF504" Information "whether the new nodes are large enough was not checked"
        "No node of the requested type is in the cluster, so its allocatable resources are not known.";
}

impl Code {
    /// Every code, ascending.
    pub fn all() -> &'static [Code] {
        CODES
    }

    /// The code as it is printed and accepted (`NF202`).
    pub fn id(self) -> &'static str {
        self.entry().id
    }

    /// How much it weighs.
    pub fn severity(self) -> Severity {
        self.entry().severity
    }

    /// What it is about, as a phrase.
    pub fn title(self) -> &'static str {
        self.entry().title
    }

    /// Why it matters.
    pub fn why(self) -> &'static str {
        self.entry().why
    }

    /// The code that is printed as `id`, if there is one.
    pub fn parse(id: &str) -> Option<Code> {
        CODES.iter().copied().find(|code| code.id() == id)
    }

    /// The table of all codes, as the README shows it.
    pub fn markdown() -> String {
        let mut table = String::from("| code | severity | finding | why |\n| --- | --- | --- | --- |\n");
        for code in CODES {
            writeln!(
                table,
                "| {} | {} | {} | {} |",
                code.id(),
                code.severity().name(),
                code.title(),
                code.why()
            )
            .expect("writing to a String does not fail");
        }
        table
    }
}

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.id())
    }
}
