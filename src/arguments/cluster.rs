//! What can be asked of a real cluster.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, ValueEnum};
use scenarios::{duration, shell::connect};

use super::{Format, Move};

/// Where the cluster and its account are.
#[derive(Debug, Clone, Args)]
pub(crate) struct Connection {
    /// Kubeconfig [default: as kubectl finds it]
    #[arg(long, value_name = "FILE", help_heading = "Kubernetes")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig [default: the current one]
    #[arg(long, value_name = "NAME", help_heading = "Kubernetes")]
    pub(crate) context: Option<String>,
    /// User to impersonate
    #[arg(long = "as", value_name = "USER", help_heading = "Kubernetes")]
    pub(crate) impersonate: Option<String>,
    /// How long a request may take, Kubernetes' or AWS'
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = positive, help_heading = "Kubernetes")]
    pub(crate) request_timeout: Duration,

    /// Profile of the AWS configuration
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub(crate) profile: Option<String>,
    /// AWS region [default: as the kubeconfig or the AWS configuration says]
    #[arg(long, value_name = "REGION", help_heading = "AWS")]
    pub(crate) region: Option<String>,
    /// Name of the EKS cluster [default: as the kubeconfig says, or the only one]
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    pub(crate) cluster_name: Option<String>,
    /// Address of EKS
    #[arg(long, value_name = "URL", help_heading = "AWS")]
    pub(crate) endpoint_url_eks: Option<String>,
    /// Address of EC2
    #[arg(long, value_name = "URL", help_heading = "AWS")]
    pub(crate) endpoint_url_ec2: Option<String>,
    /// Address of Auto Scaling
    #[arg(long, value_name = "URL", help_heading = "AWS")]
    pub(crate) endpoint_url_autoscaling: Option<String>,
    /// Address of Elastic Load Balancing
    #[arg(long, value_name = "URL", help_heading = "AWS")]
    pub(crate) endpoint_url_elbv2: Option<String>,
    /// How many times faster than the clock a cluster of `nodeferry serve` goes; refused for any other
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = speed, help_heading = "Simulation")]
    pub(crate) speed: u32,
}

impl Connection {
    /// As the shell wants it.
    pub(crate) fn to(&self) -> connect::To {
        connect::To {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            impersonate: self.impersonate.clone(),
            request_timeout: self.request_timeout,
            profile: self.profile.clone(),
            region: self.region.clone(),
            endpoints: scenarios::shell::aws::Endpoints {
                eks: self.endpoint_url_eks.clone(),
                ec2: self.endpoint_url_ec2.clone(),
                autoscaling: self.endpoint_url_autoscaling.clone(),
                elb: self.endpoint_url_elbv2.clone(),
            },
            cluster: self.cluster_name.clone(),
        }
    }
}

/// A migration as asked for.
#[derive(Debug, Clone, Args, serde::Serialize, serde::Deserialize)]
pub(crate) struct Migration {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) moving: Move,
    /// How long the migrated cluster is watched before the old group is deleted
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = span, help_heading = "Migration")]
    pub(crate) soak: Duration,
    /// Give up when a step has seen no progress for this long, pods' grace periods not counted
    #[arg(long, value_name = "DURATION", default_value = "30m", value_parser = positive, help_heading = "Migration")]
    pub(crate) drain_timeout: Duration,
    /// When old pods are let go: as soon as new ones serve, or when their longest connection must have ended
    #[arg(long, value_enum, value_name = "WHEN", default_value = "during", help_heading = "Migration")]
    pub(crate) let_go: LetGoName,
}

/// When old pods are let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Serialize, serde::Deserialize)]
pub(crate) enum LetGoName {
    /// As soon as the new ones serve
    During,
    /// When the longest connection must have ended
    Before,
}

/// Looks for what would go wrong with a migration, and changes nothing
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nodeferry preflight --from blue --to green
  nodeferry preflight --from blue --to green --context staging -o json

Exit codes: 0 nothing blocks, 2 usage or input, 4 blocking findings, 5 unreachable")]
pub(crate) struct Preflight {
    #[command(flatten)]
    pub(crate) migration: Migration,
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Text for people, JSON for programs
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub(crate) output: Format,
}

/// Shows what a migration would do, step by step, and changes nothing
///
/// With -o the plan is written into a file, which `nodeferry migrate FILE` carries out as it is, or refuses if the
/// cluster has changed in the meantime.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nodeferry plan --from blue --to green
  nodeferry plan --from blue --to green --instance-types m7i.2xlarge --max 4 --out move.json
  nodeferry migrate move.json

Exit codes: 0 can be carried out, 2 usage or input, 4 blocking findings, 5 unreachable")]
pub(crate) struct Plan {
    #[command(flatten)]
    pub(crate) migration: Migration,
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Writes the plan into a file
    #[arg(short, long, value_name = "FILE", help_heading = "Output")]
    pub(crate) out: Option<PathBuf>,
}

