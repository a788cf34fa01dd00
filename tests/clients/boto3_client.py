"""boto3 against `nodeferry serve`: the flows of a migration with boto3's own waiters and paginators, and the refusals
that a client has to tell apart. Started by `run`.
"""

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from checks import check, finish

eks, ec2, scaling, elb, sts = (
    boto3.client(name, config=Config(retries={"mode": "standard", "max_attempts": 4}))
    for name in ("eks", "ec2", "autoscaling", "elbv2", "sts")
)
CLUSTER, GROUP, TEMPLATE = "clinic", "green", "ferry-green"
# Asked every second, a minute of the cluster: an hour.
WAIT = {"Delay": 1, "MaxAttempts": 60}


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
        return error.response
    raise AssertionError(f"{call.__name__} was not refused with {code}")


def group():
    return eks.describe_nodegroup(clusterName=CLUSTER, nodegroupName=GROUP)["nodegroup"]


def scaling_group():
    return scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[asg])["AutoScalingGroups"][0]


def wait(service, waiter, **arguments):
    service.get_waiter(waiter).wait(WaiterConfig=WAIT, **arguments)


with check("who and where"):
    assert sts.get_caller_identity()["Account"] == "111122223333"
    assert eks.describe_cluster(name=CLUSTER)["cluster"]["status"] == "ACTIVE"
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]
    assert len(subnets) >= 2, subnets

# ---- launch templates ----
volume = {"VolumeType": "gp3", "VolumeSize": 50, "Iops": 3000, "Throughput": 150, "Encrypted": True}
template = dict(
    LaunchTemplateName=TEMPLATE,
    LaunchTemplateData={"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": volume}]},
    TagSpecifications=[{"ResourceType": "launch-template", "Tags": [{"Key": "owner", "Value": "a & <b>"}]}],
)
with check("a dry run says that it would, and does nothing"):
    refused("DryRunOperation", ec2.create_launch_template, DryRun=True, **template)
    refused("InvalidLaunchTemplateName.NotFoundException", ec2.describe_launch_templates, LaunchTemplateNames=[TEMPLATE])
with check("a launch template keeps what it is given"):
    ec2.create_launch_template(ClientToken="template-1", **template)
    made = ec2.describe_launch_templates(LaunchTemplateNames=[TEMPLATE])["LaunchTemplates"][0]
    assert made["Tags"] == [{"Key": "owner", "Value": "a & <b>"}], made
    data = ec2.describe_launch_template_versions(LaunchTemplateName=TEMPLATE, Versions=["$Latest"])
    ebs = data["LaunchTemplateVersions"][0]["LaunchTemplateData"]["BlockDeviceMappings"][0]["Ebs"]
    assert ebs == volume, ebs
with check("the same client token is the same launch template"):
    again = ec2.create_launch_template(ClientToken="template-1", **template)["LaunchTemplate"]
    assert again["LaunchTemplateId"] == made["LaunchTemplateId"], again
    refused("InvalidLaunchTemplateName.AlreadyExistsException", ec2.create_launch_template, ClientToken="other", **template)
    other = {**template, "LaunchTemplateData": {"InstanceType": "m6i.large"}}
    refused("IdempotentParameterMismatch", ec2.create_launch_template, ClientToken="template-1", **other)
with check("a launch template that is not there"):
    refused("InvalidLaunchTemplateId.NotFound", ec2.describe_launch_templates, LaunchTemplateIds=["lt-00000000000000000"])

