"""The Python client of Kubernetes against `nodeferry serve`: typed and dynamic, watches, an informer, leader election.

Started by `run`.
"""

import os
import threading
import time

from kubernetes import client, config, dynamic, watch
from kubernetes.client.rest import ApiException

from checks import check, finish

config.load_kube_config(os.environ["KUBECONFIG"])
core, apps, policy, scaling = (
    client.CoreV1Api(),
    client.AppsV1Api(),
    client.PolicyV1Api(),
    client.AutoscalingV2Api(),
)
SPACE = "trial"


def refused(code, call, *arguments, **named):
    try:
        call(*arguments, **named)
    except ApiException as error:
        assert error.status == code, error
        return error
    raise AssertionError(f"{call.__name__} was not refused with {code}")


def until(held, seconds=40):
    """Waits until it holds; the cluster's minute is a second."""
    end = time.monotonic() + seconds
    while not held():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.1)


def deployment(name, replicas):
    labels = {"app": name}
    container = client.V1Container(
        name="web",
        image="web:1",
        ports=[client.V1ContainerPort(container_port=80)],
        env=[client.V1EnvVar(name="A", value="1")],
    )
    return client.V1Deployment(
        metadata=client.V1ObjectMeta(name=name, labels=labels),
        spec=client.V1DeploymentSpec(
            replicas=replicas,
            selector=client.V1LabelSelector(match_labels=labels),
            template=client.V1PodTemplateSpec(
                metadata=client.V1ObjectMeta(labels=labels),
                spec=client.V1PodSpec(containers=[container]),
            ),
        ),
    )


def web():
    return apps.read_namespaced_deployment("web", SPACE)


# ---- lists ----
with check("lists nodes as objects"):
    nodes = core.list_node()
    assert nodes.items and all(node.spec.provider_id.startswith("aws:///") for node in nodes.items)
    ready = [c.status for node in nodes.items for c in node.status.conditions if c.type == "Ready"]
    assert ready == ["True"] * len(nodes.items), ready
