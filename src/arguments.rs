//! What can be asked on the command line, and the limits of numbers. Whether it makes sense for a cluster is decided
//! where the cluster is known.

#[cfg(feature = "live")]
pub(crate) mod cluster;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use scenarios::{Class, Request, Strategy};

use crate::exit;

/// Largest node group that can be asked for. EKS allows 450 nodes per group unless the quota was raised, Kubernetes is
/// built for 5,000 nodes per cluster; beyond twice that it is a typing error.
const NODES_MAX: u64 = 10_000;

/// Most clients that can be asked for. A client takes about 2 KB: this many stay below 4 GiB.
const CONNECTIONS_MAX: u64 = 2_000_000;

/// What EKS makes a node group's image from. Not `CUSTOM`: that is an image which a launch template names, and ours names
/// none. Source: EKS API, `CreateNodegroup`, `amiType`.
const AMI_TYPES: [&str; 22] = [
    "AL2023_x86_64_STANDARD",
    "AL2023_ARM_64_STANDARD",
    "AL2023_x86_64_NEURON",
    "AL2023_x86_64_NVIDIA",
    "AL2023_ARM_64_NVIDIA",
    "AL2_x86_64",
    "AL2_x86_64_GPU",
    "AL2_ARM_64",
    "BOTTLEROCKET_x86_64",
    "BOTTLEROCKET_ARM_64",
    "BOTTLEROCKET_x86_64_FIPS",
    "BOTTLEROCKET_ARM_64_FIPS",
    "BOTTLEROCKET_x86_64_NVIDIA",
    "BOTTLEROCKET_ARM_64_NVIDIA",
    "BOTTLEROCKET_x86_64_NVIDIA_FIPS",
    "BOTTLEROCKET_ARM_64_NVIDIA_FIPS",
    "WINDOWS_CORE_2019_x86_64",
    "WINDOWS_FULL_2019_x86_64",
    "WINDOWS_CORE_2022_x86_64",
    "WINDOWS_FULL_2022_x86_64",
    "WINDOWS_CORE_2025_x86_64",
    "WINDOWS_FULL_2025_x86_64",
];

/// Moves every workload of an EKS node group to a new one without dropping a connection, and proves it on a simulated
/// EKS in virtual time.
#[derive(Debug, Parser)]
#[command(name = "nodeferry", version, arg_required_else_help = true, after_help = exit::TABLE, max_term_width = 110)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Colours: on a terminal, always, or never. NO_COLOR is respected
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    pub(crate) color: Color,

    /// Writes what the program's parts say of themselves to standard error, like `info` or `migrator=debug`
    ///
    /// Directives are those of Rust programs, TARGET=LEVEL with commas between. Requests of other parts are not written
    /// with their headers, whatever the level.
    #[cfg(feature = "live")]
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Simulate(Box<Simulate>),
    Conformance(Conformance),
    Permissions(Permissions),
    Completions(Completions),
    #[cfg(feature = "live")]
    Serve(Serve),
    #[cfg(feature = "live")]
    Preflight(Box<cluster::Preflight>),
    #[cfg(feature = "live")]
    Plan(Box<cluster::Plan>),
    #[cfg(feature = "live")]
    Migrate(Box<cluster::Migrate>),
    #[cfg(feature = "live")]
    Status(Box<cluster::Status>),
    #[cfg(feature = "live")]
    Resume(Box<cluster::Resume>),
    #[cfg(feature = "live")]
    Pause(Box<cluster::Pause>),
    #[cfg(feature = "live")]
    Rollback(Box<cluster::Rollback>),
    #[cfg(feature = "live")]
    Unlock(Box<cluster::Unlock>),
}

/// Prints what has to be granted to whoever migrates, plans or looks
///
/// Without --rbac and --iam: every call that is made, with the lowest role that makes it. What is granted is no more than
/// these calls; who gets it is the cluster's and the account's own affair.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  nodeferry permissions
  nodeferry permissions --for apply --rbac --group deployers
  nodeferry permissions --for observe --iam --region eu-central-1 --account 111122223333 --cluster-name clinic