# ---- a node group ----
wanted = dict(
    clusterName=CLUSTER,
    nodegroupName=GROUP,
    clientRequestToken="group-1",
    scalingConfig={"minSize": 2, "maxSize": 4, "desiredSize": 3},
    subnets=subnets,
    instanceTypes=["m6i.large"],
    nodeRole="arn:aws:iam::111122223333:role/clinic-nodes",
    launchTemplate={"name": TEMPLATE, "version": "1"},
    tags={"owner": "ferry"},
)
with check("what makes no sense is refused"):
    create = eks.create_nodegroup
    refused("ResourceNotFoundException", create, **{**wanted, "clusterName": "other"})
    for change in (
        {"scalingConfig": {"minSize": 3, "maxSize": 2, "desiredSize": 2}},
        {"scalingConfig": {"minSize": 1, "maxSize": 3, "desiredSize": 4}},
        {"labels": {"node.kubernetes.io/exclude-from-external-load-balancers": "true"}},
        {"instanceTypes": ["m6i.nothing"]},
        {"subnets": ["subnet-00000000000000000"]},
        {"nodegroupName": "-green"},
    ):
        refused("InvalidParameterException", create, **{**wanted, "clientRequestToken": str(change), **change})
    refused("InvalidRequestException", create, **{**wanted, "clientRequestToken": "x", "diskSize": 20})
with check("more nodes than the quotas allow are refused"):
    many = {"minSize": 0, "maxSize": 451, "desiredSize": 0}
    refused("ResourceLimitExceededException", create, **{**wanted, "clientRequestToken": "y", "scalingConfig": many})
with check("a node group is created once for a token"):
    assert eks.create_nodegroup(**wanted)["nodegroup"]["status"] == "CREATING"
    assert eks.create_nodegroup(**wanted)["nodegroup"]["nodegroupName"] == GROUP
    refused("ResourceInUseException", eks.create_nodegroup, **{**wanted, "clientRequestToken": "group-2"})
with check("a group that is being created takes no update"):
    refused(
        "ResourceInUseException",
        eks.update_nodegroup_config,
        clusterName=CLUSTER,
        nodegroupName=GROUP,
        scalingConfig={"maxSize": 5},
    )
with check("it becomes active"):
    wait(eks, "nodegroup_active", clusterName=CLUSTER, nodegroupName=GROUP)
    assert group()["health"]["issues"] == [] and group()["tags"] == {"owner": "ferry"}, group()
with check("its instances run"):
    asg = group()["resources"]["autoScalingGroups"][0]["name"]
    members = scaling_group()["Instances"]
    assert len(members) == 3 and all(one["LifecycleState"] == "InService" for one in members), members
    ids = [one["InstanceId"] for one in members]
    wait(ec2, "instance_running", InstanceIds=ids)
with check("processes are suspended and resumed"):
    scaling.suspend_processes(AutoScalingGroupName=asg, ScalingProcesses=["AZRebalance"])
    assert [one["ProcessName"] for one in scaling_group()["SuspendedProcesses"]] == ["AZRebalance"]
    scaling.resume_processes(AutoScalingGroupName=asg, ScalingProcesses=["AZRebalance"])
    assert scaling_group()["SuspendedProcesses"] == []
    refused("ValidationError", scaling.suspend_processes, AutoScalingGroupName="nothing", ScalingProcesses=["Launch"])
with check("activities and hooks"):
    shown = scaling.describe_scaling_activities(AutoScalingGroupName=asg)["Activities"]
    assert len(shown) == 3 and all(one["StatusCode"] == "Successful" for one in shown), shown
    hooks = scaling.describe_lifecycle_hooks(AutoScalingGroupName=asg)["LifecycleHooks"]
    assert {hook["LifecycleTransition"].rsplit("_")[-1] for hook in hooks} == {"LAUNCHING", "TERMINATING"}
with check("an update has an id and an end"):
    taint = {"key": "moved", "value": "yes", "effect": "NO_SCHEDULE"}
    update = eks.update_nodegroup_config(
        clusterName=CLUSTER,
        nodegroupName=GROUP,
        scalingConfig={"maxSize": 5},
        taints={"addOrUpdateTaints": [taint]},
    )["update"]
    assert update["status"] == "InProgress", update
    wait(eks, "nodegroup_active", clusterName=CLUSTER, nodegroupName=GROUP)
    told = eks.describe_update(name=CLUSTER, nodegroupName=GROUP, updateId=update["id"])["update"]
    assert told["status"] == "Successful", told
    assert group()["taints"] == [taint] and group()["scalingConfig"]["maxSize"] == 5
    refused("ResourceNotFoundException", eks.describe_update, name=CLUSTER, nodegroupName=GROUP, updateId="x")