with check("lists in pages"):
    whole = [(pod.metadata.namespace, pod.metadata.name) for pod in core.list_pod_for_all_namespaces().items]
    paged, going, pages = [], None, 0
    while True:
        page = core.list_pod_for_all_namespaces(limit=3, _continue=going)
        paged += [(pod.metadata.namespace, pod.metadata.name) for pod in page.items]
        going, pages = page.metadata._continue, pages + 1
        if not going:
            break
        assert page.metadata.remaining_item_count == len(whole) - len(paged)
    assert paged == whole and pages == -(-len(whole) // 3), (pages, paged, whole)
with check("a token that makes no sense is refused"):
    refused(400, core.list_pod_for_all_namespaces, limit=3, _continue="x")
with check("lists by label and by field"):
    node = nodes.items[0].metadata.name
    on_node = core.list_pod_for_all_namespaces(field_selector=f"spec.nodeName={node}").items
    assert on_node and all(pod.spec.node_name == node for pod in on_node)
    assert core.list_namespaced_pod("kube-system", label_selector="k8s-app=kube-dns,!nothing").items
    assert not core.list_namespaced_pod("kube-system", label_selector="k8s-app notin (kube-dns),k8s-app=kube-dns").items
with check("what is not there is a Status"):
    error = refused(404, core.read_namespaced_pod, "nothing", "default")
    assert '"reason":"NotFound"' in error.body, error.body

# ---- writes ----
with check("creates a namespace and a Deployment"):
    core.create_namespace(client.V1Namespace(metadata=client.V1ObjectMeta(name=SPACE)))
    made = apps.create_namespaced_deployment(SPACE, deployment("web", 2))
    assert made.metadata.uid and made.spec.strategy.rolling_update.max_surge == "25%", made
    assert made.spec.template.spec.termination_grace_period_seconds == 30
with check("a dry run makes nothing"):
    apps.create_namespaced_deployment(SPACE, deployment("dry", 1), dry_run="All")
    refused(404, apps.read_namespaced_deployment, "dry", SPACE)
with check("what exists is not made twice"):
    refused(409, apps.create_namespaced_deployment, SPACE, deployment("web", 2))
with check("its pods become ready"):
    until(lambda: web().status.ready_replicas == 2)
with check("a strategic merge patch merges lists by their keys"):
    env = [{"name": "B", "value": "2"}]
    body = {"spec": {"template": {"spec": {"containers": [{"name": "web", "env": env}]}}}}
    patched = apps.patch_namespaced_deployment("web", SPACE, body)
    shown = patched.spec.template.spec.containers[0]
    assert shown.image == "web:1" and {e.name: e.value for e in shown.env} == {"A": "1", "B": "2"}, shown
with check("a JSON patch is done or not, as a whole"):
    works = [{"op": "test", "path": "/spec/replicas", "value": 2}, {"op": "replace", "path": "/spec/replicas", "value": 3}]
    assert apps.patch_namespaced_deployment("web", SPACE, works).spec.replicas == 3
    fails = [{"op": "replace", "path": "/spec/replicas", "value": 9}, {"op": "test", "path": "/spec/paused", "value": True}]
    refused(422, apps.patch_namespaced_deployment, "web", SPACE, fails)
    assert web().spec.replicas == 3
with check("an update of an old version is refused"):
    old = web()
    apps.patch_namespaced_deployment("web", SPACE, {"metadata": {"annotations": {"note": "x"}}})
    old.spec.replicas = 7
    refused(409, apps.replace_namespaced_deployment, "web", SPACE, old)
    fresh = web()
    fresh.spec.replicas = 4
    assert apps.replace_namespaced_deployment("web", SPACE, fresh).spec.replicas == 4
with check("scale by its subresource"):
    assert apps.patch_namespaced_deployment_scale("web", SPACE, {"spec": {"replicas": 2}}).spec.replicas == 2
    scale = apps.read_namespaced_deployment_scale("web", SPACE)
    assert scale.spec.replicas == 2 and scale.status.selector == "app=web", scale
    until(lambda: web().status.replicas == 2 and web().status.ready_replicas == 2)
with check("apply on the server, and its conflicts"):
    dynamic_client = dynamic.DynamicClient(client.ApiClient())
    settings = dynamic_client.resources.get(api_version="v1", kind="ConfigMap")
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"a": "1"}}
    applied = settings.server_side_apply(body=body, namespace=SPACE, field_manager="ours")
    assert applied.data.a == "1" and applied.metadata.managedFields[0].manager == "ours", applied
    body["data"]["a"] = "2"
    try:
        settings.server_side_apply(body=body, namespace=SPACE, field_manager="theirs")
    except dynamic.exceptions.ConflictError:
        pass
    else:
        raise AssertionError("the conflict was not seen")
    forced = settings.server_side_apply(body=body, namespace=SPACE, field_manager="theirs", force_conflicts=True)
    assert forced.data.a == "2", forced
with check("an HPA and a budget, typed"):
    target = client.V2CrossVersionObjectReference(api_version="apps/v1", kind="Deployment", name="web")
    spec = client.V2HorizontalPodAutoscalerSpec(scale_target_ref=target, min_replicas=1, max_replicas=3)
    named = client.V1ObjectMeta(name="web")
    scaling.create_namespaced_horizontal_pod_autoscaler(
        SPACE, client.V2HorizontalPodAutoscaler(metadata=named, spec=spec)
    )
    scaling.delete_namespaced_horizontal_pod_autoscaler("web", SPACE)
    selector = client.V1LabelSelector(match_labels={"app": "web"})
    budget = client.V1PodDisruptionBudgetSpec(min_available="100%", selector=selector)
    policy.create_namespaced_pod_disruption_budget(
        SPACE, client.V1PodDisruptionBudget(metadata=named, spec=budget)
    )
    status = lambda: policy.read_namespaced_pod_disruption_budget("web", SPACE).status
    until(lambda: status().current_healthy == 2 and status().disruptions_allowed == 0)
with check("an eviction against a budget is told to wait, and goes once it is gone"):
    pod = core.list_namespaced_pod(SPACE, label_selector="app=web").items[0].metadata.name
    eviction = client.V1Eviction(metadata=client.V1ObjectMeta(name=pod, namespace=SPACE))
    error = refused(429, core.create_namespaced_pod_eviction, pod, SPACE, eviction)
    assert "DisruptionBudget" in error.body, error.body
    policy.delete_namespaced_pod_disruption_budget("web", SPACE)
    until(lambda: not policy.list_namespaced_pod_disruption_budget(SPACE).items)
    core.create_namespaced_pod_eviction(pod, SPACE, eviction)
    until(lambda: pod not in [p.metadata.name for p in core.list_namespaced_pod(SPACE).items])
