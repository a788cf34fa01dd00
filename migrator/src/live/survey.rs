//! How many objects there are of the kinds that only findings look at.

use std::collections::BTreeMap;

use kube::{
    Api, Client,
    api::{ListParams, PartialObjectMeta},
    core::DynamicObject,
    discovery,
};

use super::errors::{self, Failed};
use crate::action::Answer;

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
