#!/usr/bin/env bash
# The aws command against `nodeferry serve`: the flows of a migration by hand, with the command's own waiters. Started by
# `run`.
#
# Its waiters ask every 15 or 30 s, which is a quarter or half an hour of the cluster.
set -uo pipefail
. "$(dirname "$0")/checks.sh"

client() { timeout 120 aws --output json "$@"; }
# ask ARGS...: what the command prints as text.
ask() { timeout 60 aws --output text "$@" 2>>"$WORK/asked"; }

check "who am I" '"Account": "111122223333"' sts get-caller-identity
check "clusters" '"clinic"' eks list-clusters
check "the cluster" '"status": "ACTIVE"' eks describe-cluster --name clinic
check "wait for the cluster" '' eks wait cluster-active --name clinic
refuse "another cluster" 'ResourceNotFoundException.*No cluster found for name: other' eks describe-cluster --name other
check "node groups" '"blue"' eks list-nodegroups --cluster-name clinic
check "one node group" '"nodegroupName": "blue"' eks describe-nodegroup --cluster-name clinic --nodegroup-name blue

SUBNETS=$(ask ec2 describe-subnets --query 'Subnets[].SubnetId')
ROLE=$(ask eks describe-nodegroup --cluster-name clinic --nodegroup-name blue --query nodegroup.nodeRole)
check "instances by tag" '"InstanceId"' ec2 describe-instances --filters Name=tag:eks:nodegroup-name,Values=blue Name=instance-state-name,Values=running

cat >"$WORK/template.json" <<'JSON'
{"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeType": "gp3", "VolumeSize": 50, "Iops": 3000,
 "Throughput": 150, "Encrypted": true, "DeleteOnTermination": true}}],
 "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "owner", "Value": "ferry"}]}]}
JSON
refuse "a dry run of a launch template" 'DryRunOperation' ec2 create-launch-template --dry-run --launch-template-name ferry-green --launch-template-data "file://$WORK/template.json"
refuse "makes none" 'NotFoundException' ec2 describe-launch-templates --launch-template-names ferry-green
check "create a launch template" '"LaunchTemplateName": "ferry-green"' ec2 create-launch-template --launch-template-name ferry-green --launch-template-data "file://$WORK/template.json"
refuse "create it twice" 'InvalidLaunchTemplateName.AlreadyExistsException' ec2 create-launch-template --launch-template-name ferry-green --launch-template-data "file://$WORK/template.json"
check "its version" '"VolumeType": "gp3"' ec2 describe-launch-template-versions --launch-template-name ferry-green --versions '$Latest'

create() { client eks create-nodegroup --cluster-name clinic --nodegroup-name green --subnets $SUBNETS --node-role "$ROLE" \
    --instance-types m6i.large --scaling-config minSize=1,maxSize=3,desiredSize=2 --launch-template name=ferry-green,version=1 "$@"; }
if create >"$OUT" 2>&1 && grep -q '"status": "CREATING"' "$OUT"; then passed "create a node group"; else failed "create a node group" ""; fi
if ! create >"$OUT" 2>&1 && grep -q ResourceInUseException "$OUT"; then passed "create it twice"; else failed "create it twice" "wanted a refusal"; fi
check "wait for the node group" '' eks wait nodegroup-active --cluster-name clinic --nodegroup-name green
GROUP=$(ask eks describe-nodegroup --cluster-name clinic --nodegroup-name green --query 'nodegroup.resources.autoScalingGroups[0].name')
check "its Auto Scaling group" '"LifecycleState": "InService"' autoscaling describe-auto-scaling-groups --auto-scaling-group-names "$GROUP"
INSTANCES=$(ask autoscaling describe-auto-scaling-groups --auto-scaling-group-names "$GROUP" --query 'AutoScalingGroups[0].Instances[].InstanceId')
check "wait for the instances" '' ec2 wait instance-running --instance-ids $INSTANCES
check "suspend a process" '' autoscaling suspend-processes --auto-scaling-group-name "$GROUP" --scaling-processes AZRebalance
check "it is suspended" '"ProcessName": "AZRebalance"' autoscaling describe-auto-scaling-groups --auto-scaling-group-names "$GROUP"
check "resume it" '' autoscaling resume-processes --auto-scaling-group-name "$GROUP" --scaling-processes AZRebalance
check "activities" 'Launching a new EC2 instance' autoscaling describe-scaling-activities --auto-scaling-group-name "$GROUP" --max-items 2
check "hooks" 'autoscaling:EC2_INSTANCE_TERMINATING' autoscaling describe-lifecycle-hooks --auto-scaling-group-name "$GROUP"
check "update the node group" '"status": "InProgress"' eks update-nodegroup-config --cluster-name clinic --nodegroup-name green --scaling-config minSize=1,maxSize=4,desiredSize=3
check "wait for the update" '' eks wait nodegroup-active --cluster-name clinic --nodegroup-name green

# The new nodes become targets of the load balancers, and are healthy where a pod of theirs serves.
TARGETS=$(ask elbv2 describe-target-groups --query 'TargetGroups[?TargetType==`instance`].TargetGroupArn | [0]')
check "load balancers" '"Type": "network"' elbv2 describe-load-balancers
BALANCER=$(ask elbv2 describe-load-balancers --query 'LoadBalancers[0].LoadBalancerArn')
check "wait for the load balancer" '' elbv2 wait load-balancer-available --load-balancer-arns "$BALANCER"
check "listeners" '"Protocol": "TCP"' elbv2 describe-listeners --load-balancer-arn "$BALANCER"
check "attributes of targets" 'deregistration_delay.timeout_seconds' elbv2 describe-target-group-attributes --target-group-arn "$TARGETS"
HEALTHY=$(ask elbv2 describe-target-health --target-group-arn "$TARGETS" --query 'TargetHealthDescriptions[?TargetHealth.State==`healthy`].Target.Id | [0]')
check "wait for a target" '' elbv2 wait target-in-service --target-group-arn "$TARGETS" --targets Id="$HEALTHY"
check "a new node is a target" '"State"' elbv2 describe-target-health --target-group-arn "$TARGETS" --targets Id="${INSTANCES%%[[:space:]]*}"

check "delete the node group" '"status": "DELETING"' eks delete-nodegroup --cluster-name clinic --nodegroup-name green
check "wait until it is gone" '' eks wait nodegroup-deleted --cluster-name clinic --nodegroup-name green
check "wait for the instances' end" '' ec2 wait instance-terminated --instance-ids $INSTANCES
check "wait for a target's end" '' elbv2 wait target-deregistered --target-group-arn "$TARGETS" --targets Id="${INSTANCES%%[[:space:]]*}"
refuse "the node group is gone" 'ResourceNotFoundException' eks describe-nodegroup --cluster-name clinic --nodegroup-name green
check "delete the launch template" '"ferry-green"' ec2 delete-launch-template --launch-template-name ferry-green
summary
