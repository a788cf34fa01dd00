#!/usr/bin/env bash
# kubectl against `nodeferry serve`: what it prints, as far as it depends on the server. Started by `run`.
set -uo pipefail
. "$(dirname "$0")/checks.sh"

client() { timeout 60 kubectl --cache-dir "$WORK/cache" "$@"; }

NODE=$(client get nodes -o jsonpath='{.items[0].metadata.name}')
POD=$(client -n clinic get pods -o jsonpath='{.items[0].metadata.name}')

# ---- reading ----
check "version" 'Server Version: v1\.[0-9]+' version
check "api-resources" '^deployments +deploy +apps/v1 +true +Deployment' api-resources
check "api-versions" '^apps/v1$' api-versions
check "get nodes" "^$NODE +Ready +<none> +[0-9]+d" get nodes
check "get nodes wide" 'CONTAINER-RUNTIME' get nodes -o wide
check "get pods of all namespaces" '^NAMESPACE +NAME +READY +STATUS +RESTARTS +AGE' get pods -A
check "get pods wide" "^$POD +1/1 +Running .* $NODE|^$POD +1/1 +Running" -n clinic get pods -o wide
check "get several kinds" '^deployment.apps/portal +2/2' -n clinic get deploy,rs,svc,pdb,hpa
check "get by label" '^coredns' -n kube-system get pods -l 'k8s-app in (kube-dns),!nothing'
check "get by field" "^pod/" get pods -A --field-selector "spec.nodeName=$NODE,status.phase=Running" -o name
check "get sorted" 'NAME' -n clinic get pods --sort-by=.metadata.creationTimestamp
check "get in chunks" '^kube-system' get pods -A --chunk-size=3
check "get as json" '"kind": "Deployment"' -n clinic get deploy portal -o json
check "get as yaml" '^kind: Deployment' -n clinic get deploy portal -o yaml
check "get columns" '^portal +[0-9]' -n clinic get deploy -o custom-columns=N:.metadata.name,R:.spec.replicas
check "get raw" '"ok"|ok' get --raw /readyz
refuse "get what is not there" 'NotFound' -n clinic get pod nothing
check "describe node" '^Allocated resources' describe node "$NODE"
check "describe pod" '^Containers:' -n clinic describe pod "$POD"
check "describe deployment" '^StrategyType: +RollingUpdate' -n clinic describe deploy portal
check "describe service" '^Endpoints:' -n clinic describe svc portal
check "explain" '^KIND: +Deployment' explain deployment
check "explain a field" 'terminationGracePeriodSeconds' explain pod.spec
check "explain all" 'livenessProbe' explain deployment.spec.template.spec --recursive
check "may I" '^yes' auth can-i create deployments
check "who am I" 'nodeferry' auth whoami
refuse "logs" 'containers of the simulated cluster write no logs' -n clinic logs "$POD"
refuse "may I where nothing is served" '^no' auth can-i create pods --subresource=exec
check "may I drain" '^yes' auth can-i create pods --subresource=eviction

# ---- writing ----
check "create namespace" 'namespace/trial created' create namespace trial
client config set-context --current --namespace=trial >/dev/null
check "create deployment" 'deployment.apps/web created' create deployment web --image=web:1 --replicas=2 --port=80
refuse "create twice" 'already exists' create deployment web --image=web:1
check "wait" 'condition met' wait --for=condition=Available deployment/web --timeout=50s
check "rollout status" 'successfully rolled out' rollout status deployment/web --timeout=50s
check "expose" 'service/web exposed' expose deployment web --port=80
check "the service has an address" '^web +ClusterIP +172\.20\.' get svc web
check "autoscale" 'autoscaled' autoscale deployment web --min=1 --max=4 --cpu=80%
check "delete autoscaler" 'deleted' delete hpa web
check "scale" 'scaled' scale deployment web --replicas=3
check "scale from" 'scaled' scale deployment web --current-replicas=3 --replicas=4
refuse "scale from what is not" 'Expected replicas' scale deployment web --current-replicas=9 --replicas=1
check "three and more run" 'condition met' wait --for=jsonpath='{.status.readyReplicas}'=4 deployment/web --timeout=50s
check "set image" 'image updated' set image deployment/web web=web:2
check "rollout of an image" 'successfully rolled out' rollout status deployment/web --timeout=55s
check "rollout history" '^2 ' rollout history deployment/web
check "rollout undo" 'rolled back' rollout undo deployment/web
check "rollout of the undo" 'successfully rolled out' rollout status deployment/web --timeout=55s
check "the image is the old one" '^web:1$' get deployment web -o jsonpath='{.spec.template.spec.containers[0].image}{"\n"}'
check "rollout restart" 'restarted' rollout restart deployment/web
check "rollout of the restart" 'successfully rolled out' rollout status deployment/web --timeout=55s
check "rollout restart of daemons" 'restarted' -n kube-system rollout restart daemonset/kube-proxy
check "rollout of daemons" 'successfully rolled out' -n kube-system rollout status daemonset/kube-proxy --timeout=55s
check "rollout history of daemons" '^2 ' -n kube-system rollout history daemonset/kube-proxy
check "rollout undo of daemons" 'rolled back' -n kube-system rollout undo daemonset/kube-proxy
check "rollout of the daemons' undo" 'successfully rolled out' -n kube-system rollout status daemonset/kube-proxy --timeout=55s
refuse "undo of daemons to what never was" 'unable to find specified revision' -n kube-system rollout undo daemonset/kube-proxy --to-revision=9
cat >"$WORK/set.yaml" <<'YAML'
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: ordered}
spec:
  replicas: 2
  serviceName: ordered
  selector: {matchLabels: {app: ordered}}
  template:
    metadata: {labels: {app: ordered}}
    spec: {containers: [{name: ordered, image: "ordered:1"}]}
