//! From an imported cluster and its AWS side to a world at the start of its run.

mod begin;
mod cloud;
mod load_balancers;
mod nodes;
mod objects;
mod pods;
mod volumes;

use std::{collections::BTreeMap, sync::Arc};

use jiff::Timestamp;
use loadgen::chance::Seed;

pub use self::volumes::Claim;
pub(super) use self::volumes::Volumes;
use super::World;
use crate::{
    import::{Cluster, Object, aws::AwsState},
    parameters::Parameters,
    selector::SelectorError,
};

/// Why a cluster cannot be simulated.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A selector, taint or toleration of an object cannot be read.
    #[error("{object}: {fault}")]
    Selector {
        /// Kind, namespace and name of the object.
        object: String,
        /// What is wrong with it; in the message, so no source that would be told a second time.
        fault: SelectorError,
    },
}

struct Builder {
    world: World,
    start: Timestamp,
}

impl World {
    /// The world of a cluster at the start of a run: the newest timestamp of the cluster plus `import.age`.
    ///
    /// # Errors
    ///
    /// An object whose selectors cannot be read.
    pub fn new(
        cluster: &Cluster,
        aws: &AwsState,
        parameters: Parameters,
        seed: Seed,
    ) -> Result<World, BuildError> {
        let age = jiff::SignedDuration::from_millis(i64::try_from(parameters.import_age).unwrap_or(i64::MAX));
        let start = cluster.newest.saturating_add(age).unwrap_or(cluster.newest);
        let mut builder = Builder { world: World::empty(aws, parameters, seed, start), start };
        builder.zones(cluster, aws);
        builder.groups(aws);
        for object in &cluster.objects {
            builder.place(object).map_err(|fault| BuildError::Selector { object: named(object), fault })?;
        }
        builder.volumes(cluster);
        builder.relate();
        builder
            .pods(cluster)
            .map_err(|(object, fault)| BuildError::Selector { object: named(object), fault })?;
        builder.find_failing();
        builder.target_groups(aws);
        builder.begin();
        Ok(builder.world)
    }

    /// The same world with another seed, before anything has happened in it.
    ///
    /// # Panics
    ///
    /// If time has passed: what has happened followed from the old seed.
    pub fn reseeded(&self, seed: Seed) -> World {
        assert!(self.now == 0, "a run that has begun keeps its seed");
        let mut world = self.clone();
        world.seed = seed;
        world.names = seed.stream("names");
        world.lags = seed.stream("lags");
        world.ties = seed.stream("ties");
        world.log.absorb(seed.0);
        world
    }

    fn empty(aws: &AwsState, parameters: Parameters, seed: Seed, start: Timestamp) -> World {
        let mut log = super::log::Log::default();
        log.absorb(seed.0);
        World {
            now: 0,
            seed,
            parameters,
            start,
            queue: super::queue::Queue::default(),
            clients: super::queue::ClientQueue::default(),
            served_client: 0,
            no_capacity_until: 0,
            events: 0,
            log,
            resource_version: 0,
            names: seed.stream("names"),
            lags: seed.stream("lags"),
            ties: seed.stream("ties"),
            feed: super::feed::Feed::default(),
            store: None,
            nodes: Default::default(),
            pods: Default::default(),
            deployments: Default::default(),
            replica_sets: Default::default(),
            stateful_sets: Default::default(),
            daemon_sets: Default::default(),
            jobs: Default::default(),
            autoscalers: Default::default(),
            budgets: Default::default(),
            services: Default::default(),
            config_maps: Default::default(),
            leases: Default::default(),
            others: Vec::new(),
            other_kinds: BTreeMap::new(),
            quotas: Vec::new(),
            enforced: Vec::new(),
            volumes: Volumes::default(),
            specs: Vec::new(),
            images: BTreeMap::new(),
            label_sets: Default::default(),
            node_states: Vec::new(),
            pod_states: Vec::new(),
            service_states: Vec::new(),
            owners: Default::default(),
            scheduler: Default::default(),
            dns: None,
            proxy_pods: None,
            load_balancer_leader: Default::default(),
            kubelet_version: "v1.36.0".into(),
            cluster_version: "1.36".into(),
            aws: Arc::new(aws.clone()),
            zones: Vec::new(),
            zone_hosts: Vec::new(),
            subnets: BTreeMap::new(),
            subnet_addresses: BTreeMap::new(),
            instances: Vec::new(),
            groups: Vec::new(),
            group_deletions: Vec::new(),
            launch_templates: BTreeMap::new(),
            target_groups: Vec::new(),
            controller: Default::default(),
            autoscaler: Default::default(),
            requests: Vec::new(),
            traffic: Default::default(),
            behaviours: BTreeMap::new(),
            watchdog: Default::default(),
        }
    }
}

fn named(object: &Object) -> String {
    format!("{} {}/{}", object.kind(), object.namespace().unwrap_or(""), object.name())
}
