//! What a served cluster does not let its clients make of it.

use super::*;
use crate::world::bounds::{HELD_BYTES_MAX, PODS_MAX};

const SECRETS: &str = "/api/v1/namespaces/default/secrets";

fn secret(name: &str, bytes: usize) -> Value {
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": {"a": "QUFB".repeat(bytes / 4)}})
}

#[test]
fn a_million_replicas_become_as_many_pods_as_the_cluster_holds() {
    let mut client = Client::new();
    assert_eq!(client.post(WEB, &deployment("web", 1_000_000)).0, 201);
    client.pass(600);
    let pods = client.world.pods().len();
    assert_eq!(pods, PODS_MAX);
    assert_eq!(client.text(&format!("{WEB}/web"), "/spec/replicas"), "1000000");

    // Others are refused as by a quota, and there is room again when the replicas are gone.
    let alone = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "alone"},
        "spec": {"containers": [{"name": "a", "image": "a:1"}]}});
    let (code, refused) = client.post("/api/v1/namespaces/default/pods", &alone);
    assert_eq!((code, refused["reason"].as_str()), (403, Some("Forbidden")), "{refused}");
    assert!(refused["message"].as_str().unwrap().contains("exceeded quota: simulation"), "{refused}");
    assert_eq!(client.merge(&format!("{WEB}/web/scale"), &json!({"spec": {"replicas": 0}})).0, 200);
    client.pass(600);
    assert!(client.world.pods().len() < 100, "{}", client.world.pods().len());
    assert_eq!(client.post("/api/v1/namespaces/default/pods", &alone).0, 201);
}

#[test]
fn an_object_larger_than_etcd_takes_is_refused() {
    let mut client = Client::new();
    assert_eq!(client.post(SECRETS, &secret("fits", 900_000)).0, 201);
    let annotated = |bytes: usize| json!({"metadata": {"annotations": {"a": "x".repeat(bytes)}}});
    let (code, refused) = client.post(SECRETS, &secret("large", 1_700_000));
    assert!(code >= 400, "{refused}");
    // Patch after patch, an object grows to the bound and not over it.
    let mut refusals = 0;
    for index in 0..8 {
        let data = json!({"data": {format!("k{index}"): "QUFB".repeat(50_000)}});
        refusals += u32::from(client.merge(&format!("{SECRETS}/fits"), &data).0 != 200);
    }
    assert!(refusals >= 5, "{refusals}");
    assert!(client.get(&format!("{SECRETS}/fits")).1.to_string().len() < 3 << 19);
    assert_eq!(client.merge(&format!("{SECRETS}/fits"), &annotated(100)).0, 200);
}

#[test]
fn past_versions_are_forgotten_before_they_fill_the_memory() {
    let mut client = Client::new();
    client.post(SECRETS, &secret("x", 4));
    let mut early =
        client.watch(&format!("{SECRETS}?watch=1&resourceVersion={}", client.world.resource_version()));
    for index in 0..400 {
        let data = json!({"data": {"a": "QUFB".repeat(225_000 + index)}});
        assert_eq!(client.merge(&format!("{SECRETS}/x"), &data).0, 200, "{index}");
    }
    // 400 versions of 900 kB; 256 MiB are remembered.
    let held = client.world.held_bytes();
    assert!((200 << 20..300 << 20).contains(&held), "{held}");
    assert_eq!(client.events(&mut early), [("ERROR".into(), "410".into())]);
}

#[test]
fn a_full_server_takes_deletions_alone() {
    let mut client = Client::new();
    assert_eq!(client.post(SECRETS, &secret("x", 4)).0, 201);
    client.world.charge(HELD_BYTES_MAX);
    for (code, answer) in
        [client.post(SECRETS, &secret("y", 4)), client.merge(&format!("{SECRETS}/x"), &json!({"data": {}}))]
    {
        assert_eq!(code, 500);
        assert_eq!(answer["message"], "etcdserver: mvcc: database space exceeded");
    }
    assert_eq!(client.get(&format!("{SECRETS}/x")).0, 200);
    assert_eq!(client.delete(&format!("{SECRETS}/x"), &json!({})).0, 200);
}

#[test]
fn a_watch_says_no_more_at_once_than_its_client_can_take() {
    let mut client = Client::new();
    for index in 0..12 {
        client.post(SECRETS, &secret(&format!("x{index:02}"), 100_000));
    }
    let mut watch = client.watch(&format!("{SECRETS}?watch=1"));
    let mut pieces = Vec::new();
    let mut take = |client: &Client, watch: &mut Watch, wanted: usize| {
        let mut seen = 0;
        loop {
            let polled = watch.poll(&client.world);
            assert!(polled.lines.len() < 400_000, "{}", polled.lines.len());
            seen += polled.lines.iter().filter(|byte| **byte == b'\n').count();
            pieces.push(polled.lines.len());
            if !polled.more {
                break;
            }
        }
        assert_eq!(seen, wanted);
    };
    take(&client, &mut watch, 12);
    for index in 0..12 {
        client.merge(&format!("{SECRETS}/x{index:02}"), &json!({"metadata": {"labels": {"a": "b"}}}));
    }
    take(&client, &mut watch, 12);
    assert!(pieces.len() >= 8, "{pieces:?}");
}
