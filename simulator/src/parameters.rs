//! The constants of the modelled systems that are not certain, as named parameters: default, range, source, class.
//!
//! A parameter is written once, in the table below; its field, its name for `--set`, its limits and its
//! description come from there. The world reads plain fields: spans are whole milliseconds, because it adds and compares
//! them for every event. What a parameter does to the world is decided where the world uses it.
//!
//! Ranges come from the model sheets of EKS, Auto Scaling, NLB and Kubernetes; `basis` repeats what kind of evidence
//! stands behind them: documented, source code, observed or assumed.

use loadgen::duration::{self, DurationError, format_millis};

use crate::chance::Seed;

/// What a parameter asks of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// U: nobody outside knows the value. A migration must be safe for the whole range.
    Uncertainty,
    /// C: can be read from live objects. A migration holds, or refuses with a finding.
    Configuration,
    /// H: no order of steps avoids the harm. Off unless a suite turns it on.
    Hazard,
}

impl Class {
    /// The letter that stands for the class in tables.
    pub const fn letter(self) -> char {
        match self {
            Class::Uncertainty => 'U',
            Class::Configuration => 'C',
            Class::Hazard => 'H',
        }
    }
}

/// How a parameter's value is written, and what a bare number means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// A span; a bare number means seconds. Held in milliseconds.
    Seconds,
    /// A span; a bare number means milliseconds.
    Milliseconds,
    /// A whole number of things.
    Count,
    /// Thousandths of one, a whole number.
    Permille,
    /// `true` or `false`.
    Switch,
    /// `1` or `threshold`; see [`FirstHealthy`].
    Checks,
}

/// How many passed health checks bring a new target into service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FirstHealthy {
    /// One, as a troubleshooting page of the NLB says.
    OneCheck,
    /// The target group's healthy threshold, as its reference says.
    Threshold,
}

/// One row of the registry. Values are numbers: milliseconds, counts, 0 and 1 for `false` and `true`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// What `--set` and scenario files call it.
    pub name: &'static str,
    /// The field of [`Parameters`] that holds it.
    pub field: &'static str,
    /// What it is, in a sentence or two.
    pub about: &'static str,
    /// How it is written.
    pub unit: Unit,
    /// Its value unless set or drawn.
    pub default: u64,
    /// The least value it can be set to.
    pub low: u64,
    /// The greatest value it can be set to.
    pub high: u64,
    /// Whether exploration draws it from that range. If not, its value is known, and the range is only what makes sense.
    pub drawn: bool,
    /// What it asks of a migration.
    pub class: Class,
    /// What kind of evidence it rests on.
    pub basis: &'static str,
}

impl Parameter {
    /// Writes a value of this parameter as [`Parameters::set`] reads it.
    pub fn render(&self, value: u64) -> String {
        match self.unit {
            Unit::Seconds | Unit::Milliseconds => format_millis(value),
            Unit::Count | Unit::Permille => value.to_string(),
            Unit::Switch => (value != 0).to_string(),
            Unit::Checks if value == 0 => "1".to_owned(),
            Unit::Checks => "threshold".to_owned(),
        }
    }

    /// The number that a written value stands for, within the limits.
    fn read(&self, text: &str) -> Result<u64, ParameterError> {
        let malformed =
            |wanted| Err(ParameterError::Malformed { name: self.name, value: text.to_owned(), wanted });
        let bare = match self.unit {
            Unit::Milliseconds => duration::Unit::Milliseconds,
            _ => duration::Unit::Seconds,
        };
        let value =
            match (self.unit, text) {
                (Unit::Switch, "false") => 0,
                (Unit::Switch, "true") => 1,
                (Unit::Switch, _) => return malformed("true or false"),
                (Unit::Checks, "1") => 0,
                (Unit::Checks, "threshold") => 1,
                (Unit::Checks, _) => return malformed("1 or threshold"),
                (Unit::Count, _) => match text.parse() {
                    Ok(count) => count,
                    Err(_) => return malformed("a whole number"),
                },
                (Unit::Permille, _) => match text.parse() {
                    Ok(permille) => permille,
                    Err(_) => return malformed("a whole number of thousandths"),
                },
                (Unit::Seconds | Unit::Milliseconds, _) => duration::parse_or(text, bare)
                    .map(duration::millis)
                    .map_err(|fault| ParameterError::Span { name: self.name, fault })?,
            };
        if (self.low..=self.high).contains(&value) {
            return Ok(value);
        }
        Err(ParameterError::OutOfRange {
            name: self.name,
            value: text.to_owned(),
            low: self.render(self.low),
            high: self.render(self.high),
        })
    }
}

