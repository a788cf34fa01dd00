//! What a ReplicaSet takes over from its Deployment: its name, its hash and most annotations.

/// The hash that tells the templates of a Deployment apart: label `pod-template-hash` of the ReplicaSet and its pods.
///
/// `template` are any bytes that are equal exactly where the templates are. `collision_count` is the Deployment's
/// `status.collisionCount`, counted up when a name was already taken by another template. Upstream hashes a dump of
/// its own data structures, so the hashes of a real cluster cannot be recomputed; their form can.
///
/// Source: kubernetes pkg/controller/controller_utils.go:ComputeHash.
pub fn pod_template_hash(template: &[u8], collision_count: Option<i32>) -> String {
    // The count fills the first half of an eight byte field.
    let collisions = collision_count.map(|count| u64::from(count.cast_unsigned()).to_le_bytes());
    let bytes = template.iter().chain(collisions.iter().flatten());
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    safe_encode(&hash.to_string())
}

/// The name of the ReplicaSet with that hash.
pub fn replica_set_name(deployment: &str, hash: &str) -> String {
    format!("{deployment}-{hash}")
}

/// Whether an annotation of a Deployment is copied to its current ReplicaSet. Copies are never removed again, and
/// never reach pods.
///
/// Source: kubernetes pkg/controller/deployment/util/deployment_util.go:annotationsToSkip.
pub fn copies_annotation(key: &str) -> bool {
    !matches!(
        key,
        "kubectl.kubernetes.io/last-applied-configuration"
            | "deployment.kubernetes.io/revision"
            | "deployment.kubernetes.io/revision-history"
            | "deployment.kubernetes.io/desired-replicas"
            | "deployment.kubernetes.io/max-replicas"
            | "deprecated.deployment.rollback.to"
    )
}

/// No vowels, no digits that look like them: no hash spells a word.
///
/// Source: kubernetes apimachinery/pkg/util/rand/rand.go:SafeEncodeString.
fn safe_encode(text: &str) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    text.bytes().map(|byte| char::from(ALPHABET[usize::from(byte) % ALPHABET.len()])).collect()
}