Exit codes: 0 printed, 2 usage")]
pub(crate) struct Permissions {
    /// For whom: observe is `preflight` and `status`, plan is those and `plan`, apply is every command
    #[arg(long = "for", value_enum, value_name = "ROLE", default_value = "apply")]
    pub(crate) role: RoleName,
    /// Roles and bindings for the cluster, as YAML
    #[arg(long, conflicts_with = "iam", help_heading = "Kubernetes")]
    pub(crate) rbac: bool,
    /// Group that is bound to the roles [default: nodeferry-ROLE]
    #[arg(long, value_name = "NAME", requires = "rbac", help_heading = "Kubernetes")]
    pub(crate) group: Option<String>,
    /// A policy for the account, as JSON; words in capitals stand where nothing is said
    #[arg(long, help_heading = "AWS")]
    pub(crate) iam: bool,
    /// Region of the cluster
    #[arg(long, value_name = "REGION", requires = "iam", help_heading = "AWS")]
    pub(crate) region: Option<String>,
    /// Number of the account
    #[arg(long, value_name = "NUMBER", requires = "iam", help_heading = "AWS")]
    pub(crate) account: Option<String>,
    /// Name of the EKS cluster
    #[arg(long, value_name = "NAME", requires = "iam", help_heading = "AWS")]
    pub(crate) cluster_name: Option<String>,
    /// ARN of the role that nodes have, which EKS is handed for the new ones
    #[arg(long, value_name = "ARN", requires = "iam", help_heading = "AWS")]
    pub(crate) node_role: Option<String>,
}

/// A role, on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleName {
    /// Looks, and changes nothing
    Observe,
    /// Plans, and changes nothing
    Plan,
    /// Migrates
    Apply,
}

/// Prints what a shell needs to complete the command line
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub(crate) struct Completions {
    /// For which shell
    #[arg(value_enum, value_name = "SHELL")]
    pub(crate) shell: ShellName,
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  source <(nodeferry completions bash)
  nodeferry completions zsh > ~/.zfunc/_nodeferry
  nodeferry completions fish > ~/.config/fish/completions/nodeferry.fish

Exit codes: 0 printed, 2 usage";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ShellName {
    Bash,
    Fish,
    Zsh,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// Runs one migration of a cluster export in virtual time: timeline and verdict
///
/// The cluster is what `kubectl get ... -A -o yaml` printed. Nothing real is touched. Without --cluster, the example
/// that is part of the program is migrated.
#[derive(Debug, Args)]
#[command(after_help = SIMULATE_EXAMPLES)]
pub(crate) struct Simulate {
    /// Export of the cluster: YAML or JSON, one document or many
    ///
    /// Worth exporting: nodes, pods, deployments, replicasets, statefulsets, daemonsets, jobs, services,
    /// endpointslices, horizontalpodautoscalers, poddisruptionbudgets, persistentvolumes and their claims,
    /// resourcequotas, namespaces. Other kinds are kept and left alone.
    #[arg(long, value_name = "FILE", requires = "from", requires = "to", help_heading = "Cluster")]
    pub(crate) cluster: Option<PathBuf>,
    /// The AWS side: JSON as `aws eks describe-nodegroup`, `autoscaling describe-*`, `elbv2 describe-*` print it
    ///
    /// What is missing is assumed, and the report says so.
    #[arg(long, value_name = "FILE", requires = "cluster", help_heading = "Cluster")]
    pub(crate) aws: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) moving: Move,

    /// Everything that is left to chance follows from this number
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1, value_parser = any_number, allow_negative_numbers = true,
        help_heading = "Model"
    )]
    pub(crate) seed: u64,
    /// Clients with long-lived connections, shared equally between the load-balanced Services
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clients, allow_negative_numbers = true,
          help_heading = "Model")]
    pub(crate) connections: u32,
    /// Clients as a traffic file describes them, for the Services that it names
    #[arg(long, value_name = "FILE", help_heading = "Model")]
    pub(crate) traffic: Option<PathBuf>,
    /// Sets a parameter of the model, like nlb.registration_delay=2m; the README lists them
    #[arg(long = "set", value_name = "NAME=VALUE", help_heading = "Model")]
    pub(crate) set: Vec<String>,
    /// Draws every parameter of a class from its range
    #[arg(long, value_name = "CLASS", value_enum, value_delimiter = ',', help_heading = "Model")]
    pub(crate) draw: Vec<ClassName>,

    /// Text for people, JSON for programs
    #[arg(short, long, value_enum, value_name = "FORMAT", default_value = "text", help_heading = "Output")]
    pub(crate) output: Format,
    /// Every cause of drops with its causal chain, for each object that ended them; seen and wanted values of waits
    #[arg(long, help_heading = "Output")]
    pub(crate) explain: bool,
    /// Writes everything that happened into a file, one line each
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) timeline: Option<PathBuf>,
    /// Writes the cluster as it is at the end into a file: YAML, or JSON if its name ends so
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) export: Option<PathBuf>,
    /// Writes the AWS side as it is at the end into a file of JSON, which --aws reads
    #[arg(long, value_name = "FILE", help_heading = "Output")]
    pub(crate) export_aws: Option<PathBuf>,
}