/// Moves every workload of a node group to another one
///
/// Looks for findings and shows the plan first, then asks, unless --yes. Can be interrupted at any time, and goes on with
/// `nodeferry resume`, here or on another machine.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nodeferry migrate --from blue --to green
  nodeferry migrate --from blue --to green --max 4 --stop-after gate --yes
  nodeferry migrate move.json --audit audit.jsonl
  nodeferry migrate move.json --dry-run=server

Exit codes: 0 migrated, 2 usage or input, 4 blocking findings, 5 unreachable, 6 stopped, 7 locked, 8 rolled back,
9 stopped past the point of no return, 10 held, interrupted or not agreed to")]
pub(crate) struct Migrate {
    /// A plan that `nodeferry plan --out` wrote; it says all that the flags of a migration say
    #[arg(value_name = "PLAN", conflicts_with_all = [
        "from", "to", "strategy", "adopt", "keep_group", "accept", "soak", "drain_timeout", "let_go",
        "instance_types", "min", "max", "desired", "ami_type", "subnets",
    ])]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) migration: Migration,
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) drive: Drive,
    /// Changes nothing: prints the plan with what would be sent (client), and sends what can be sent without effect, for what
    /// servers say to it (server)
    #[arg(long, value_enum, value_name = "WHERE", help_heading = "Migration", conflicts_with_all = ["yes", "stop_after", "audit"])]
    pub(crate) dry_run: Option<DryRun>,
    /// Do not ask
    #[arg(short, long, help_heading = "Migration")]
    pub(crate) yes: bool,
}

/// Who takes part in a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRun {
    /// Nothing is sent
    Client,
    /// What can be sent without effect is sent: permissions, admission and validation are those of the real thing
    Server,
}

/// How a migration is carried out.
#[derive(Debug, Args)]
pub(crate) struct Drive {
    /// Hold the migration after a step: freeze, new-group, taint, surge, admit, gate, exclude, release, scale-back,
    /// move-rest, quiet or delete
    #[arg(long, value_name = "STEP", value_parser = step, help_heading = "Migration")]
    pub(crate) stop_after: Option<&'static str>,
    /// Appends a line of JSON for every write: what was there, what was asked for, what was answered
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) audit: Option<PathBuf>,
    /// Answers Prometheus servers at this address, http://ADDRESS/metrics, while it runs; a port alone is one of 127.0.0.1
    #[arg(long, value_name = "[ADDRESS:]PORT", value_parser = address, help_heading = "Output")]
    pub(crate) metrics_addr: Option<SocketAddr>,
}

/// Shows where a migration stands
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nodeferry status
  nodeferry status -w
  nodeferry status -o json

Exit codes: 0 shown, 2 usage or input, 5 unreachable")]
pub(crate) struct Status {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Goes on showing changes until the migration ends
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// Text for people, JSON for programs
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub(crate) output: Format,
}

/// Goes on with a migration that was interrupted, held, or has stopped
///
/// Also after a crash: the lock of a process that is gone is taken over when it has run out.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nodeferry resume
  nodeferry resume --stop-after quiet

Exit codes: as for `migrate`")]
pub(crate) struct Resume {
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) drive: Drive,
}

/// Holds a migration at its next step, whichever process carries it out
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nodeferry pause
  nodeferry resume

Exit codes: 0 held, 2 usage or input, or there is nothing to hold, 5 unreachable")]
pub(crate) struct Pause {
    #[command(flatten)]
    pub(crate) connection: Connection,
}

/// Puts everything back as it was before the migration
///
/// Possible until the old group is being deleted.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nodeferry rollback

Exit codes: 8 rolled back, otherwise as for `migrate`")]
pub(crate) struct Rollback {
    #[command(flatten)]
    pub(crate) connection: Connection,
    #[command(flatten)]
    pub(crate) drive: Drive,
}

/// Takes the lock away from a process that is gone
///
/// Rarely needed: a silent holder loses the lock by itself after two minutes. A process that still runs takes it again at its
/// next step: hold the migration with `nodeferry pause` instead.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nodeferry unlock --yes

Exit codes: 0 unlocked, 2 usage or input, or the holder has it again, 5 unreachable, 10 not agreed to")]
pub(crate) struct Unlock {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Do not ask
    #[arg(short, long)]
    pub(crate) yes: bool,
}

fn span(text: &str) -> Result<Duration, String> {
    duration::parse(text).map_err(|error| error.to_string())
}

fn positive(text: &str) -> Result<Duration, String> {
    let span = span(text)?;
    if span.is_zero() { Err("write a duration above zero, like 30s".to_owned()) } else { Ok(span) }
}

/// Nobody else's machine is let in unless it is asked for.
fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok((Ipv4Addr::LOCALHOST, port).into());
    }
    text.parse().map_err(|_| "write a port, or an IP address with a port, like 127.0.0.1:9102".to_owned())
}

fn speed(text: &str) -> Result<u32, String> {
    super::number(text, 1, super::SPEED_MAX)
}

fn step(text: &str) -> Result<&'static str, String> {
    let names = || scenarios::outline::STEPS.iter().map(|step| step.name).filter(|name| *name != "restore");
    names()
        .find(|name| *name == text)
        .ok_or_else(|| format!("write one of {}", names().collect::<Vec<_>>().join(", ")))
}
