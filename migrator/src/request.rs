//! What is asked of a migration: groups, strategy, sizes, and the waits that its gates keep.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::view::ObjectName;

/// How the workloads are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Strategy {
    /// Every connection moves at most once, and every wait ends on evidence.
    SingleMove,
    /// The published recipe, step by step: the group is deleted first, then everything is scaled back.
    Recipe,
    /// The recipe with everything scaled back before the group is deleted.
    RecipeDescaleFirst,
}

/// When old pods are let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LetGo {
    /// As soon as the new ones serve: connections end within the grace period.
    During,
    /// Only when the longest connection of the contract must have ended, for applications that close at SIGTERM.
    Before,
}

/// A migration as asked for.
#[derive(Debug, Clone)]
pub struct Request {
    /// Node group to leave.
    pub from: Arc<str>,
    /// Node group to move to.
    pub to: Arc<str>,
    /// Strategy.
    pub strategy: Strategy,
    /// Use the group that exists already instead of creating it.
    pub adopt: bool,
    /// Stop before the old group is deleted.
    pub keep_group: bool,
    /// Instance types of the new group; empty takes those of the old.
    pub instance_types: Vec<Arc<str>>,
    /// Fewest nodes of the new group; `None` takes the old group's.
    pub min: Option<u32>,
    /// Most nodes of the new group.
    pub max: Option<u32>,
    /// Nodes wanted; in force is `max(min, min(desired, max))`.
    pub desired: Option<u32>,
    /// AMI type of the new group.
    pub ami_type: Option<Arc<str>>,
    /// Subnets of the new group; empty takes those of the old.
    pub subnets: Vec<Arc<str>>,
    /// Codes of findings that do not stop the plan.
    pub accept: BTreeSet<String>,
    /// Services whose application closes its connections at SIGTERM without waiting for its clients.
    pub closes_at_sigterm: BTreeSet<ObjectName>,
    /// Contracts that the user states, by Service; they replace the one derived from the grace period only downwards.
    pub contracts: BTreeMap<ObjectName, Duration>,
    /// The longest silence on a connection, by Service, where it is known.
    pub longest_silence: BTreeMap<ObjectName, Duration>,
    /// The waits.
    pub settings: Settings,
}

impl Request {
    /// By single-move from one group to another, which is created as the one that is left; with the usual waits.
    pub fn new(from: &str, to: &str) -> Request {
        Request {
            from: from.into(),
            to: to.into(),
            strategy: Strategy::SingleMove,
            adopt: false,
            keep_group: false,
            instance_types: Vec::new(),
            min: None,
            max: None,
            desired: None,
            ami_type: None,
            subnets: Vec::new(),
            accept: BTreeSet::new(),
            closes_at_sigterm: BTreeSet::new(),
            contracts: BTreeMap::new(),
            longest_silence: BTreeMap::new(),
            settings: Settings::default(),
        }
    }
}

/// The waits that gates keep. Shortening one is for tests and comparisons; each has a known-bad value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// After freezing the autoscaler's bounds: its 60 s cache and a 10 s scan. Source: cluster-autoscaler
    /// `cloudprovider/aws/aws_manager.go` (cache), FAQ (scan interval).
    pub autoscaler_settle: Duration,
    /// How long a change of targets may take to reach every load balancer node: new flows are seen for 2 to 5 minutes
    /// after deregistration. Source: aws-load-balancer-controller issues 2366 and 1834.
    pub propagation: Duration,
    /// How long the load balancer controller may take to deregister a pod that ends: its watch of the EndpointSlice and
    /// one reconcile, small enough that a grace period of minutes still promises something, large enough for a
    /// controller that is busy with a few Services.
    pub registration_lag: Duration,
    /// How long nobody registers or deregisters after the load balancer controller's leader has gone: its lease of 15 s
    /// ages, then the next one starts with reading everything.
    pub controller_takeover: Duration,
    /// How long deletion costs must have been visible in our own watch before a scale-back.
    pub cost_settle: Duration,
    /// Kept between the end of the contract and the end of the grace period.
    pub grace_margin: Duration,
    /// Added to the longest contract before a node counts as quiet.
    pub quiet_margin: Duration,
    /// The recipe's wait after excluding the old nodes, beyond the idle timeout.
    pub recipe_margin: Duration,
    /// How long the migrated cluster is watched before the old group is deleted.
    pub soak: Duration,
    /// When old pods are let go.
    pub let_go: LetGo,
    /// Give up when a phase has made no progress for this long.
    pub patience: Duration,
    /// How long a lease lasts without renewal.
    pub lease_duration: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            autoscaler_settle: Duration::from_secs(70),
            propagation: Duration::from_secs(300),
            registration_lag: Duration::from_secs(10),
            controller_takeover: Duration::from_secs(60),
            cost_settle: Duration::from_secs(10),
            grace_margin: Duration::from_secs(5),
            quiet_margin: Duration::from_secs(10),
            recipe_margin: Duration::from_secs(60),
            soak: Duration::ZERO,
            let_go: LetGo::During,
            patience: Duration::from_secs(1800),
            lease_duration: Duration::from_secs(120),
        }
    }
}

impl Settings {
    /// What a grace period loses before it protects a session. An instance target is released before its pods end. A pod
    /// that is a target itself must serve on while its deregistration is written and load balancer nodes learn of it.
    pub fn lost(&self, ip_targets: bool) -> Duration {
        if ip_targets { self.propagation + self.registration_lag } else { self.grace_margin }
    }
}
