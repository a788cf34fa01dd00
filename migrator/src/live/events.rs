//! Kubernetes Events beside the journal, for whoever looks with kubectl. Nothing depends on them: one that cannot be written
//! is left out.

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1 as core,
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta, Time},
};
use kube::{Api, Client, api::PostParams};

use super::kubernetes::MANAGER;
use crate::{names, view::JournalObject};

/// Writes an Event about the journal object. `number` tells those of one process apart.
pub(super) async fn record(
    client: &Client,
    journal: &JournalObject,
    (holder, number): (&str, u64),
    reason: &str,
    message: &str,
    now: Timestamp,
) {
    let api: Api<core::Event> = Api::namespaced(client.clone(), names::NAMESPACE);
    let event = event(journal, (holder, number), reason, message, now);
    if let Err(error) = api.create(&PostParams::default(), &event).await {
        tracing::warn!(error = %super::errors::told(&error), "an Event was not written");
    }
}

fn event(
    journal: &JournalObject,
    (holder, number): (&str, u64),
    reason: &str,
    message: &str,
    now: Timestamp,
) -> core::Event {
    core::Event {
        metadata: ObjectMeta {
            // As client-go names them: the object, then something that is not repeated.
            name: Some(format!("{}.{:x}.{number}", names::JOURNAL, now.as_millisecond())),
            namespace: Some(names::NAMESPACE.to_owned()),
            ..ObjectMeta::default()
        },
        involved_object: core::ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("ConfigMap".to_owned()),
            name: Some(names::JOURNAL.to_owned()),
            namespace: Some(names::NAMESPACE.to_owned()),
            uid: Some(journal.meta.uid.to_string()),
            ..core::ObjectReference::default()
        },
        action: Some(reason.to_owned()),
        reason: Some(reason.to_owned()),
        // Source: `apis/core/validation/events.go`, 1024 characters.
        message: Some(message.chars().take(1024).collect()),
        type_: Some("Normal".to_owned()),
        count: Some(1),
        first_timestamp: Some(Time(now)),
        last_timestamp: Some(Time(now)),
        event_time: Some(MicroTime(now)),
        reporting_component: Some(MANAGER.to_owned()),
        // Source: `apis/core/validation/events.go`, 128 characters.
        reporting_instance: Some(holder.chars().take(128).collect()),
        source: Some(core::EventSource { component: Some(MANAGER.to_owned()), host: None }),
        ..core::Event::default()
    }
}
