//! The AWS side: clients of the four services that a migration talks to.
//!
//! Their own retries are off: what a failure means is decided in one place for all servers, and waits follow the migration's
//! own clock.

mod groups;
mod poll;
mod targets;
mod write;

pub use poll::Look;

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::Timestamp;

use super::{
    clock::Clock,
    errors::{self, Failed},
};
use crate::{
    action::{Answer, Write},
    plan::Plan,
    view::{AwsView, ClusterView},
};

/// Clients, and what is remembered between polls.
#[derive(Debug, Clone)]
pub struct Aws {
    /// EKS.
    pub eks: aws_sdk_eks::Client,
    /// EC2.
    pub ec2: aws_sdk_ec2::Client,
    /// Auto Scaling.
    pub autoscaling: aws_sdk_autoscaling::Client,
    /// Elastic Load Balancing, version 2.
    pub elb: aws_sdk_elasticloadbalancingv2::Client,
    /// Name of the EKS cluster.
    pub cluster: String,
    known: poll::Known,
}

/// Addresses in place of AWS' own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Endpoints {
    /// Of EKS.
    pub eks: Option<String>,
    /// Of EC2.
    pub ec2: Option<String>,
    /// Of Auto Scaling.
    pub autoscaling: Option<String>,
    /// Of Elastic Load Balancing.
    pub elb: Option<String>,
}

impl Aws {
    /// Clients of one configuration. `cluster` may be empty until [`Aws::clusters`] has been asked.
    pub fn new(config: &aws_config::SdkConfig, endpoints: &Endpoints, cluster: &str) -> Aws {
        macro_rules! client {
            ($service:ident, $endpoint:ident) => {{
                let mut builder = $service::config::Builder::from(config);
                if let Some(url) = &endpoints.$endpoint {
                    builder = builder.endpoint_url(url);
                }
                $service::Client::from_conf(builder.build())
            }};
        }
        Aws {
            eks: client!(aws_sdk_eks, eks),
            ec2: client!(aws_sdk_ec2, ec2),
            autoscaling: client!(aws_sdk_autoscaling, autoscaling),
            elb: client!(aws_sdk_elasticloadbalancingv2, elb),
            cluster: cluster.to_owned(),
            known: poll::Known::default(),
        }
    }

    /// Names of the account's EKS clusters in this region.
    ///
    /// # Errors
    /// What the request was refused with.
    pub async fn clusters(&self) -> Result<Vec<String>, Failed> {
        let mut pages = self.eks.list_clusters().into_paginator().items().send();
        let mut names = Vec::new();
        while let Some(name) = pages.next().await {
            names.push(name.map_err(|error| errors::aws(&error))?);
        }
        Ok(names)
    }

    /// Describes what a decision reads, all of it or the targets' health with the rest as it was seen within the last minute.
    /// `cluster` is what Kubernetes shows: it says which load balancers are its
    /// Services', and in which zone an instance is.
    ///
    /// # Errors
    /// What the first request was refused with that failed; what had been known stays as it was.
    pub async fn poll(
        &mut self,
        cluster: &ClusterView,
        clock: &Clock,
        what: Look,
    ) -> Result<AwsView, Failed> {
        poll::poll(self, cluster, clock, what).await
    }

    /// Sends one write to AWS. Those for Kubernetes are not sent here and answered as refused.
    pub async fn send(&self, write: &Write, plan: &Plan) -> Result<(), Failed> {
        write::send(self, write, plan).await
    }

    /// Tries one write to AWS without its effect, where there is a way to: EC2's dry run says whether it is permitted.
    ///
    /// # Errors
    /// What it would be refused with; and for a write that cannot be tried, that it cannot ([`Write::can_be_tried`]).
    pub async fn rehearse(&self, write: &Write, plan: &Plan) -> Result<(), Failed> {
        write::rehearse(self, write, plan).await
    }
}

/// A request's answer, or what its failure means.
fn answered<T, E>(result: Result<T, SdkError<E, HttpResponse>>) -> Result<T, Failed>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    result.map_err(|error| errors::aws(&error))
}

fn refused(why: String) -> Failed {
    Failed { answer: Answer::Refused(why.clone()), why }
}

/// Some time ago; what was never, is longest ago.
fn since(at: Option<Timestamp>, now: Timestamp) -> std::time::Duration {
    at.map_or(std::time::Duration::MAX, |at| {
        std::time::Duration::try_from(now.duration_since(at)).unwrap_or_default()
    })
}