/// Why a parameter was not set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    /// No `=` between a name and a value.
    #[error("`{text}` is not NAME=VALUE; write it like nlb.registration_delay=90s")]
    NoValue {
        /// What was written.
        text: String,
    },
    /// A name that no parameter has.
    #[error("there is no parameter `{name}`; {}", suggest(nearest))]
    Unknown {
        /// What was written.
        name: String,
        /// The most similar names, the most similar first.
        nearest: Vec<&'static str>,
    },
    /// A value that is no span.
    #[error("parameter `{name}`: {fault}")]
    Span {
        /// The parameter.
        name: &'static str,
        /// What is wrong with the value; in the message, so no source that would be told a second time.
        fault: DurationError,
    },
    /// A value of another kind.
    #[error("parameter `{name}` cannot be `{value}`; write {wanted}")]
    Malformed {
        /// The parameter.
        name: &'static str,
        /// What was written.
        value: String,
        /// What can be written.
        wanted: &'static str,
    },
    /// A value that the modelled system cannot have.
    #[error("parameter `{name}` cannot be {value}; write a value from {low} to {high}")]
    OutOfRange {
        /// The parameter.
        name: &'static str,
        /// What was written.
        value: String,
        /// The least value.
        low: String,
        /// The greatest value.
        high: String,
    },
}

/// A type of field, as the registry's number.
trait Field: Copy {
    fn to_number(self) -> u64;
    /// The field's value for a number within its parameter's limits.
    fn from_number(number: u64) -> Self;
}

impl Field for u64 {
    fn to_number(self) -> u64 {
        self
    }

    fn from_number(number: u64) -> u64 {
        number
    }
}

impl Field for u32 {
    fn to_number(self) -> u64 {
        u64::from(self)
    }

    fn from_number(number: u64) -> u32 {
        u32::try_from(number).unwrap_or(u32::MAX)
    }
}

impl Field for bool {
    fn to_number(self) -> u64 {
        u64::from(self)
    }

    fn from_number(number: u64) -> bool {
        number != 0
    }
}

impl Field for FirstHealthy {
    fn to_number(self) -> u64 {
        match self {
            FirstHealthy::OneCheck => 0,
            FirstHealthy::Threshold => 1,
        }
    }

    fn from_number(number: u64) -> FirstHealthy {
        if number == 0 { FirstHealthy::OneCheck } else { FirstHealthy::Threshold }
    }
}

