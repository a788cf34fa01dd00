//! What the servers say beforehand of the permissions that a migration needs.
//!
//! Kubernetes is asked call by call, by SelfSubjectAccessReview: a list of all rules is incomplete where others than RBAC
//! have a say, as EKS' own access policies have. Of AWS' services EC2 alone lets a call be tried.

use futures::{StreamExt as _, stream};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::{Api, Client, api::PostParams};

use super::{
    connect::Connected,
    errors::{self, Failed},
    shell::{AT_A_TIME, within},
};
use crate::{
    action::{Answer, Write},
    names,
    permissions::{AWS, AwsCall, KubernetesCall, Need, Place, Review, Role, kubernetes},
    plan::Plan,
};

/// Asks for everything that `plan` needs, and changes nothing.
pub async fn review(connected: &Connected, plan: &Plan) -> Review {
    let mut review = Review::default();
    // Paths, and kinds of groups that are not served everywhere, were read before there was a plan.
    let needed = kubernetes().filter(|call| call.need == Need::Must && call.place != Place::Path);
    let asked = needed.map(|call| async move {
        (call, within(connected.request_timeout, allowed(&connected.kubernetes, &call)).await)
    });
    let answers: Vec<_> = stream::iter(asked).buffered(AT_A_TIME).collect().await;
    for (call, answer) in answers {
        match answer {
            Ok(true) => {}
            Ok(false) => review.missing.push(call.shown()),
            Err(failed) => review.unanswered.push((call.shown(), failed.why)),
        }
    }
    for call in AWS.iter().filter(|call| call.role == Role::Apply && is_needed(call, plan)) {
        let creation = plan.creation.as_ref().filter(|_| call.shown() == "ec2:CreateLaunchTemplate");
        let Some(creation) = creation else {
            // With several limits, an action has several rows.
            if !review.unasked.contains(&call.shown()) {
                review.unasked.push(call.shown());
            }
            continue;
        };
        let write = Write::CreateLaunchTemplate(creation.launch_template.clone());
        match within(connected.request_timeout, connected.aws.rehearse(&write, plan)).await {
            Ok(()) => {}
            Err(Failed { answer: Answer::Refused(why), .. }) => {
                review.missing.push(format!("{} ({why})", call.shown()));
            }
            Err(failed) => review.unanswered.push((call.shown(), failed.why)),
        }
    }
    review
}

/// What makes a group is not needed where there is one.
fn is_needed(call: &AwsCall, plan: &Plan) -> bool {
    let creates = |action: &str| {
        matches!(action, "eks:CreateNodegroup" | "ec2:CreateLaunchTemplate" | "ec2:DeleteLaunchTemplate")
    };
    let for_creation = creates(&call.shown()) || call.implied_by.is_some_and(creates);
    let for_deletion = call.shown() == "eks:DeleteNodegroup";
    (plan.creation.is_some() || !for_creation)
        && (!plan.keep_group || plan.creation.is_some() || !for_deletion)
}

async fn allowed(client: &Client, call: &KubernetesCall) -> Result<bool, Failed> {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let (namespace, name) = match call.place {
        Place::Cluster | Place::Path => (None, None),
        Place::Namespace => (text(names::NAMESPACE), None),
        Place::Named(name) => (text(names::NAMESPACE), text(name)),
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                group: text(call.group),
                resource: text(call.resource),
                subresource: text(call.subresource),
                verb: text(call.verb),
                namespace,
                name,
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answered = api.create(&PostParams::default(), &review).await;
    let answered = answered.map_err(|error| errors::kubernetes(&error))?;
    Ok(answered.status.is_some_and(|status| status.allowed))
}
