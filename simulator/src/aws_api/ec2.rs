//! EC2: instances, subnets, zones and launch templates.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};

use super::{change, failure::Failure, form::Form, page::page, sts::unknown};
use crate::{
    export::aws::compute,
    import::aws::{AwsState, LaunchTemplateVersion},
    world::{
        Time, World,
        requests::{LaunchTemplate, Request as Change},
    },
};

const ACTIONS: [&str; 7] = [
    "DescribeInstances",
    "DescribeSubnets",
    "DescribeAvailabilityZones",
    "CreateLaunchTemplate",
    "DescribeLaunchTemplates",
    "DescribeLaunchTemplateVersions",
    "DeleteLaunchTemplate",
];

/// How long an instance is shown that is no more, in milliseconds of the world. Source: EC2 documentation, "Terminate
/// Amazon EC2 instances": "remains visible in the console for a short while", about an hour.
const TERMINATED_SHOWN: Time = 3_600_000;

/// Launch templates of an account and region. Source: EC2 documentation, "Launch template limitations".
const TEMPLATES_MAX: usize = 5_000;

/// What a launch template may say, in bytes as it is sent. User data alone may have 16 KiB, encoded 22 KiB.
const TEMPLATE_BYTES_MAX: usize = 64 << 10;

/// Records of a page. Source: EC2 API, `MaxResults`.
const PAGE: (usize, usize) = (5, 1_000);

/// Longest name of a launch template, and shortest. Source: EC2 API, `LaunchTemplateName`.
const NAME_LENGTHS: std::ops::RangeInclusive<usize> = 3..=128;

pub(super) fn answer(world: &mut World, action: &str, form: &Form) -> Result<Value, Failure> {
    if form.text("DryRun") == Some("true") && ACTIONS.contains(&action) {
        // Asked before anything else is looked at: whether one may, not whether it would work. Everybody may.
        let message = "Request would have succeeded, but DryRun flag is set.";
        return Err(Failure::new(412, "DryRunOperation", message));
    }
    match action {
        "DescribeInstances" => instances(world, form),
        "DescribeSubnets" => subnets(&world.aws_shown(), form),
        "DescribeAvailabilityZones" => Ok(zones(&world.aws_shown())),
        "CreateLaunchTemplate" => create_template(world, form),
        "DescribeLaunchTemplates" => templates(world, form),
        "DescribeLaunchTemplateVersions" => versions(world, form),
        "DeleteLaunchTemplate" => delete_template(world, form),
        _ => Err(unknown(action)),
    }
}

fn instances(world: &mut World, form: &Form) -> Result<Value, Failure> {
    let state = world.aws_shown();
    let gone = world.terminated_instances(world.now().saturating_sub(TERMINATED_SHOWN));
    let ids = form.list("InstanceId");
    let all = || state.instances.iter().chain(gone.iter().map(|(instance, _)| instance));
    if let Some(id) = ids.iter().find(|id| !all().any(|one| one.id == **id)) {
        let message = format!("The instance ID '{id}' does not exist");
        return Err(Failure::new(400, "InvalidInstanceID.NotFound", message));
    }
    // Instances of no group that the world runs may still be in an Auto Scaling group of the file.
    let members: BTreeMap<&str, &str> = state
        .auto_scaling_groups
        .iter()
        .flat_map(|group| group.instances.iter().map(|one| (one.id.as_str(), group.name.as_str())))
        .chain(gone.iter().filter_map(|(one, group)| Some((one.id.as_str(), group.as_deref()?))))
        .collect();
    let mut records = Vec::new();
    for instance in all().filter(|one| ids.is_empty() || ids.contains(&one.id.as_str())) {
        let scaling = members.get(instance.id.as_str()).copied();
        let mut tags = BTreeMap::new();
        if let Some(scaling) = scaling {
            tags.insert("aws:autoscaling:groupName".to_owned(), scaling.to_owned());
        }
        if let Some(group) = world.groups().iter().find(|group| scaling == Some(&*group.auto_scaling_group)) {
            tags.insert("eks:nodegroup-name".to_owned(), group.name.to_string());
            tags.insert("eks:cluster-name".to_owned(), state.cluster.name.clone());
        }
        if !filters_match(form, |name| match name {
            "instance-id" => Some(instance.id.clone()),
            "instance-state-name" => Some(instance.state.clone()),
            "instance-type" => Some(instance.instance_type.clone()),
            "availability-zone" => Some(instance.zone.clone()),
            "private-ip-address" => Some(instance.private_address.clone()),
            "private-dns-name" => instance.node.clone(),
            _ => tags.get(name.strip_prefix("tag:")?).cloned(),
        }) {
            continue;
        }
        let mut record = compute::instance(instance);
        if let Some(fields) = record.as_object_mut() {
            // Named `instanceState` on the wire only. Source: botocore, ec2 service-2.json.
            let shown = fields.remove("State").unwrap_or_default();
            fields.insert("InstanceState".into(), shown);
            fields.insert("PrivateDnsName".into(), json!(instance.node));
            fields.insert("Tags".into(), pairs(&tags));
        }
        records.push(json!({ "ReservationId": format!("r-{}", instance.id.trim_start_matches("i-")),
            "OwnerId": state.account, "Instances": [record] }));
    }
    listed("Reservations", records, form)
}

