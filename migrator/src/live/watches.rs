//! The Kubernetes side of the view, kept up to date by one watch for each kind.
//!
//! Uses `kube::runtime::watcher`, which lists again by itself where a watch breaks; while it does, the view stays as it was
//! and is then replaced whole. Nothing runs by itself: watches move on while somebody waits for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::Arc,
    time::Duration,
};

use futures::{
    FutureExt as _, StreamExt as _,
    stream::{BoxStream, SelectAll},
};
use jiff::Timestamp;
use k8s_openapi::api::{
    apps::v1 as apps, autoscaling::v2 as autoscaling, coordination::v1 as coordination, core::v1 as core,
    policy::v1 as policy,
};
use kube::{
    Api, Client, Resource,
    runtime::{
        WatchStreamExt as _,
        utils::Backoff,
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;

use crate::{
    action::Write,
    names, objects,
    view::{ClusterView, JournalObject, Lease, Meta, ObjectName},
};

/// How long to wait before a watch that failed is begun again: at first, and at most.
const AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// One event of one watch.
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, read and dropped; a box would be made for each event"
)]
enum Seen {
    Node(Event<core::Node>),
    Pod(Event<core::Pod>),
    Deployment(Event<apps::Deployment>),
    ReplicaSet(Event<apps::ReplicaSet>),
    StatefulSet(Event<apps::StatefulSet>),
    DaemonSet(Event<apps::DaemonSet>),
    HorizontalPodAutoscaler(Event<autoscaling::HorizontalPodAutoscaler>),
    PodDisruptionBudget(Event<policy::PodDisruptionBudget>),
    Service(Event<core::Service>),
    ResourceQuota(Event<core::ResourceQuota>),
    PersistentVolumeClaim(Event<core::PersistentVolumeClaim>),
    PersistentVolume(Event<core::PersistentVolume>),
    Journal(Event<core::ConfigMap>),
    Lease(Event<coordination::Lease>),
}

/// An event, or why there is none: of which kind, and in what words.
type Told = Result<Seen, (&'static str, String)>;

/// Objects of a kind, and those of a list that is under way.
#[derive(Debug)]
struct Listing<N, V>(Option<BTreeMap<N, Arc<V>>>);

impl<N, V> Default for Listing<N, V> {
    fn default() -> Self {
        Listing(None)
    }
}

impl<N: Ord, V> Listing<N, V> {
    /// Takes in an event. Whether a list has been completed by it.
    fn take<K>(
        &mut self,
        event: Event<K>,
        objects: &mut BTreeMap<N, Arc<V>>,
        read: impl Fn(&K) -> (N, V),
    ) -> bool {
        match event {
            Event::Init => self.0 = Some(BTreeMap::new()),
            Event::InitApply(object) => {
                let (name, value) = read(&object);
                self.0.get_or_insert_default().insert(name, Arc::new(value));
            }
            Event::InitDone => {
                if let Some(listed) = self.0.take() {
                    *objects = listed;
                }
                return true;
            }
            Event::Apply(object) => {
                let (name, value) = read(&object);
                objects.insert(name, Arc::new(value));
            }
            Event::Delete(object) => {
                objects.remove(&read(&object).0);
            }
        }
        false
    }
}

macro_rules! listings {
    ($($field:ident: $name:ty, $view:ty;)*) => {
        #[derive(Debug, Default)]
        struct Listings { $($field: Listing<$name, $view>,)* }
    };
}

listings! {
    nodes: Arc<str>, crate::view::Node;
    pods: ObjectName, crate::view::Pod;
    deployments: ObjectName, crate::view::Deployment;
    replica_sets: ObjectName, crate::view::ReplicaSet;
    stateful_sets: ObjectName, crate::view::StatefulSet;
    daemon_sets: ObjectName, crate::view::DaemonSet;
    horizontal_pod_autoscalers: ObjectName, crate::view::HorizontalPodAutoscaler;
    disruption_budgets: ObjectName, crate::view::DisruptionBudget;
    services: ObjectName, crate::view::Service;
    resource_quotas: ObjectName, crate::view::ResourceQuota;
    claims: ObjectName, core::PersistentVolumeClaim;
    volumes: Arc<str>, core::PersistentVolume;
    journals: ObjectName, JournalObject;
    leases: ObjectName, Lease;
}

/// How many kinds are watched.
const KINDS: usize = 14;

/// The watches of a cluster and the view that they keep.
pub struct Watches {
    client: Client,
    streams: SelectAll<BoxStream<'static, Told>>,
    listings: Listings,
    claims: BTreeMap<ObjectName, Arc<core::PersistentVolumeClaim>>,
    volumes: BTreeMap<Arc<str>, Arc<core::PersistentVolume>>,
    journals: BTreeMap<ObjectName, Arc<JournalObject>>,
    leases: BTreeMap<ObjectName, Arc<Lease>>,
    listed: BTreeSet<&'static str>,
    /// What the cluster shows; its AWS side is somebody else's.
    pub view: ClusterView,
    /// What the watches complained of last, by kind, until they work again.
    pub trouble: BTreeMap<&'static str, String>,
}

impl Debug for Watches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watches").field("listed", &self.listed).finish_non_exhaustive()
    }
}