/// What every command has to know of a migration.
#[derive(Debug, Clone, Args)]
#[cfg_attr(feature = "live", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Move {
    /// Node group to leave
    #[arg(long, value_name = "GROUP", value_parser = group_name, help_heading = "Migration")]
    pub(crate) from: Option<String>,
    /// Node group to move to; it is created, unless --adopt
    #[arg(long, value_name = "GROUP", value_parser = group_name, help_heading = "Migration")]
    pub(crate) to: Option<String>,
    /// How the workloads are moved
    #[arg(long, value_enum, default_value = "single-move", help_heading = "Migration")]
    pub(crate) strategy: StrategyName,
    /// Use the group of --to as it is, instead of creating it
    #[arg(long, conflicts_with_all = ["instance_types", "ami_type", "subnets"], help_heading = "Migration")]
    pub(crate) adopt: bool,
    /// Stop before the old group is deleted
    #[arg(long, help_heading = "Migration")]
    pub(crate) keep_group: bool,
    /// Go on in spite of a finding
    #[arg(long, value_name = "CODE", value_delimiter = ',', help_heading = "Migration")]
    pub(crate) accept: Vec<String>,

    #[command(flatten)]
    pub(crate) group: NewGroup,
}

impl Move {
    /// The request, from a group to another.
    pub(crate) fn request(&self, from: &str, to: &str) -> anyhow::Result<Request> {
        let group = &self.group;
        group.check()?;
        Ok(Request {
            strategy: self.strategy.strategy(),
            adopt: self.adopt,
            keep_group: self.keep_group,
            instance_types: shared(&group.instance_types),
            min: group.min,
            max: group.max,
            desired: group.desired,
            ami_type: group.ami_type.as_deref().map(Into::into),
            subnets: shared(&group.subnets),
            accept: self.accept.iter().map(|code| code.trim().to_uppercase()).collect(),
            ..Request::new(from, to)
        })
    }
}

/// What the new group is to be.
#[derive(Debug, Clone, Default, Args)]
#[cfg_attr(feature = "live", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct NewGroup {
    /// Instance types of the new group [default: those of the old]
    #[arg(long, value_name = "TYPE", value_delimiter = ',', value_parser = word, help_heading = "New group")]
    pub(crate) instance_types: Vec<String>,
    /// Fewest nodes of the new group [default: as the old]
    #[arg(long, value_name = "N", value_parser = nodes, allow_negative_numbers = true, help_heading = "New group")]
    pub(crate) min: Option<u32>,
    /// Most nodes of the new group [default: as the old]
    #[arg(long, value_name = "N", value_parser = nodes_at_least_one, allow_negative_numbers = true, help_heading = "New group")]
    pub(crate) max: Option<u32>,
    /// Nodes wanted, within --min and --max [default: as the old]
    #[arg(long, value_name = "N", value_parser = nodes, allow_negative_numbers = true, help_heading = "New group")]
    pub(crate) desired: Option<u32>,
    /// AMI type of the new group [default: that of the old]
    #[arg(long, value_name = "TYPE", value_parser = AMI_TYPES, hide_possible_values = true,
          help_heading = "New group")]
    pub(crate) ami_type: Option<String>,
    /// Subnets of the new group [default: those of the old]
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = word, help_heading = "New group")]
    pub(crate) subnets: Vec<String>,
}

