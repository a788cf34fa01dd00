//! Dense ids: an index into the table of its kind. An id is never used twice in a run.

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u32);

        impl $name {
            /// As an index.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }

        impl From<$name> for u32 {
            fn from(id: $name) -> u32 {
                id.0
            }
        }

        impl From<usize> for $name {
            fn from(index: usize) -> Self {
                $name(u32::try_from(index).expect("fewer than 2^32 objects fit into memory"))
            }
        }
    )*};
}

ids! {
    /// A Node.
    NodeId;
    /// A Pod.
    PodId;
    /// A Deployment.
    DeploymentId;
    /// A ReplicaSet.
    ReplicaSetId;
    /// A StatefulSet.
    StatefulSetId;
    /// A DaemonSet.
    DaemonSetId;
    /// A Job.
    JobId;
    /// A HorizontalPodAutoscaler.
    AutoscalerId;
    /// A PodDisruptionBudget.
    BudgetId;
    /// A Service.
    ServiceId;
    /// Any other object.
    PlainId;
    /// A Lease.
    LeaseId;
    /// A pod specification, shared by the pods of a template.
    SpecId;
    /// A set of labels that pods share.
    LabelsId;
    /// An EC2 instance.
    InstanceId;
    /// An EKS managed node group with its Auto Scaling group.
    GroupId;
    /// A target group with its listener and load balancer.
    TargetGroupId;
    /// An availability zone.
    ZoneId;
    /// A connection's slot: one per client.
    ConnectionId;
    /// An entry of the causal log.
    EntryId;
    /// A request of a client of the API servers.
    RequestId;
}