impl Watches {
    /// Begins to watch everything that a decision reads.
    pub fn begin(client: &Client) -> Watches {
        Watches {
            client: client.clone(),
            streams: streams(client),
            listings: Listings::default(),
            claims: BTreeMap::new(),
            volumes: BTreeMap::new(),
            journals: BTreeMap::new(),
            leases: BTreeMap::new(),
            listed: BTreeSet::new(),
            view: ClusterView::default(),
            trouble: BTreeMap::new(),
        }
    }

    /// Whether every kind has been listed once.
    pub fn is_complete(&self) -> bool {
        self.listed.len() == KINDS
    }

    /// Gives up the watches and lists everything anew: for a watch that has fallen silent. The view stays as it is until then.
    pub fn restart(&mut self) {
        self.streams = streams(&self.client);
        self.listings = Listings::default();
    }

    /// Waits for the next event and takes it in. `now` is asked when it has come.
    pub async fn next(&mut self, now: impl Fn() -> Timestamp) {
        match self.streams.next().await {
            Some(told) => self.take(told, now()),
            // A watcher goes on for ever.
            None => std::future::pending().await,
        }
    }

    /// Takes in what has come by now. Whether anything has.
    pub fn drain(&mut self, now: Timestamp) -> bool {
        let mut any = false;
        while let Some(Some(told)) = self.streams.next().now_or_never() {
            self.take(told, now);
            any = true;
        }
        any
    }

    fn take(&mut self, told: Told, now: Timestamp) {
        let seen = match told {
            Ok(seen) => seen,
            Err((kind, why)) => {
                self.trouble.insert(kind, why);
                return;
            }
        };
        let (listings, view) = (&mut self.listings, &mut self.view);
        macro_rules! keep {
            ($field:ident, $event:expr, $read:path) => {
                listings.$field.take($event, &mut view.$field, |object| {
                    let value = $read(object);
                    (value.meta.name.clone(), value)
                })
            };
        }
        let kind = seen.kind();
        let complete = match seen {
            Seen::Node(event) => listings.nodes.take(event, &mut view.nodes, |node| {
                let value = objects::node(node);
                (value.meta.name.name.clone(), value)
            }),
            Seen::Pod(event) => keep!(pods, event, objects::pod),
            Seen::Deployment(event) => keep!(deployments, event, objects::deployment),
            Seen::ReplicaSet(event) => keep!(replica_sets, event, objects::replica_set),
            Seen::StatefulSet(event) => keep!(stateful_sets, event, objects::stateful_set),
            Seen::DaemonSet(event) => keep!(daemon_sets, event, objects::daemon_set),
            Seen::HorizontalPodAutoscaler(event) => {
                keep!(horizontal_pod_autoscalers, event, objects::horizontal_pod_autoscaler)
            }
            Seen::PodDisruptionBudget(event) => keep!(disruption_budgets, event, objects::disruption_budget),
            Seen::Service(event) => keep!(services, event, objects::service),
            Seen::ResourceQuota(event) => keep!(resource_quotas, event, objects::resource_quota),
            Seen::PersistentVolumeClaim(event) => {
                let done = listings.claims.take(event, &mut self.claims, |claim| {
                    (objects::meta(&claim.metadata).name, claim.clone())
                });
                self.note_claims();
                done
            }
            Seen::PersistentVolume(event) => {
                let done = listings.volumes.take(event, &mut self.volumes, |volume| {
                    (volume.metadata.name.as_deref().unwrap_or("").into(), volume.clone())
                });
                self.note_claims();
                done
            }
            Seen::Journal(event) => {
                let done = listings.journals.take(event, &mut self.journals, |map| {
                    let value = objects::journal(map);
                    (value.meta.name.clone(), value)
                });
                self.view.journal = self.journals.values().next().cloned();
                done
            }
            Seen::Lease(event) => {
                let before = self.view.lease.clone();
                let done = listings.leases.take(event, &mut self.leases, |lease| {
                    let mut value = objects::lease(lease, now);
                    // The same version, listed again, was seen when it was seen first.
                    if let Some(before) = before
                        .as_deref()
                        .filter(|before| before.meta.resource_version == value.meta.resource_version)
                    {
                        value.seen_at = before.seen_at;
                    }
                    (value.meta.name.clone(), value)
                });
                self.view.lease = self.leases.values().next().cloned();
                done
            }
        };
        self.trouble.remove(kind);
        if complete {
            self.listed.insert(kind);
        }
    }

    fn note_claims(&mut self) {
        let claims = self.claims.iter().map(|(name, claim)| {
            let volume = claim.spec.as_ref().and_then(|spec| spec.volume_name.as_deref());
            let volume = volume.and_then(|name| self.volumes.get(name));
            (name.clone(), Arc::new(objects::volume_claim(claim, volume.map(|volume| &**volume))))
        });
        self.view.volume_claims = claims.collect();
    }