YAML
check "create a StatefulSet" 'statefulset.apps/ordered created' apply -f "$WORK/set.yaml"
check "rollout of a StatefulSet" '2 pods at revision|rolling update complete|roll out complete' rollout status statefulset/ordered --timeout=55s
check "set its image" 'image updated' set image statefulset/ordered ordered=ordered:2
check "rollout of its image" '2 pods at revision|rolling update complete|roll out complete' rollout status statefulset/ordered --timeout=55s
check "rollout history of a StatefulSet" '^2 ' rollout history statefulset/ordered
check "one revision of it" 'ordered:1' rollout history statefulset/ordered --revision=1
check "rollout undo of a StatefulSet" 'rolled back' rollout undo statefulset/ordered
check "rollout of its undo" '2 pods at revision|rolling update complete|roll out complete' rollout status statefulset/ordered --timeout=55s
check "its image is the old one" '^ordered:1$' get statefulset ordered -o jsonpath='{.spec.template.spec.containers[0].image}{"\n"}'
check "the old revision is the newest" '^3$' get controllerrevisions -l app=ordered --sort-by=.revision -o jsonpath='{range .items[*]}{.revision}{"\n"}{end}'
check "delete a StatefulSet" 'deleted' delete statefulset ordered --timeout=50s
check "its revisions go with it" 'No resources found' get controllerrevisions -l app=ordered
check "service to node port" 'patched' patch service web -p '{"spec":{"type":"NodePort"}}'
check "the node port" '80:3[0-9]{4}/TCP' get service web
check "service back" 'patched' patch service web -p '{"spec":{"type":"ClusterIP"}}'
check "no node port" ' 80/TCP' get service web
check "a load balancer is asked for" 'created' create service loadbalancer edge --tcp=80:80
check "it stays pending" '^edge +LoadBalancer +172\.20\.[0-9.]+ +<pending>' get svc edge
check "rollout pause" 'paused' rollout pause deployment/web
check "rollout resume" 'resumed' rollout resume deployment/web
check "label" 'labeled' label deployment web tier=front
check "annotate" 'annotated' annotate deployment web note=x
check "remove a label" 'unlabeled' label deployment web tier-
check "set env" 'env updated' set env deployment/web A=1
check "set resources" 'resource requirements updated' set resources deployment web --requests=cpu=10m
check "strategic patch" 'patched' patch deployment web -p '{"spec":{"template":{"spec":{"containers":[{"name":"web","env":[{"name":"B","value":"2"}]}]}}}}'
check "merge patch" 'patched' patch deployment web --type=merge -p '{"spec":{"minReadySeconds":1}}'
check "json patch" 'patched' patch deployment web --type=json -p '[{"op":"replace","path":"/spec/replicas","value":2}]'
refuse "an invalid patch" 'spec.replicas: Invalid value' patch deployment web -p '{"spec":{"replicas":-1}}'
check "create configmap" 'configmap/settings created' create configmap settings --from-literal=a=1
check "create secret" 'secret/hidden created' create secret generic hidden --from-literal=a=1
check "a secret is encoded" '^MQ==$' get secret hidden -o jsonpath='{.data.a}{"\n"}'
check "create service account" 'created' create serviceaccount robot
check "create role" 'created' create role reader --verb=get --resource=pods
check "create budget" 'created' create poddisruptionbudget web --selector=app=web --min-available=1
check "create quota" 'created' create quota small --hard=pods=100
check "create job" 'created' create job once --image=once:1
check "run a pod" 'pod/alone created' run alone --image=alone:1
check "the pod runs" 'condition met' wait --for=condition=Ready pod/alone --timeout=50s