const SIMULATE_EXAMPLES: &str = "\
Examples:
  nodeferry simulate
  nodeferry simulate --strategy recipe --explain
  nodeferry simulate --cluster examples/clinic.yaml --from blue --to green --connections 2000
  nodeferry simulate --traffic examples/clinic-traffic.yaml
  nodeferry simulate --set nlb.registration_delay=5m --draw U --seed 7 -o json
  nodeferry simulate --export after.yaml --export-aws after-aws.json

Exit codes: 0 held, 1 broken, 2 usage or input, 3 inconclusive, 4 refused";

/// Puts recorded answers of Kubernetes to the model
///
/// A file holds JSON lines, one case a line; its family is told by its name. Of a directory, its files *.jsonl are
/// taken. Exits 0 only where every case passes.
#[derive(Debug, Args)]
#[command(after_help = CONFORMANCE_EXAMPLES)]
pub(crate) struct Conformance {
    /// Files, and directories of files
    #[arg(value_name = "FILE|DIR", required_unless_present = "list")]
    pub(crate) paths: Vec<PathBuf>,
    /// Lists the families that can be run
    #[arg(long, conflicts_with = "paths")]
    pub(crate) list: bool,
}

const CONFORMANCE_EXAMPLES: &str = "\
Examples:
  nodeferry conformance testdata/golden
  nodeferry conformance --list

Exit codes: 0 every case passed, 1 a case failed, 2 a file makes no sense";

/// Serves the simulated EKS on local ports, for kubectl, aws and other clients
///
/// Listens on 127.0.0.1 only and lets everybody in. Writes DIR/kubeconfig and DIR/aws.env, then prints a line that begins
/// with `ready`; ends at SIGINT or SIGTERM. Without --cluster, the example that is part of the program is served.
#[cfg(feature = "live")]
#[derive(Debug, Args)]
#[command(after_help = SERVE_EXAMPLES)]
pub(crate) struct Serve {
    /// Export of the cluster: YAML or JSON, one document or many
    #[arg(long, value_name = "FILE")]
    pub(crate) cluster: Option<PathBuf>,
    /// The AWS side, as for `simulate`
    #[arg(long, value_name = "FILE", requires = "cluster")]
    pub(crate) aws: Option<PathBuf>,
    /// Directory for the files that clients need; made if it is missing
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// How many times faster than the clock the cluster's time passes; 0 stops it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = speed, allow_negative_numbers = true)]
    pub(crate) speed: u32,
    /// Everything that is left to chance follows from this number
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = any_number, allow_negative_numbers = true)]
    pub(crate) seed: u64,
    /// Answers N requests a second and refuses the others as busy servers do, with 429 or a throttling error
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) throttle: Option<u32>,
    /// Sets a parameter of the model, like kubelet.image_pull_cold=1s; the README lists them
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
}

#[cfg(feature = "live")]
const SERVE_EXAMPLES: &str = "\
Examples:
  nodeferry serve --dir /tmp/clinic --speed 10
  KUBECONFIG=/tmp/clinic/kubeconfig kubectl get pods -A
  (. /tmp/clinic/aws.env; aws eks list-nodegroups --cluster-name clinic)

