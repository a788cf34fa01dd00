//! What only findings look at, read once: how many objects there are of some kinds, who evicts pods beside us, and which
//! roles the cluster takes for nodes.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1 as core;
use kube::{
    Api, Client,
    api::{ListParams, PartialObjectMeta},
    core::DynamicObject,
    discovery,
};

use super::errors::{self, Failed};
use crate::{
    action::Answer,
    names, objects,
    view::{ObjectName, VerticalPodAutoscaler},
};

/// Groups and kinds, as findings name them.
const KINDS: [(&str, &str); 5] = [
    ("argoproj.io", "Application"),
    ("helm.toolkit.fluxcd.io", "HelmRelease"),
    ("karpenter.sh", "NodePool"),
    ("kustomize.toolkit.fluxcd.io", "Kustomization"),
    ("networking.k8s.io", "Ingress"),
];

/// Counts them. A group that the cluster does not serve has none.
///
/// # Errors
/// What the first request was refused with that failed for another reason than that there is no such group.
pub async fn other_kinds(client: &Client) -> Result<BTreeMap<String, u32>, Failed> {
    let mut counts = BTreeMap::new();
    for (group, kind) in KINDS {
        let found = match discovery::group(client, group).await {
            Ok(found) => found,
            Err(kube::Error::Discovery(_)) => continue,
            Err(error) => match errors::kubernetes(&error) {
                failed if failed.answer == Answer::NotFound => continue,
                failed => return Err(failed),
            },
        };
        let Some((resource, _)) = found.recommended_kind(kind) else { continue };
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        // Names are enough to count.
        let listed = api.list_metadata(&ListParams::default()).await;
        let count =
            listed.map(|list: kube::core::ObjectList<PartialObjectMeta<DynamicObject>>| list.items.len());
        let count = count.map_err(|error| errors::kubernetes(&error))?;
        if count > 0 {
            counts.insert(format!("{group}/{kind}"), u32::try_from(count).unwrap_or(u32::MAX));
        }
    }
    Ok(counts)
}

/// The VerticalPodAutoscalers of the cluster; none where it does not serve them.
///
/// # Errors
/// What a request was refused with: then nothing is known of them.
pub async fn vertical_pod_autoscalers(
    client: &Client,
) -> Result<BTreeMap<ObjectName, VerticalPodAutoscaler>, Failed> {
    let found = match discovery::group(client, "autoscaling.k8s.io").await {
        Ok(found) => found,
        Err(kube::Error::Discovery(_)) => return Ok(BTreeMap::new()),
        Err(error) => match errors::kubernetes(&error) {
            failed if failed.answer == Answer::NotFound => return Ok(BTreeMap::new()),
            failed => return Err(failed),
        },
    };
    let Some((resource, _)) = found.recommended_kind("VerticalPodAutoscaler") else {
        return Ok(BTreeMap::new());
    };
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let listed = api.list(&ListParams::default()).await.map_err(|error| errors::kubernetes(&error))?;
    let named = |object: &DynamicObject| {
        let name = objects::meta(&object.metadata).name;
        (name, objects::vertical_pod_autoscaler(&object.data))
    };
    Ok(listed.items.iter().map(named).collect())
}

/// `mapRoles` of `aws-auth`; `None` where there is no such ConfigMap.
///
/// # Errors
/// What the request was refused with: then nothing is known of it.
pub async fn mapped_roles(client: &Client) -> Result<Option<String>, Failed> {
    let api: Api<core::ConfigMap> = Api::namespaced(client.clone(), names::NAMESPACE);
    let found = api.get_opt(names::AWS_AUTH).await.map_err(|error| errors::kubernetes(&error))?;
    Ok(found.and_then(|map| map.data?.remove("mapRoles")))
}
