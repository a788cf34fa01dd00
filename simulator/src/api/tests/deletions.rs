//! Deletions that wait for something, and revisions that go with their owners.

use super::*;

const PODS: &str = "/api/v1/namespaces/default/pods";
const SETS: &str = "/apis/apps/v1/namespaces/default/replicasets";
const STATEFUL: &str = "/apis/apps/v1/namespaces/default/statefulsets";
const REVISIONS: &str = "/apis/apps/v1/namespaces/default/controllerrevisions";

fn count(client: &mut Client, target: &str) -> usize {
    client.get(target).1["items"].as_array().map_or(0, Vec::len)
}

#[test]
fn a_pod_with_a_finalizer_ends_and_stays_until_it_is_released() {
    let mut client = Client::new();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "kept", "finalizers": ["example.com/held"]},
        "spec": {"terminationGracePeriodSeconds": 5, "containers": [{"name": "a", "image": "a:1"}]}});
    assert_eq!(client.post(PODS, &pod).0, 201);
    client.pass(60);
    let kept = format!("{PODS}/kept");
    assert_eq!(client.text(&kept, "/status/phase"), "Running");
    assert_eq!(client.delete(&kept, &json!({})).0, 200);
    client.pass(3_600);
    assert_eq!(client.text(&kept, "/status/phase"), "Succeeded");
    assert_ne!(client.text(&kept, "/metadata/deletionTimestamp"), "");
    let released = json!({"metadata": {"finalizers": null}});
    assert_eq!(client.merge(&kept, &released).0, 200);
    assert_eq!(client.get(&kept).0, 404);
}

#[test]
fn a_finalizer_that_goes_before_the_containers_leaves_the_pod_to_its_kubelet() {
    let mut client = Client::new();
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "kept", "finalizers": ["example.com/held"]},
        "spec": {"terminationGracePeriodSeconds": 60, "containers": [{"name": "a", "image": "a:1"}]}});
    client.post(PODS, &pod);
    client.pass(60);
    let kept = format!("{PODS}/kept");
    client.delete(&kept, &json!({}));
    assert_eq!(client.merge(&kept, &json!({"metadata": {"finalizers": null}})).0, 200);
    assert_eq!(client.text(&kept, "/status/phase"), "Running");
    client.pass(3_600);
    assert_eq!(client.get(&kept).0, 404);
}

#[test]
fn a_deletion_in_the_foreground_ends_with_the_last_dependent() {
    let mut client = Client::new();
    let mut web = deployment("web", 2);
    web["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = json!(30);
    client.post(WEB, &web);
    client.pass(60);
    let target = format!("{WEB}/web");
    let (code, shown) = client.delete(&target, &json!({"propagationPolicy": "Foreground"}));
    assert_eq!((code, &shown["metadata"]["finalizers"]), (200, &json!(["foregroundDeletion"])));
    let pods = format!("{PODS}?labelSelector=app=web");
    assert_eq!(
        (count(&mut client, &pods), client.get(&target).0),
        (2, 200),
        "the pods have their grace period"
    );
    // Nobody replaces them meanwhile.
    client.pass(3_600);
    assert_eq!(
        (count(&mut client, &pods), count(&mut client, &format!("{SETS}?labelSelector=app=web"))),
        (0, 0)
    );
    assert_eq!(client.get(&target).0, 404);

    client.post(WEB, &deployment("none", 0));
    let (code, shown) = client.delete(&format!("{WEB}/none"), &json!({"propagationPolicy": "Foreground"}));
    assert_eq!(code, 200, "{shown}");
    client.pass(60);
    assert_eq!(client.get(&format!("{WEB}/none")).0, 404);
}

#[test]
fn revisions_follow_the_template_of_a_stateful_set_and_go_with_it() {
    let mut client = Client::new();
    let mut set = deployment("ordered", 1);
    set["kind"] = json!("StatefulSet");
    set["spec"]["serviceName"] = json!("ordered");
    set["spec"]["revisionHistoryLimit"] = json!(1);
    assert_eq!(client.post(STATEFUL, &set).0, 201);
    let image = |image: &str| json!({"spec": {"template": {"spec": {"containers": [{"name": "ordered", "image": image}]}}}});
    let target = format!("{STATEFUL}/ordered");
    let strategic = "application/strategic-merge-patch+json";
    let listed = format!("{REVISIONS}?labelSelector=app=ordered");
    let numbers = |client: &mut Client| {
        let (_, list) = client.get(&listed);
        let mut all: Vec<i64> =
            list["items"].as_array().unwrap().iter().map(|one| one["revision"].as_i64().unwrap()).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(numbers(&mut client), [1]);
    assert_eq!(client.send(Method::Patch, &target, strategic, &image("a:2")).0, 200);
    assert_eq!(numbers(&mut client), [1, 2]);
    // What kubectl rollout undo sends is the old revision's data.
    let (_, list) = client.get(&listed);
    let old =
        list["items"].as_array().unwrap().iter().find(|one| one["revision"] == 1).unwrap()["data"].clone();
    assert_eq!(client.send(Method::Patch, &target, strategic, &old).0, 200);
    assert_eq!(client.text(&target, "/spec/template/spec/containers/0/image"), "a:1");
    assert_eq!(numbers(&mut client), [2, 3]);
    // One of the past is kept.
    assert_eq!(client.send(Method::Patch, &target, strategic, &image("a:3")).0, 200);
    assert_eq!(numbers(&mut client), [3, 4]);
    client.merge(&format!("{target}/scale"), &json!({"spec": {"replicas": 2}}));
    assert_eq!(numbers(&mut client), [3, 4]);
    client.delete(&target, &json!({}));
    assert_eq!(numbers(&mut client), [0_i64; 0]);
}