Exit codes: 0 stopped, 2 usage or input";

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[cfg_attr(feature = "live", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum StrategyName {
    /// Every connection moves at most once, and every wait ends on evidence
    SingleMove,
    /// The published recipe: the group is deleted first, then everything is scaled back
    Recipe,
    /// The recipe with everything scaled back before the group is deleted
    RecipeDescaleFirst,
}

impl StrategyName {
    pub(crate) fn strategy(self) -> Strategy {
        match self {
            StrategyName::SingleMove => Strategy::SingleMove,
            StrategyName::Recipe => Strategy::Recipe,
            StrategyName::RecipeDescaleFirst => Strategy::RecipeDescaleFirst,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            StrategyName::SingleMove => "single-move",
            StrategyName::Recipe => "recipe",
            StrategyName::RecipeDescaleFirst => "recipe-descale-first",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ClassName {
    /// What nobody outside knows
    #[value(name = "U", alias = "u")]
    Uncertainty,
    /// What is read from live objects
    #[value(name = "C", alias = "c")]
    Configuration,
    /// What no migration can avoid
    #[value(name = "H", alias = "h")]
    Hazard,
}

impl ClassName {
    pub(crate) fn class(self) -> Class {
        match self {
            ClassName::Uncertainty => Class::Uncertainty,
            ClassName::Configuration => Class::Configuration,
            ClassName::Hazard => Class::Hazard,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Text,
    Json,
}

impl NewGroup {
    /// Whether the sizes fit each other.
    fn check(&self) -> anyhow::Result<()> {
        match (self.min, self.max) {
            (Some(min), Some(max)) if min > max => anyhow::bail!("--min {min} is more than --max {max}"),
            _ => Ok(()),
        }
    }
}

/// Words as they are shared.
fn shared(words: &[String]) -> Vec<std::sync::Arc<str>> {
    words.iter().map(|word| word.as_str().into()).collect()
}

/// A number within limits. Clap's own message would speak of digits and types.
fn number<T: TryFrom<u64>>(text: &str, least: u64, most: u64) -> Result<T, String> {
    let within = text.parse::<u64>().ok().filter(|number| (least..=most).contains(number));
    within
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| format!("write a whole number from {least} to {most}"))
}

fn any_number(text: &str) -> Result<u64, String> {
    number(text, 0, u64::MAX)
}

fn nodes(text: &str) -> Result<u32, String> {
    number(text, 0, NODES_MAX)
}

fn nodes_at_least_one(text: &str) -> Result<u32, String> {
    number(text, 1, NODES_MAX)
}

/// A day in a tenth of a second; faster, the simulation itself is what takes the time.
#[cfg(feature = "live")]
const SPEED_MAX: u64 = 1_000_000;

#[cfg(feature = "live")]
fn speed(text: &str) -> Result<u32, String> {
    number(text, 0, SPEED_MAX)
}

fn clients(text: &str) -> Result<u32, String> {
    number(text, 1, CONNECTIONS_MAX)
}

/// EKS' own rule for names of node groups, so that a slip is told before a cluster is read.
fn group_name(text: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let first = text.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if first && text.len() <= 63 && text.chars().all(inner) {
        return Ok(text.to_owned());
    }
    Err("a node group's name has 1 to 63 letters, digits, - and _, and begins with a letter or digit"
        .to_owned())
}

fn word(text: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !text.is_empty() && text.len() <= 128 && text.chars().all(inner) {
        return Ok(text.to_owned());
    }
    Err("write letters, digits, -, _ and . only".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[cfg(feature = "live")]
    #[test]
    fn a_saved_plan_takes_no_flag_that_it_would_ignore() {
        let parsed = |more: &[&str]| {
            Arguments::try_parse_from([&["nodeferry", "migrate", "move.json"], more].concat()).map(|_| ())
        };
        assert!(parsed(&["--yes", "--stop-after", "gate", "--audit", "a.jsonl"]).is_ok());
        let ignored: [&[&str]; 15] = [
            &["--from", "blue"],
            &["--to", "green"],
            &["--strategy", "recipe"],
            &["--adopt"],
            &["--keep-group"],
            &["--accept", "NF101"],
            &["--soak", "1h"],
            &["--drain-timeout", "1h"],
            &["--let-go", "before"],
            &["--instance-types", "m5.large"],
            &["--min", "1"],
            &["--max", "1"],
            &["--desired", "1"],
            &["--ami-type", "AL2023_x86_64_STANDARD"],
            &["--subnets", "subnet-1"],
        ];
        for flags in ignored {
            let error = parsed(flags).expect_err(flags[0]);
            assert_eq!(error.kind(), clap::error::ErrorKind::ArgumentConflict, "{flags:?}: {error}");
        }
    }
}