fn subnets(state: &AwsState, form: &Form) -> Result<Value, Failure> {
    let ids = form.list("SubnetId");
    if let Some(id) = ids.iter().find(|id| !state.subnets.iter().any(|one| one.id == **id)) {
        let message = format!("The subnet ID '{id}' does not exist");
        return Err(Failure::new(400, "InvalidSubnetID.NotFound", message));
    }
    let records = state
        .subnets
        .iter()
        .filter(|one| ids.is_empty() || ids.contains(&one.id.as_str()))
        .filter(|one| {
            filters_match(form, |name| match name {
                "subnet-id" => Some(one.id.clone()),
                "availability-zone" | "availabilityZone" => Some(one.zone.clone()),
                _ => None,
            })
        })
        .map(compute::subnet)
        .collect();
    listed("Subnets", records, form)
}

fn zones(state: &AwsState) -> Value {
    let mut names: Vec<&String> = state.subnets.iter().map(|subnet| &subnet.zone).collect();
    names.sort();
    names.dedup();
    let zone =
        |name: &String| json!({ "ZoneName": name, "ZoneState": "available", "RegionName": state.region });
    json!({ "AvailabilityZones": names.into_iter().map(zone).collect::<Vec<_>>() })
}

/// Whether a record passes every `Filter.N`; a value may hold `*`, at its end.
fn filters_match(form: &Form, of: impl Fn(&str) -> Option<String>) -> bool {
    form.prefixes("Filter").iter().all(|prefix| {
        let value = form.text(&format!("{prefix}.Name")).and_then(&of);
        let wanted = form.list(&format!("{prefix}.Value"));
        value.is_some_and(|value| {
            wanted.iter().any(|wanted| match wanted.strip_suffix('*') {
                Some(beginning) => value.starts_with(beginning),
                None => value == *wanted,
            })
        })
    })
}

fn listed(key: &str, records: Vec<Value>, form: &Form) -> Result<Value, Failure> {
    let (records, token) =
        page(records, form.text("MaxResults"), form.text("NextToken"), PAGE, "InvalidParameterValue")?;
    Ok(json!({ key: records, "NextToken": token }))
}

fn pairs(tags: &BTreeMap<String, String>) -> Value {
    tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect()
}

// ---- launch templates ----

fn create_template(world: &mut World, form: &Form) -> Result<Value, Failure> {
    let name = form.text("LaunchTemplateName").unwrap_or_default();
    if !NAME_LENGTHS.contains(&name.len()) {
        let message = "the name of a launch template has 3 to 128 characters";
        return Err(Failure::new(400, "InvalidLaunchTemplateName.MalformedException", message));
    }
    if world.launch_templates().len() >= TEMPLATES_MAX {
        let message = format!("You have reached the maximum number of launch templates ({TEMPLATES_MAX}).");
        return Err(Failure::new(400, "LaunchTemplateLimitExceeded", message));
    }
    let bytes = form.below("LaunchTemplateData").map(|(key, value)| key.len() + value.len()).sum::<usize>();
    if bytes > TEMPLATE_BYTES_MAX {
        let message = "the data of a launch template is larger than 64 KiB";
        return Err(Failure::new(400, "InvalidParameterValue", message));
    }
    let mut data = BTreeMap::new();
    for (key, value) in form.below("LaunchTemplateData") {
        let volume = key.strip_prefix("BlockDeviceMapping.1.Ebs.");
        match volume {
            Some(field) => data.insert(field.to_owned(), value.to_owned()),
            // Lists of other sorts are accepted and not kept.
            None if key.contains('.') => None,
            None => data.insert(key.to_owned(), value.to_owned()),
        };
    }
    let mut tags = BTreeMap::new();
    for prefix in form.prefixes("TagSpecification") {
        tags.extend(form.tags(&format!("{prefix}.Tag")));
    }
    for prefix in form.prefixes("LaunchTemplateData.TagSpecification") {
        tags.extend(form.tags(&format!("{prefix}.Tag")));
    }
    // Without a token, each request is one of its own.
    let own = format!("none-{}", world.now());
    let client_token = form.text("ClientToken").unwrap_or(&own).into();
    let template = LaunchTemplate { name: name.into(), client_token, data, tags };
    change(world, Change::CreateLaunchTemplate(template))?;
    let version = find(&world.aws_shown(), form)?;
    Ok(json!({ "LaunchTemplate": template_record(world, &version) }))
}

