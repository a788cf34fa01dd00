//! In which form an answer is wanted.

use super::failure::Failure;

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// The objects themselves.
    Objects,
    /// Rows and columns for people.
    Table,
    /// Metadata alone.
    Metadata,
}

/// The first form of an `Accept` header that is known here; without a header, objects.
pub(super) fn form(accept: &str) -> Result<Form, Failure> {
    if accept.trim().is_empty() {
        return Ok(Form::Objects);
    }
    accept.split(',').find_map(known).ok_or_else(Failure::not_acceptable)
}

fn known(range: &str) -> Option<Form> {
    let mut parts = range.split(';').map(str::trim);
    let media = parts.next()?;
    if !matches!(media, "application/json" | "application/*" | "*/*") {
        return None;
    }
    let shape = parts.filter_map(|part| part.split_once('=')).find(|(key, _)| *key == "as");
    match shape {
        None => Some(Form::Objects),
        Some((_, "Table")) => Some(Form::Table),
        Some((_, "PartialObjectMetadata" | "PartialObjectMetadataList")) => Some(Form::Metadata),
        Some(_) => None,
    }
}

/// Whether the aggregated form of discovery is wanted.
pub(super) fn aggregated(accept: &str) -> bool {
    accept.split(',').any(|range| {
        range.contains("as=APIGroupDiscoveryList")
            && range.contains("g=apidiscovery.k8s.io")
            && range.split(';').any(|part| part.trim() == "v=v2")
    })
}