with check("a node is labelled, cordoned and put back"):
    core.patch_node(node, {"metadata": {"labels": {"moved": "yes"}}, "spec": {"unschedulable": True}})
    assert [n.metadata.name for n in core.list_node(label_selector="moved=yes").items] == [node]
    put_back = core.patch_node(node, {"metadata": {"labels": {"moved": None}}, "spec": {"unschedulable": None}})
    assert "moved" not in put_back.metadata.labels and not put_back.spec.unschedulable

# ---- watches ----
with check("a watch goes on where a list ended"):
    listed = core.list_namespaced_config_map(SPACE)

    def change():
        for number in range(5):
            core.patch_namespaced_config_map("settings", SPACE, {"data": {"n": str(number)}})
        core.delete_namespaced_config_map("settings", SPACE)

    writer = threading.Timer(0.3, change)
    writer.start()
    seen = []
    events = watch.Watch()
    for event in events.stream(
        core.list_namespaced_config_map, SPACE, resource_version=listed.metadata.resource_version, timeout_seconds=1200
    ):
        seen.append((event["type"], event["object"].data.get("n")))
        if event["type"] == "DELETED":
            events.stop()
    writer.join()
    assert seen == [("MODIFIED", str(n)) for n in range(5)] + [("DELETED", "4")], seen
with check("a watch ends when its time is over"):
    started = time.monotonic()
    list(watch.Watch().stream(core.list_namespaced_secret, SPACE, timeout_seconds=60, _request_timeout=20))
    assert 0.5 < time.monotonic() - started < 15, time.monotonic() - started
with check("a watch of a version that is forgotten is told so"):
    error = refused(410, lambda: list(watch.Watch().stream(core.list_node, resource_version="1", timeout_seconds=60)))
    assert "too old resource version" in str(error), error
with check("an informer follows the pods of a Deployment"):
    from kubernetes.informer import ADDED, DELETED, SharedInformer

    known, lock = set(), threading.Lock()

    def put(pod):
        with lock:
            known.add(pod.metadata.name)

    def drop(pod):
        with lock:
            known.discard(pod.metadata.name)

    informer = SharedInformer(list_func=core.list_namespaced_pod, namespace=SPACE, label_selector="app=web")
    informer.add_event_handler(ADDED, put)
    informer.add_event_handler(DELETED, drop)
    informer.start()
    try:
        until(lambda: len(known) == 2)
        apps.patch_namespaced_deployment_scale("web", SPACE, {"spec": {"replicas": 5}})
        until(lambda: len(known) == 5)
        apps.patch_namespaced_deployment_scale("web", SPACE, {"spec": {"replicas": 1}})
        until(lambda: len(known) == 1)
        assert known == {pod.metadata.name for pod in core.list_namespaced_pod(SPACE).items}
    finally:
        informer.stop()

# ---- leader election ----
with check("two candidates elect one leader"):
    from kubernetes.leaderelection import electionconfig, leaderelection
    from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock

    leads = []

    def candidate(name):
        lock = LeaseLock("leader", SPACE, name)
        settings = electionconfig.Config(
            lock, lease_duration=17, renew_deadline=15, retry_period=1,
            onstarted_leading=lambda: leads.append(name), onstopped_leading=None,
        )
        threading.Thread(target=leaderelection.LeaderElection(settings).run, daemon=True).start()

    candidate("first")
    until(lambda: leads == ["first"])
    candidate("second")
    time.sleep(2.5)
    lease = client.CoordinationV1Api().read_namespaced_lease("leader", SPACE)
    assert leads == ["first"] and lease.spec.holder_identity == "first", (leads, lease.spec)

# ---- the end ----
with check("a deletion in the foreground waits for what is owned"):
    apps.delete_namespaced_deployment("web", SPACE, propagation_policy="Foreground")
    until(lambda: not apps.list_namespaced_deployment(SPACE).items)
    assert not apps.list_namespaced_replica_set(SPACE).items
with check("a namespace goes with all that it holds"):
    core.delete_namespace(SPACE)
    until(lambda: SPACE not in [space.metadata.name for space in core.list_namespace().items])
    assert not core.list_namespaced_config_map(SPACE).items
finish()