fn templates(world: &mut World, form: &Form) -> Result<Value, Failure> {
    let state = world.aws_shown();
    let (names, ids) = (form.list("LaunchTemplateName"), form.list("LaunchTemplateId"));
    if let Some(name) = names.iter().find(|name| !state.launch_templates.iter().any(|one| one.name == **name))
    {
        return Err(no_template_named(name));
    }
    if let Some(id) = ids.iter().find(|id| !state.launch_templates.iter().any(|one| one.id == **id)) {
        return Err(no_template_with(id));
    }
    let records = state
        .launch_templates
        .iter()
        .filter(|one| one.default)
        .filter(|one| {
            (names.is_empty() && ids.is_empty())
                || names.contains(&one.name.as_str())
                || ids.contains(&one.id.as_str())
        })
        .filter(|one| {
            filters_match(form, |name| match name {
                "launch-template-name" => Some(one.name.clone()),
                _ => {
                    let template = world.launch_templates().get(one.name.as_str())?;
                    template.tags.get(name.strip_prefix("tag:")?).cloned()
                }
            })
        })
        .map(|one| template_record(world, one))
        .collect();
    listed("LaunchTemplates", records, form)
}

fn versions(world: &mut World, form: &Form) -> Result<Value, Failure> {
    let state = world.aws_shown();
    let found = find(&state, form)?;
    let of_template: Vec<_> = state.launch_templates.iter().filter(|one| one.id == found.id).collect();
    let latest = of_template.iter().map(|one| one.version).max();
    let wanted = form.list("LaunchTemplateVersion");
    let asked = |one: &LaunchTemplateVersion| {
        wanted.is_empty()
            || wanted.iter().any(|word| match *word {
                "$Latest" => Some(one.version) == latest,
                "$Default" => one.default,
                number => number == one.version.to_string(),
            })
    };
    let records: Vec<Value> = of_template
        .into_iter()
        .filter(|one| asked(one))
        .map(|one| compute::launch_template_version(world, one))
        .collect();
    if records.is_empty() {
        let message = format!("Could not find launch template version {}", wanted.join(", "));
        return Err(Failure::new(400, "InvalidLaunchTemplateId.VersionNotFound", message));
    }
    listed("LaunchTemplateVersions", records, form)
}

fn delete_template(world: &mut World, form: &Form) -> Result<Value, Failure> {
    let version = find(&world.aws_shown(), form)?;
    let record = template_record(world, &version);
    change(world, Change::DeleteLaunchTemplate(Arc::from(version.name)))?;
    Ok(json!({ "LaunchTemplate": record }))
}

/// The template that a request names, by id or by name: its default version.
fn find(state: &AwsState, form: &Form) -> Result<LaunchTemplateVersion, Failure> {
    let all = || state.launch_templates.iter();
    match (form.text("LaunchTemplateId"), form.text("LaunchTemplateName")) {
        (Some(id), None) => all().find(|one| one.id == id).cloned().ok_or_else(|| no_template_with(id)),
        (None, Some(name)) => {
            all().find(|one| one.name == name).cloned().ok_or_else(|| no_template_named(name))
        }
        _ => {
            let message = "You must specify either the launch template ID or the name, but not both.";
            Err(Failure::new(400, "MissingParameter", message))
        }
    }
}

fn no_template_named(name: &str) -> Failure {
    let message = format!("The specified launch template, with template name {name}, does not exist.");
    Failure::new(400, "InvalidLaunchTemplateName.NotFoundException", message)
}

fn no_template_with(id: &str) -> Failure {
    let message = format!("The specified launch template, with template ID {id}, does not exist.");
    Failure::new(400, "InvalidLaunchTemplateId.NotFound", message)
}

fn template_record(world: &World, version: &LaunchTemplateVersion) -> Value {
    let template = world.launch_templates().get(version.name.as_str());
    json!({
        "LaunchTemplateId": version.id,
        "LaunchTemplateName": version.name,
        "DefaultVersionNumber": version.version,
        "LatestVersionNumber": version.version,
        "Tags": template.map(|template| pairs(&template.tags)),
    })
}