with check("tags of a node group"):
    arn = group()["nodegroupArn"]
    eks.tag_resource(resourceArn=arn, tags={"more": "1"})
    assert eks.list_tags_for_resource(resourceArn=arn)["tags"] == {"owner": "ferry", "more": "1"}

# ---- targets ----
with check("target groups, a page at a time"):
    pages = elb.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 1})
    groups = [one for page in pages for one in page["TargetGroups"]]
    assert len(groups) > 1 and len({one["TargetGroupArn"] for one in groups}) == len(groups)
with check("targets are in service"):
    for one in groups:
        health = elb.describe_target_health(TargetGroupArn=one["TargetGroupArn"])["TargetHealthDescriptions"]
        healthy = [target["Target"] for target in health if target["TargetHealth"]["State"] == "healthy"]
        assert healthy, (one, health)
        wait(elb, "target_in_service", TargetGroupArn=one["TargetGroupArn"], Targets=healthy[:1])
with check("new nodes are registered with the load balancers"):
    arn = next(one["TargetGroupArn"] for one in groups if one["TargetType"] == "instance")
    known = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    assert set(ids) <= {target["Target"]["Id"] for target in known}, known
with check("what is not there has a name"):
    refused("TargetGroupNotFound", elb.describe_target_health, TargetGroupArn=groups[0]["TargetGroupArn"] + "0")
    refused("LoadBalancerNotFound", elb.describe_load_balancers, Names=["nothing"])
    refused("InvalidInstanceID.NotFound", ec2.describe_instances, InstanceIds=["i-00000000000000000"])
    refused("InvalidSubnetID.NotFound", ec2.describe_subnets, SubnetIds=["subnet-00000000000000000"])
with check("node groups and groups, a page at a time"):
    pages = eks.get_paginator("list_nodegroups").paginate(clusterName=CLUSTER, PaginationConfig={"PageSize": 1})
    assert [page["nodegroups"] for page in pages] == [["blue"], [GROUP]]
    pages = scaling.get_paginator("describe_auto_scaling_groups").paginate(PaginationConfig={"PageSize": 1})
    assert len([one for page in pages for one in page["AutoScalingGroups"]]) == 2
    pages = ec2.get_paginator("describe_instances").paginate(PaginationConfig={"PageSize": 5})
    assert set(ids) < {one["InstanceId"] for page in pages for r in page["Reservations"] for one in r["Instances"]}
with check("a page of no size is refused"):
    refused("InvalidParameterException", eks.list_nodegroups, clusterName=CLUSTER, nextToken="x")
    refused("ValidationError", elb.describe_target_groups, PageSize=400, Marker="x")
with check("an operation that is not simulated says so"):
    refused("InvalidAction", ec2.describe_vpcs)

# ---- the end ----
with check("a node group is deleted"):
    eks.delete_nodegroup(clusterName=CLUSTER, nodegroupName=GROUP)
    assert group()["status"] == "DELETING"
    wait(eks, "nodegroup_deleted", clusterName=CLUSTER, nodegroupName=GROUP)
    refused("ResourceNotFoundException", eks.describe_nodegroup, clusterName=CLUSTER, nodegroupName=GROUP)
with check("its instances and targets are gone"):
    wait(ec2, "instance_terminated", InstanceIds=ids)
    wait(elb, "target_deregistered", TargetGroupArn=arn, Targets=[{"Id": one} for one in ids])
with check("a launch template is deleted"):
    ec2.delete_launch_template(LaunchTemplateName=TEMPLATE)
    refused("InvalidLaunchTemplateName.NotFoundException", ec2.describe_launch_templates, LaunchTemplateNames=[TEMPLATE])
    refused("InvalidLaunchTemplateName.NotFoundException", ec2.delete_launch_template, LaunchTemplateName=TEMPLATE)
finish()
