"""boto3, from the package index, against the served AWS APIs of the example cluster.

Needs AWS_ENDPOINT_URL, AWS_DEFAULT_REGION and any credentials in the environment, and a world whose time passes: every
wait is a waiter of boto3's own. Each step asserts what a migration relies on. Exits 0 when all held.
"""

import boto3
from botocore.exceptions import ClientError

eks, ec2, scaling, elb, sts = (
    boto3.client(name) for name in ("eks", "ec2", "autoscaling", "elbv2", "sts")
)
CLUSTER, GROUP, TEMPLATE = "clinic", "green", "ferry-green"
# 20 minutes of the world at 20 times the clock's speed, and more where it is faster.
WAIT = {"Delay": 1, "MaxAttempts": 60}


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] == code, error
    else:
        raise AssertionError(f"{call.__name__} was not refused with {code}")


def group():
    return eks.describe_nodegroup(clusterName=CLUSTER, nodegroupName=GROUP)["nodegroup"]


def wait(client, waiter, **arguments):
    client.get_waiter(waiter).wait(WaiterConfig=WAIT, **arguments)


assert sts.get_caller_identity()["Account"] == "111122223333"
assert eks.describe_cluster(name=CLUSTER)["cluster"]["status"] == "ACTIVE"
subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"]]

volume = {"VolumeType": "gp3", "VolumeSize": 50, "Iops": 3000, "Throughput": 150, "Encrypted": True}
ec2.create_launch_template(
    LaunchTemplateName=TEMPLATE,
    ClientToken="template-1",
    LaunchTemplateData={"BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": volume}]},
    TagSpecifications=[{"ResourceType": "launch-template", "Tags": [{"Key": "owner", "Value": "a & <b>"}]}],
)
template = ec2.describe_launch_templates(LaunchTemplateNames=[TEMPLATE])["LaunchTemplates"][0]
assert template["Tags"] == [{"Key": "owner", "Value": "a & <b>"}], template
data = ec2.describe_launch_template_versions(LaunchTemplateName=TEMPLATE, Versions=["$Latest"])
ebs = data["LaunchTemplateVersions"][0]["LaunchTemplateData"]["BlockDeviceMappings"][0]["Ebs"]
assert ebs == volume, ebs

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
assert eks.create_nodegroup(**wanted)["nodegroup"]["status"] == "CREATING"
# The same token again is the same request.
assert eks.create_nodegroup(**wanted)["nodegroup"]["nodegroupName"] == GROUP
refused("ResourceInUseException", eks.create_nodegroup, **{**wanted, "clientRequestToken": "group-2"})
wait(eks, "nodegroup_active", clusterName=CLUSTER, nodegroupName=GROUP)

asg = group()["resources"]["autoScalingGroups"][0]["name"]
members = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[asg])["AutoScalingGroups"][0]["Instances"]
assert len(members) == 3 and all(one["LifecycleState"] == "InService" for one in members), members
wait(ec2, "instance_running", InstanceIds=[one["InstanceId"] for one in members])
scaling.suspend_processes(AutoScalingGroupName=asg, ScalingProcesses=["AZRebalance"])
now = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[asg])["AutoScalingGroups"][0]
assert [one["ProcessName"] for one in now["SuspendedProcesses"]] == ["AZRebalance"]
scaling.resume_processes(AutoScalingGroupName=asg, ScalingProcesses=["AZRebalance"])

taint = {"key": "moved", "value": "yes", "effect": "NO_SCHEDULE"}
update = eks.update_nodegroup_config(
    clusterName=CLUSTER,
    nodegroupName=GROUP,
    scalingConfig={"maxSize": 5},
    taints={"addOrUpdateTaints": [taint]},
)["update"]
wait(eks, "nodegroup_active", clusterName=CLUSTER, nodegroupName=GROUP)
told = eks.describe_update(name=CLUSTER, nodegroupName=GROUP, updateId=update["id"])["update"]
assert told["status"] == "Successful", told
assert group()["taints"] == [taint] and group()["scalingConfig"]["maxSize"] == 5

pages = elb.get_paginator("describe_target_groups").paginate(PaginationConfig={"PageSize": 1})
groups = [one for page in pages for one in page["TargetGroups"]]
assert len(groups) > 1
for one in groups:
    health = elb.describe_target_health(TargetGroupArn=one["TargetGroupArn"])["TargetHealthDescriptions"]
    assert any(target["TargetHealth"]["State"] == "healthy" for target in health), (one, health)
refused("TargetGroupNotFound", elb.describe_target_health, TargetGroupArn=groups[0]["TargetGroupArn"] + "0")

eks.delete_nodegroup(clusterName=CLUSTER, nodegroupName=GROUP)
wait(eks, "nodegroup_deleted", clusterName=CLUSTER, nodegroupName=GROUP)
ec2.delete_launch_template(LaunchTemplateName=TEMPLATE)
refused(
    "InvalidLaunchTemplateName.NotFoundException",
    ec2.describe_launch_templates,
    LaunchTemplateNames=[TEMPLATE],
)
print("aws: all held")