cat >"$WORK/app.yaml" <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 1
  selector: {matchLabels: {app: app}}
  template:
    metadata: {labels: {app: app}}
    spec:
      containers:
      - {name: app, image: "app:1", ports: [{containerPort: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: app}
spec: {selector: {app: app}, ports: [{port: 80}]}
YAML
check "apply" 'deployment.apps/app created' apply -f "$WORK/app.yaml"
check "apply again" 'deployment.apps/app unchanged' apply -f "$WORK/app.yaml"
check "diff" '' diff -f "$WORK/app.yaml"
sed -i 's/replicas: 1/replicas: 2/; s/app:1/app:2/' "$WORK/app.yaml"
check "apply a change" 'deployment.apps/app configured' apply -f "$WORK/app.yaml"
check "apply dry" 'dry run' apply -f "$WORK/app.yaml" --dry-run=server
check "apply on the server" 'serverside-applied' apply --server-side --force-conflicts --field-manager=ours -f "$WORK/app.yaml"
sed -i 's/replicas: 2/replicas: 3/' "$WORK/app.yaml"
refuse "apply in conflict" 'conflict with' apply --server-side --field-manager=theirs -f "$WORK/app.yaml"
check "apply by force" 'serverside-applied' apply --server-side --field-manager=theirs --force-conflicts -f "$WORK/app.yaml"
sed 's/replicas: 3/replicaz: 3/' "$WORK/app.yaml" >"$WORK/wrong.yaml"
refuse "apply with an unknown field" 'unknown field' apply -f "$WORK/wrong.yaml"
check "replace" 'replaced' replace -f "$WORK/app.yaml"
check "get all" 'service/app' get all
check "events" 'ScalingReplicaSet|SuccessfulCreate' events
check "get events" 'LAST SEEN' get events
check "delete with a file" 'deleted' delete -f "$WORK/app.yaml"
check "delete by label" 'deleted' delete pod -l run=alone

# ---- watching ----
timeout 60 kubectl -n trial get pods -w -o name >"$WORK/watched" 2>&1 &
WATCHER=$!
sleep 1
client scale deployment web --replicas=5 >/dev/null
sleep 3
kill "$WATCHER" 2>/dev/null; wait "$WATCHER" 2>/dev/null
if [ "$(sort -u "$WORK/watched" | grep -c '^pod/web-')" -ge 5 ]; then
    passed "get -w"
else
    cp "$WORK/watched" "$OUT"; failed "get -w" "five pods were to be seen"
fi

# ---- nodes ----
check "taint" 'tainted' taint nodes "$NODE" key=value:NoSchedule
check "the taint is there" 'key=value:NoSchedule' describe node "$NODE"
check "untaint" 'untainted' taint nodes "$NODE" key-
check "cordon" 'cordoned' cordon "$NODE"
check "a cordoned node" 'Ready,SchedulingDisabled' get node "$NODE"
check "drain" 'drained' drain "$NODE" --ignore-daemonsets --delete-emptydir-data --force --timeout=55s
check "only daemons are left" '^0$' get pods -A --field-selector "spec.nodeName=$NODE" -o 'go-template={{$n := 0}}{{range .items}}{{range .metadata.ownerReferences}}{{if ne .kind "DaemonSet"}}{{$n = 1}}{{end}}{{end}}{{end}}{{$n}}{{"\n"}}'
check "uncordon" 'uncordoned' uncordon "$NODE"
# Of a pod with two budgets the API says something else.
check "delete budget" 'deleted' delete poddisruptionbudget web
check "a budget refuses" 'created' create poddisruptionbudget strict --selector=app=web --min-available=100%
refuse "drain against a budget" 'violate the pod.s disruption budget' drain "$(client get pods -l app=web -o jsonpath='{.items[0].spec.nodeName}')" --ignore-daemonsets --delete-emptydir-data --force --timeout=15s

check "delete in the foreground" 'deleted' delete deployment web --cascade=foreground --timeout=50s
check "its ReplicaSets are gone" 'No resources found' get rs -l app=web
check "its pods go" '' wait --for=delete pod -l app=web --timeout=50s
check "delete namespace" 'deleted' delete namespace trial --timeout=50s

summary