/// Writes each parameter once. A row is: documentation, field and its type, name, unit, default, limits, whether it is
/// drawn from them (`drawn`) or known (`fixed`), class, basis.
macro_rules! registry {
    ($($(#[doc = $about:literal])+
        $field:ident: $type:ty = $name:literal, $unit:ident $default:expr, $how:ident $low:expr => $high:expr, $class:ident, $basis:literal;)+) => {
        /// Every parameter of one world. Starts as [`Parameters::default`]; exploration draws, users set.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct Parameters {
            $($(#[doc = $about])+ pub $field: $type,)+
            /// One bit for each parameter that was set by name.
            explicit: u128,
        }

        /// Every parameter, in the order of the fields.
        pub const REGISTRY: &[Parameter] = &[$(Parameter {
            name: $name,
            field: stringify!($field),
            about: concat!($($about),+).trim_ascii(),
            unit: Unit::$unit,
            default: $default,
            low: $low,
            high: $high,
            drawn: registry!(@ $how),
            class: Class::$class,
            basis: $basis,
        }),+];

        impl Default for Parameters {
            fn default() -> Parameters {
                Parameters { $($field: Field::from_number($default),)+ explicit: 0 }
            }
        }

        impl Parameters {
            /// The values in the order of the registry.
            fn numbers(&self) -> [u64; REGISTRY.len()] {
                [$(Field::to_number(self.$field)),+]
            }

            fn put(&mut self, index: usize, number: u64) {
                let mut row = 0;
                $(
                    if index == row {
                        self.$field = Field::from_number(number);
                    }
                    row += 1;
                )+
                debug_assert!(index < row, "row {index} of {row}");
            }
        }
    };
    (@ drawn) => { true };
    (@ fixed) => { false };
}

const MS: u64 = 1;
const S: u64 = 1_000;
const HOUR: u64 = 3_600 * S;
const DAY: u64 = 24 * HOUR;

registry! {
    /// From the registration of a target to its first health check.
    nlb_registration_delay: u64 = "nlb.registration_delay",
        Seconds 90 * S, drawn 15 * S => 300 * S, Uncertainty, "observed";
    /// How long new flows still reach a deregistered target, at the slowest NLB node; the others are between 5 s and this.
    nlb_dereg_propagation: u64 = "nlb.dereg_propagation",
        Seconds 120 * S, drawn 5 * S => 300 * S, Uncertainty, "observed";
    /// How long an application that serves on after SIGTERM keeps accepting when it has no client left.
    application_linger: u64 = "application.linger",
        Seconds 330 * S, fixed 0 => HOUR, Uncertainty, "assumed: outlasts the propagation of a deregistration";
    /// From a pod's change to the write of its Service's EndpointSlices, without churn.
    endpoints_write: u64 = "endpoints.write",
        Milliseconds 50 * MS, drawn 20 * MS => 200 * MS, Uncertainty, "assumed";
    /// How long the AWS Load Balancer Controller takes for one reconcile.
    lbc_reconcile: u64 = "lbc.reconcile",
        Milliseconds S, drawn 200 * MS => 5 * S, Uncertainty, "assumed";
    /// How often the AWS Load Balancer Controller polls a target for its pod's readiness gate.
    lbc_gate_poll: u64 = "lbc.gate_poll",
        Seconds 15 * S, fixed S => 60 * S, Uncertainty, "source code";
    /// How long new flows still reach a target that turned unhealthy.
    nlb_unhealthy_propagation: u64 = "nlb.unhealthy_propagation",
        Seconds 35 * S, drawn 0 => 40 * S, Uncertainty, "observed";
    /// Whether a target that is still `initial` gets new flows, once its registration has reached the load balancer.
    nlb_initial_gets_traffic: bool = "nlb.initial_gets_traffic",
        Switch 0, drawn 0 => 1, Hazard, "observed";
    /// How many passed health checks bring a new target into service.
    nlb_checks_to_first_healthy: FirstHealthy = "nlb.checks_to_first_healthy",
        Checks 1, drawn 0 => 1, Uncertainty, "documented (two pages disagree)";
    /// After how long without a packet the load balancer silently forgets a TCP flow.
    nlb_tcp_idle: u64 = "nlb.tcp_idle",
        Seconds 350 * S, drawn 60 * S => 6_000 * S, Configuration, "documented";
    /// How long a deregistered target stays `draining` before it is `unused`. By itself it closes nothing.
    nlb_dereg_delay: u64 = "nlb.dereg_delay",
        Seconds 300 * S, drawn 0 => 3_600 * S, Configuration, "documented";
    /// Whether flows that are left at the end of the deregistration delay are cut.
    nlb_dereg_cut: bool = "nlb.dereg_cut",
        Switch 0, drawn 0 => 1, Configuration, "documented";
    /// Whether flows to a target that turns unhealthy are answered with a reset.
    nlb_unhealthy_cut: bool = "nlb.unhealthy_cut",
        Switch 1, drawn 0 => 1, Configuration, "documented";
    /// How long an unhealthy target drains; only where unhealthy flows are not cut.
    nlb_unhealthy_interval: u64 = "nlb.unhealthy_interval",
        Seconds 0, drawn 0 => 360_000 * S, Configuration, "documented";
    /// Whether a target that drains and then fails its health checks counts as unhealthy, so that its flows are cut.
    nlb_draining_unhealthy_cuts: bool = "nlb.draining_unhealthy_cuts",
        Switch 1, drawn 0 => 1, Uncertainty, "assumed";
    /// Whether each zone of the load balancer sends to the targets of all zones.
    nlb_cross_zone: bool = "nlb.cross_zone",
        Switch 0, drawn 0 => 1, Configuration, "documented";
    /// How long clients keep the address of a zone that left DNS; beyond 60 s, clients that ignore its TTL.
    nlb_dns_ttl: u64 = "nlb.dns_ttl",
        Seconds 60 * S, drawn 60 * S => 600 * S, Uncertainty, "documented";

    /// How many Services the cloud controller manager brings up to date at once.
    ccm_workers: u32 = "ccm.workers",
        Count 1, drawn 1 => 10, Uncertainty, "source code";
    /// How long the cloud controller manager takes for one Service.
    ccm_ensure_time: u64 = "ccm.ensure_time",
        Seconds 2 * S, drawn 500 * MS => 10 * S, Uncertainty, "assumed";
    /// The first wait before a failed Service is tried again; it doubles from there.
    ccm_backoff: u64 = "ccm.backoff",
        Seconds 5 * S, fixed MS => HOUR, Uncertainty, "source code";
    /// The longest wait before a failed Service is tried again.
    ccm_backoff_max: u64 = "ccm.backoff_max",
        Seconds 300 * S, fixed MS => HOUR, Uncertainty, "source code";
    /// How many target group bindings the AWS Load Balancer Controller brings up to date at once.
    lbc_reconciles: u32 = "lbc.reconciles",
        Count 3, drawn 1 => 10, Uncertainty, "source code";
    /// The longest wait before a failed target group binding is tried again.
    lbc_backoff_max: u64 = "lbc.backoff_max",
        Seconds 1_000 * S, fixed S => HOUR, Uncertainty, "source code";
    /// How long the AWS Load Balancer Controller's standby takes to lead.
    lbc_failover: u64 = "lbc.failover",
        Seconds 15 * S, drawn 0 => 60 * S, Uncertainty, "assumed";

    /// From the creation of a node group to ACTIVE.
    eks_create_to_active: u64 = "eks.create_to_active",
        Seconds 150 * S, drawn 90 * S => 900 * S, Uncertainty, "assumed (15 min cap documented)";
    /// How long an update of a node group's configuration takes.
    eks_config_update: u64 = "eks.config_update",
        Seconds 20 * S, drawn 5 * S => 180 * S, Uncertainty, "assumed";
    /// How long the deletion of a node group drains its nodes before it terminates them.
    eks_delete_drain_cap: u64 = "eks.delete_drain_cap",
        Seconds 300 * S, drawn 300 * S => 900 * S, Uncertainty, "documented / observed";
    /// How long a scale-in drains a node before its instance is terminated.
    eks_scale_in_drain_cap: u64 = "eks.scale_in_drain_cap",
        Seconds 900 * S, drawn 300 * S => 1_800 * S, Uncertainty, "documented";
    /// How long a terminating instance waits for its lifecycle hook.
    asg_terminate_heartbeat: u64 = "asg.terminate_heartbeat",
        Seconds 1_800 * S, fixed 30 * S => 7_200 * S, Uncertainty, "observed";
    /// From the launch of an instance to the state `running`.
    ec2_pending_to_running: u64 = "ec2.pending_to_running",
        Seconds 17 * S, drawn 10 * S => 60 * S, Uncertainty, "observed";
    /// From the launch of an instance to a Ready node; never less than its way to `running`.
    ec2_launch_to_ready: u64 = "ec2.launch_to_ready",
        Seconds 60 * S, drawn 30 * S => 180 * S, Uncertainty, "observed";
    /// From the order to terminate an instance until nothing of it answers.
    ec2_os_shutdown_to_gone: u64 = "ec2.os_shutdown_to_gone",
        Seconds 30 * S, drawn 5 * S => 240 * S, Uncertainty, "assumed";
    /// How old the cluster autoscaler's knowledge of a group's bounds can be.
    ca_asg_cache: u64 = "ca.asg_cache",
        Seconds 60 * S, fixed 0 => HOUR, Uncertainty, "source code";
    /// The period of the cluster autoscaler's scan.
    ca_scan: u64 = "ca.scan",
        Seconds 10 * S, fixed S => HOUR, Uncertainty, "documented";
    /// From the end of an instance to the deletion of its Node: 50 s until it is NotReady, and a loop of 5 s.
    node_delete_after_gone: u64 = "node.delete_after_gone",
        Seconds 55 * S, drawn 5 * S => 60 * S, Uncertainty, "source code / assumed";

    /// How long an API request takes. At least 1 ms, so that an answer never precedes what it caused.
    api_latency: u64 = "api.latency",
        Milliseconds 5 * MS, drawn MS => 100 * MS, Uncertainty, "assumed";
    /// From a write to its arrival at a watching client.
    watch_delivery: u64 = "watch.delivery",
        Milliseconds 20 * MS, drawn 5 * MS => 50 * MS, Uncertainty, "assumed";
    /// How long an Event object is kept.
    event_ttl: u64 = "event.ttl",
        Seconds HOUR, fixed S => 7 * DAY, Uncertainty, "source code";

    /// The least time between two updates of a node's forwarding rules.
    kube_proxy_min_interval: u64 = "kube_proxy.min_interval",
        Seconds S, fixed 0 => 60 * S, Uncertainty, "source code";
    /// The first wait before endpoints that were computed from stale objects are computed again; it doubles from there.
    endpoints_stale_retry: u64 = "endpoints.stale_retry",
        Seconds S, fixed MS => 60 * S, Uncertainty, "source code";
    /// From a pod's turn in the queue to its binding.
    scheduler_bind: u64 = "scheduler.bind",
        Milliseconds 20 * MS, drawn 5 * MS => 50 * MS, Uncertainty, "assumed";
    /// The first wait of a pod that did not fit; it doubles from there.
    scheduler_backoff: u64 = "scheduler.backoff",
        Seconds S, fixed MS => 60 * S, Uncertainty, "source code";
    /// The longest wait of a pod that did not fit.
    scheduler_backoff_max: u64 = "scheduler.backoff_max",
        Seconds 10 * S, fixed MS => 600 * S, Uncertainty, "source code";
    /// How often pods whose wait has ended are put back into the queue.
    scheduler_flush: u64 = "scheduler.flush",
        Seconds S, fixed MS => 60 * S, Uncertainty, "source code";

    /// The grace period of a pod that names none.
    pod_grace_default: u64 = "pod.grace_default",
        Seconds 30 * S, fixed 0 => DAY, Configuration, "source code";
    /// What a container keeps between SIGTERM and SIGKILL however long its pre-stop hook took.
    pod_sigterm_minimum: u64 = "pod.sigterm_minimum",
        Seconds 2 * S, fixed 0 => 60 * S, Uncertainty, "source code";
    /// The period of a readiness probe that names none.
    readiness_period: u64 = "readiness.period",
        Seconds 10 * S, fixed S => HOUR, Configuration, "source code";
    /// How many failures make a container unready, where its readiness probe names no number.
    readiness_failures: u32 = "readiness.failures",
        Count 3, fixed 1 => 1_000, Configuration, "source code";

    /// From a change of a pod to the kubelet's first act on it.
    kubelet_reaction: u64 = "kubelet.reaction",
        Milliseconds 100 * MS, drawn 50 * MS => 300 * MS, Uncertainty, "assumed";
    /// How long a pod's sandbox and network take.
    kubelet_sandbox: u64 = "kubelet.sandbox",
        Seconds 2 * S, drawn S => 3 * S, Uncertainty, "assumed";
    /// How long an image takes that the node has.
    kubelet_image_cached: u64 = "kubelet.image_cached",
        Milliseconds 200 * MS, drawn 100 * MS => 500 * MS, Uncertainty, "assumed";
    /// How long an image takes that the node must pull.
    kubelet_image_pull_cold: u64 = "kubelet.image_pull_cold",
        Seconds 15 * S, drawn 5 * S => 60 * S, Uncertainty, "assumed";
    /// How long a container takes to start once its image is there.
    kubelet_container_start: u64 = "kubelet.container_start",
        Milliseconds 500 * MS, drawn 300 * MS => S, Uncertainty, "assumed";
    /// How often the kubelet looks at its containers, and so how late it sees one start or exit.
    kubelet_pleg: u64 = "kubelet.pleg",
        Seconds S, fixed MS => 60 * S, Uncertainty, "source code";
    /// From the last container's exit to the removal of the pod object.
    kubelet_removal: u64 = "kubelet.removal",
        Milliseconds 800 * MS, drawn 300 * MS => 2 * S, Uncertainty, "assumed";
    /// The first wait before a crashed container or a failed pull is tried again; it doubles from there.
    kubelet_backoff: u64 = "kubelet.backoff",
        Seconds 10 * S, fixed MS => HOUR, Uncertainty, "source code";
    /// The longest wait before a crashed container or a failed pull is tried again.
    kubelet_backoff_max: u64 = "kubelet.backoff_max",
        Seconds 300 * S, fixed MS => HOUR, Uncertainty, "source code";
    /// From a container's start until its application answers.
    application_warm_up: u64 = "application.warm_up",
        Seconds 2 * S, drawn 0 => 30 * S, Uncertainty, "assumed";
    /// Whether a pod that starts becomes Ready only if the cluster's DNS has a ready endpoint.
    application_needs_dns: bool = "application.needs_dns",
        Switch 1, fixed 0 => 1, Uncertainty, "assumed";

    /// The period of the HPA's evaluation.
    hpa_tick: u64 = "hpa.tick",
        Seconds 15 * S, fixed S => 600 * S, Uncertainty, "source code";
    /// How far a metric may be from its target before the HPA acts, in thousandths.
    hpa_tolerance: u32 = "hpa.tolerance",
        Permille 100, fixed 0 => 1_000, Uncertainty, "source code";
    /// How far back the HPA looks for a higher wish before it scales down.
    hpa_down_window: u64 = "hpa.down_window",
        Seconds 300 * S, fixed 0 => HOUR, Configuration, "source code";
    /// How long a drain waits before it tries a refused eviction again.
    drain_eviction_retry: u64 = "drain.eviction_retry",
        Seconds 5 * S, fixed MS => 600 * S, Uncertainty, "source code";
    /// How often a drain looks whether an evicted pod is gone.
    drain_poll: u64 = "drain.poll",
        Seconds S, fixed MS => 600 * S, Uncertainty, "source code";
    /// How long a disruption budget remembers a pod that was evicted and is not yet terminating.
    disruption_memory: u64 = "disruption.memory",
        Seconds 120 * S, fixed S => HOUR, Uncertainty, "source code";

    /// How long a node is silent before its condition is Unknown; 40 s before Kubernetes 1.32.
    node_silent_to_unknown: u64 = "node.silent_to_unknown",
        Seconds 50 * S, fixed S => HOUR, Uncertainty, "source code";
    /// How often nodes are checked for silence.
    node_check: u64 = "node.check",
        Seconds 5 * S, fixed S => 600 * S, Uncertainty, "source code";
    /// How long pods that name no toleration stay on a node that is not ready or unreachable.
    node_no_execute_toleration: u64 = "node.no_execute_toleration",
        Seconds 300 * S, fixed 0 => DAY, Configuration, "source code";
    /// How often nodes that are not Ready are looked up in the cloud.
    node_cloud_check: u64 = "node.cloud_check",
        Seconds 5 * S, fixed S => 600 * S, Uncertainty, "source code";
    /// How often a node renews its lease.
    lease_renew: u64 = "lease.renew",
        Seconds 10 * S, fixed S => 600 * S, Uncertainty, "source code";
    /// How long a node's lease lasts.
    lease_duration: u64 = "lease.duration",
        Seconds 40 * S, fixed S => HOUR, Uncertainty, "source code";
    /// How often pods of missing nodes are looked for.
    pod_gc_loop: u64 = "pod_gc.loop",
        Seconds 20 * S, fixed S => 600 * S, Uncertainty, "source code";
    /// How long a node must be missing before its pods are removed.
    pod_gc_quarantine: u64 = "pod_gc.quarantine",
        Seconds 40 * S, fixed 0 => 600 * S, Uncertainty, "source code";

    /// How many pods a ReplicaSet creates or deletes in one pass.
    replicaset_burst: u32 = "replicaset.burst",
        Count 500, fixed 1 => 10_000, Uncertainty, "source code";
    /// How long a ReplicaSet waits to see what it created or deleted before it acts again.
    replicaset_expectation_timeout: u64 = "replicaset.expectation_timeout",
        Seconds 300 * S, fixed S => HOUR, Uncertainty, "source code";
    /// How many ReplicaSets are reconciled at once.
    workers_replicaset: u32 = "workers.replicaset",
        Count 5, fixed 1 => 1_000, Uncertainty, "source code";
    /// How many Deployments are reconciled at once.
    workers_deployment: u32 = "workers.deployment",
        Count 5, fixed 1 => 1_000, Uncertainty, "source code";
    /// How many StatefulSets are reconciled at once.
    workers_statefulset: u32 = "workers.statefulset",
        Count 5, fixed 1 => 1_000, Uncertainty, "source code";
    /// How many Jobs are reconciled at once.
    workers_job: u32 = "workers.job",
        Count 5, fixed 1 => 1_000, Uncertainty, "source code";
    /// How many DaemonSets are reconciled at once.
    workers_daemonset: u32 = "workers.daemonset",
        Count 2, fixed 1 => 1_000, Uncertainty, "source code";
    /// How many Services' EndpointSlices are reconciled at once.
    workers_endpointslice: u32 = "workers.endpointslice",
        Count 5, fixed 1 => 1_000, Uncertainty, "source code";
    /// How many HPAs are reconciled at once.
    workers_hpa: u32 = "workers.hpa",
        Count 5, fixed 1 => 1_000, Uncertainty, "source code";
    /// How many disruption budgets are reconciled at once.
    workers_disruption: u32 = "workers.disruption",
        Count 1, fixed 1 => 1_000, Uncertainty, "source code";

    /// How old an imported object is at the start where its export does not say; ages decide which pods go first.
    import_age: u64 = "import.age",
        Seconds DAY, fixed 0 => 3_650 * DAY, Configuration, "assumed";
}

const _: () = assert!(REGISTRY.len() <= 128, "one bit of `explicit` for each parameter");

impl Parameters {
    /// Every parameter there is, in the order of the fields.
    pub fn describe() -> impl Iterator<Item = &'static Parameter> {
        REGISTRY.iter()
    }

    /// Sets a parameter from `NAME=VALUE`, as written on a command line. What is set is never drawn; what is set twice
    /// keeps the later value.
    ///
    /// ```
    /// let mut parameters = simulator::parameters::Parameters::default();
    /// parameters.set("nlb.registration_delay=2m").expect("inside its range");
    /// assert_eq!(parameters.nlb_registration_delay, 120_000);
    /// ```
    ///
    /// # Errors
    ///
    /// A [`ParameterError`] that says what to write instead; the parameters are then unchanged.
    pub fn set(&mut self, assignment: &str) -> Result<(), ParameterError> {
        let (name, value) = assignment
            .split_once('=')
            .ok_or_else(|| ParameterError::NoValue { text: assignment.to_owned() })?;
        self.assign(name.trim(), value.trim())
    }

    /// Sets a parameter by name, as in a scenario file.
    ///
    /// # Errors
    ///
    /// As [`Parameters::set`].
    pub fn assign(&mut self, name: &str, value: &str) -> Result<(), ParameterError> {
        let index = index_of(name)
            .ok_or_else(|| ParameterError::Unknown { name: name.to_owned(), nearest: nearest(name) })?;
        let number = REGISTRY[index].read(value)?;
        self.put(index, number);
        self.explicit |= 1 << index;
        Ok(())
    }

    /// Draws every parameter of a class that has a range and was not set by name, each from its own stream of the seed:
    /// uniform, in milliseconds for uncertainties, in whole seconds for configuration, which AWS takes in seconds only.
    pub fn draw(&mut self, seed: Seed, class: Class) {
        for (index, parameter) in REGISTRY.iter().enumerate() {
            if parameter.class != class || !parameter.drawn || self.explicit >> index & 1 == 1 {
                continue;
            }
            let step = match (parameter.class, parameter.unit) {
                (Class::Configuration, Unit::Seconds) => S,
                _ => 1,
            };
            let mut stream = seed.stream(parameter.name);
            self.put(index, stream.between(parameter.low / step, parameter.high / step) * step);
        }
    }

    /// A parameter's value, as [`Parameters::assign`] reads it; none if there is no such parameter.
    pub fn value(&self, name: &str) -> Option<String> {
        index_of(name).map(|index| REGISTRY[index].render(self.numbers()[index]))
    }

    /// Whether a parameter was set by name. Where a live object says otherwise, what was set wins.
    pub fn is_set(&self, name: &str) -> bool {
        index_of(name).is_some_and(|index| self.explicit >> index & 1 == 1)
    }

    /// The parameters that were set by name, with their values.
    pub fn explicitly_set(&self) -> impl Iterator<Item = (&'static Parameter, String)> {
        self.select(|index, _| self.explicit >> index & 1 == 1)
    }

    /// The parameters that differ from their defaults, with their values: what a scenario file must say to repeat a run.
    pub fn changed(&self) -> impl Iterator<Item = (&'static Parameter, String)> {
        self.select(|index, number| REGISTRY[index].default != number)
    }

    fn select(
        &self,
        wanted: impl Fn(usize, u64) -> bool,
    ) -> impl Iterator<Item = (&'static Parameter, String)> {
        let numbers = self.numbers();
        REGISTRY
            .iter()
            .enumerate()
            .filter(move |&(index, _)| wanted(index, numbers[index]))
            .map(move |(index, parameter)| (parameter, parameter.render(numbers[index])))
    }
}

fn index_of(name: &str) -> Option<usize> {
    REGISTRY.iter().position(|parameter| parameter.name == name)
}

/// Up to three names that the writer may have meant, the most similar first.
fn nearest(name: &str) -> Vec<&'static str> {
    // A name longer than any of ours is a slip of another kind; comparing its head suffices and bounds the work.
    let name: String = name.chars().take(48).collect::<String>().to_ascii_lowercase().replace('-', "_");
    let mut ranked: Vec<(usize, &'static str)> = REGISTRY
        .iter()
        .map(|parameter| {
            // A part of a name, such as `dereg_delay`, is nearer than any misspelling.
            let part = name.len() >= 3 && parameter.name.contains(&name);
            (if part { 0 } else { distance(&name, parameter.name) }, parameter.name)
        })
        .filter(|&(distance, _)| distance <= name.len() / 3 + 1)
        .collect();
    ranked.sort_unstable();
    ranked.into_iter().take(3).map(|(_, name)| name).collect()
}

/// The least number of letters to insert, remove or replace that turns one name into the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, letter) in from.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, &other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

fn suggest(nearest: &[&'static str]) -> String {
    match nearest {
        [] => "names begin with what they belong to, like nlb., eks., kubelet. or hpa.".to_owned(),
        [one] => format!("did you mean `{one}`?"),
        [others @ .., last] => format!("did you mean `{}` or `{last}`?", others.join("`, `")),
    }
}

#[cfg(test)]
mod tests;