    /// Whether the view shows a write that was acknowledged, at this version or a later one.
    pub fn shows(&self, write: &Write, version: u64) -> bool {
        match write {
            Write::Lease { .. } => {
                at_least(self.view.lease.as_deref().map(|lease| &lease.meta), None, version)
            }
            Write::Journal { .. } => {
                let found = self.view.journal.as_deref();
                found.is_some() && at_least(found.map(|object| &object.meta), None, version)
            }
            Write::Patch(patch) => {
                at_least(self.view.meta(patch.kind, &patch.object), Some(&patch.uid), version)
            }
            Write::Evict { pod, uid } => {
                self.view.pods.get(pod).is_none_or(|pod| pod.meta.uid != *uid || pod.meta.deleting)
            }
            _ => true,
        }
    }
}

/// An object that is gone, or another one, shows everything that was written to the one before.
fn at_least(found: Option<&Meta>, uid: Option<&Arc<str>>, version: u64) -> bool {
    found.is_none_or(|meta| uid.is_some_and(|uid| meta.uid != *uid) || meta.resource_version >= version)
}

impl Seen {
    fn kind(&self) -> &'static str {
        match self {
            Seen::Node(_) => "nodes",
            Seen::Pod(_) => "pods",
            Seen::Deployment(_) => "deployments",
            Seen::ReplicaSet(_) => "replicasets",
            Seen::StatefulSet(_) => "statefulsets",
            Seen::DaemonSet(_) => "daemonsets",
            Seen::HorizontalPodAutoscaler(_) => "horizontalpodautoscalers",
            Seen::PodDisruptionBudget(_) => "poddisruptionbudgets",
            Seen::Service(_) => "services",
            Seen::ResourceQuota(_) => "resourcequotas",
            Seen::PersistentVolumeClaim(_) => "persistentvolumeclaims",
            Seen::PersistentVolume(_) => "persistentvolumes",
            Seen::Journal(_) => "configmaps",
            Seen::Lease(_) => "leases",
        }
    }
}

fn streams(client: &Client) -> SelectAll<BoxStream<'static, Told>> {
    let all = || watcher::Config::default();
    let named = |name: &str| watcher::Config::default().fields(&format!("metadata.name={name}"));
    let own = |client: &Client| client.clone();
    let mut streams = SelectAll::new();
    streams.push(stream(Api::all(own(client)), all(), "nodes", Seen::Node));
    streams.push(stream(Api::all(own(client)), all(), "pods", Seen::Pod));
    streams.push(stream(Api::all(own(client)), all(), "deployments", Seen::Deployment));
    streams.push(stream(Api::all(own(client)), all(), "replicasets", Seen::ReplicaSet));
    streams.push(stream(Api::all(own(client)), all(), "statefulsets", Seen::StatefulSet));
    streams.push(stream(Api::all(own(client)), all(), "daemonsets", Seen::DaemonSet));
    let autoscalers = Api::all(own(client));
    streams.push(stream(autoscalers, all(), "horizontalpodautoscalers", Seen::HorizontalPodAutoscaler));
    let budgets = Api::all(own(client));
    streams.push(stream(budgets, all(), "poddisruptionbudgets", Seen::PodDisruptionBudget));
    streams.push(stream(Api::all(own(client)), all(), "services", Seen::Service));
    streams.push(stream(Api::all(own(client)), all(), "resourcequotas", Seen::ResourceQuota));
    let claims = Api::all(own(client));
    streams.push(stream(claims, all(), "persistentvolumeclaims", Seen::PersistentVolumeClaim));
    streams.push(stream(Api::all(own(client)), all(), "persistentvolumes", Seen::PersistentVolume));
    let journal = Api::namespaced(own(client), names::NAMESPACE);
    streams.push(stream(journal, named(names::JOURNAL), "configmaps", Seen::Journal));
    let lease = Api::namespaced(own(client), names::NAMESPACE);
    streams.push(stream(lease, named(names::LEASE), "leases", Seen::Lease));
    streams
}

/// Waits between tries of a watch that fails: they double, up to half a minute. Without chance, which a few watches of one
/// client do not need, so that a run in virtual time can be repeated.
#[derive(Debug, Default)]
struct Doubling(Duration);

impl Iterator for Doubling {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0 = (self.0 * 2).clamp(AGAIN.0, AGAIN.1);
        Some(self.0)
    }
}

impl Backoff for Doubling {
    fn reset(&mut self) {
        self.0 = Duration::ZERO;
    }
}

fn stream<K>(
    api: Api<K>,
    config: watcher::Config,
    kind: &'static str,
    seen: fn(Event<K>) -> Seen,
) -> BoxStream<'static, Told>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    watcher(api, config)
        .backoff(Doubling::default())
        .map(move |event| match event {
            Ok(event) => Ok(seen(event)),
            Err(error) => Err((kind, super::errors::told(&error))),
        })
        .boxed()
}
