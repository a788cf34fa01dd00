//! Reads made just before something is taken away: what a watch shows may be late, or the watch may have died without a
//! word. Source: `apiserver/pkg/storage/cacher`: a list without a resourceVersion is at least as new as its request.

use std::{collections::BTreeMap, fmt::Debug, sync::Arc, time::Duration};

use jiff::Timestamp;
use kube::{Api, Client, Resource, api::ListParams};
use serde::de::DeserializeOwned;

use super::{errors, errors::Failed, shell::within};
use crate::{
    names, objects,
    view::{ClusterView, Meta, ObjectName},
};

/// Objects of a page: what `kubectl` asks for.
const PAGE: u32 = 500;

/// What the safety kernel judges by, read now; the rest as it was shown.
///
/// # Errors
/// What the first request was refused with that failed, each given `timeout`.
pub(super) async fn read(
    client: &Client,
    shown: &ClusterView,
    now: Timestamp,
    timeout: Duration,
) -> Result<ClusterView, Failed> {
    macro_rules! all {
        ($read:path) => {{
            let named = |object: &_| {
                let value = $read(object);
                (name(&value.meta), value)
            };
            listed(Api::all(client.clone()), named, timeout)
        }};
    }
    fn name(meta: &Meta) -> ObjectName {
        meta.name.clone()
    }
    let (nodes, pods, deployments, replica_sets, stateful_sets, daemon_sets, autoscalers, budgets, services) =
        futures::try_join!(
            all!(objects::node),
            all!(objects::pod),
            all!(objects::deployment),
            all!(objects::replica_set),
            all!(objects::stateful_set),
            all!(objects::daemon_set),
            all!(objects::horizontal_pod_autoscaler),
            all!(objects::disruption_budget),
            all!(objects::service),
        )?;
    let journal = async {
        let api: Api<k8s_openapi::api::core::v1::ConfigMap> =
            Api::namespaced(client.clone(), names::NAMESPACE);
        api.get_opt(names::JOURNAL).await.map_err(|error| errors::kubernetes(&error))
    };
    let lease = async {
        let api: Api<k8s_openapi::api::coordination::v1::Lease> =
            Api::namespaced(client.clone(), names::NAMESPACE);
        api.get_opt(names::LEASE).await.map_err(|error| errors::kubernetes(&error))
    };
    let (journal, lease) = futures::try_join!(within(timeout, journal), within(timeout, lease))?;
    Ok(ClusterView {
        nodes: nodes.into_iter().map(|(name, node)| (name.name, node)).collect(),
        pods,
        deployments,
        replica_sets,
        stateful_sets,
        daemon_sets,
        horizontal_pod_autoscalers: autoscalers,
        disruption_budgets: budgets,
        services,
        journal: journal.map(|map| Arc::new(objects::journal(&map))),
        lease: lease.map(|lease| Arc::new(objects::lease(&lease, now))),
        ..shown.clone()
    })
}

async fn listed<K, V>(
    api: Api<K>,
    read: impl Fn(&K) -> (ObjectName, V),
    timeout: Duration,
) -> Result<BTreeMap<ObjectName, Arc<V>>, Failed>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    let mut objects = BTreeMap::new();
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let asked = async { api.list(&page).await.map_err(|error| errors::kubernetes(&error)) };
        let list = within(timeout, asked).await?;
        objects.extend(list.items.iter().map(|object| {
            let (name, value) = read(object);
            (name, Arc::new(value))
        }));
        match list.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(objects),
        }
    }
}
