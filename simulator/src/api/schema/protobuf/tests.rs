use proptest::prelude::*;
use serde_json::json;

use super::{MAGIC, decode};

/// A field that is a text or a message.
fn text(number: u8, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    let length = u8::try_from(bytes.len()).expect("the messages of a test are short");
    assert!(length < 128, "of one byte");
    [&[number << 3 | 2, length], bytes].concat()
}

/// A field that is a number.
fn number(number: u8, value: u8) -> Vec<u8> {
    vec![number << 3, value]
}

fn envelope(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
    let meta = text(1, [text(1, api_version), text(2, kind)].concat());
    [MAGIC, &meta, &text(2, raw)].concat()
}

#[test]
fn a_deployment_is_read_with_its_maps_lists_and_inlined_fields() {
    let labels = text(11, [text(1, "a"), text(2, "b")].concat());
    let probe = [text(1, text(2, text(1, "/ok"))), number(4, 10)].concat();
    let container = [text(1, "web"), text(2, "web:1"), text(11, probe)].concat();
    let template = text(3, text(2, text(2, container)));
    let spec = text(2, [number(1, 3), template].concat());
    let metadata = text(1, [text(1, "web"), text(3, ""), labels].concat());
    assert_eq!(
        decode(&envelope("apps/v1", "Deployment", &[metadata, spec].concat())),
        Some(json!({
            "kind": "Deployment", "apiVersion": "apps/v1",
            "metadata": {"name": "web", "labels": {"a": "b"}},
            "spec": {"replicas": 3, "template": {"spec": {"containers": [{
                "name": "web", "image": "web:1",
                "readinessProbe": {"httpGet": {"path": "/ok"}, "periodSeconds": 10},
            }]}}},
        }))
    );
}

#[test]
fn quantities_times_and_numbers_that_may_be_texts_are_read() {
    let limits = text(8, text(1, [text(1, "cpu"), text(2, text(1, "1"))].concat()));
    let pod = text(2, text(2, [text(1, "a"), limits].concat()));
    let value = decode(&envelope("v1", "Pod", &pod)).expect("it is a pod");
    assert_eq!(value["spec"]["containers"][0]["resources"]["limits"], json!({"cpu": "1"}));
    let port = text(1, [number(3, 80), text(4, [number(1, 1), text(3, "http")].concat())].concat());
    let value = decode(&envelope("v1", "Service", &text(2, port))).expect("it is a service");
    assert_eq!(value["spec"]["ports"][0], json!({"port": 80, "targetPort": "http"}));
    let lease = text(2, text(4, number(1, 60)));
    let value = decode(&envelope("coordination.k8s.io/v1", "Lease", &lease)).expect("it is a lease");
    assert_eq!(value["spec"]["renewTime"], "1970-01-01T00:01:00.000000Z");
}

#[test]
fn unknown_kinds_and_cut_messages_are_no_objects() {
    assert_eq!(decode(b"{}"), None);
    assert_eq!(decode(&envelope("v1", "Oddity", &[])), None);
    let whole = envelope("v1", "Pod", &text(1, text(1, "a")));
    for end in 0..whole.len() {
        let cut = whole.get(..end).expect("within");
        // Cut between two fields, a message is a shorter one; inside a field it is none.
        let _ = decode(cut);
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&[MAGIC, &bytes].concat());
        let _ = decode(&envelope("apps/v1", "Deployment", bytes.get(..bytes.len().min(90)).unwrap_or(&[])));
    }
}
