//! One migration from import to verdict: what it depends on, how it runs, what came of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use loadgen::{
    chance::Seed,
    profile::{AtSigterm, Profile, Spread},
    recorder::{Contract, Recorder},
    session::Schedule,
    traffic_file::{Entry, TrafficFile},
};
use migrator::{
    action::Outcome as MigrationOutcome,
    findings::{self, Expectations, Finding},
    plan::{Plan, planned_service},
    request::Request,
    view::{ClusterView, ObjectName},
};
use simulator::{
    parameters::Parameters,
    world::{Offered, Outcome, OutcomeEvent, Time, World, ids::ServiceId},
};

use crate::{
    drive::{self, Driven, Intervention, drive},
    observe::Observer,
    promises::{self, Drop, Promise},
};

/// Sessions that must have been at stake for a verdict.
pub const EXPOSED_AT_LEAST: u64 = 30;

/// After the end, how long controllers may take to finish what the last requests began.
const SETTLES: Time = 120_000;

/// What is asked of a run, beside the world.
#[derive(Debug, Clone)]
pub struct Scenario {
    /// The migration.
    pub request: Request,
    /// Clients over all load-balanced Services, where the traffic file does not say otherwise.
    pub connections: u32,
    /// Traffic as the user describes it.
    pub traffic: Option<TrafficFile>,
    /// The seed.
    pub seed: Seed,
}

/// The verdict of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every promise held.
    Held,
    /// A promise was broken.
    Broken,
    /// Nothing was broken, but too little was at stake, or the twin was not clean.
    Inconclusive,
    /// Blocking findings stopped the plan.
    Refused,
}

impl Verdict {
    /// The exit code of a command that ends with it.
    pub fn exit_code(self) -> u8 {
        match self {
            Verdict::Held => 0,
            Verdict::Broken => 1,
            Verdict::Inconclusive => 3,
            Verdict::Refused => 4,
        }
    }
}

/// What came of a run.
#[derive(Debug)]
pub struct Run {
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is inconclusive, if it is.
    pub why: Option<String>,
    /// Findings of the preflight.
    pub findings: Vec<Finding>,
    /// The plan, unless it was refused.
    pub plan: Option<Plan>,
    /// How it went.
    pub driven: Option<Driven>,
    /// The promises.
    pub promises: Vec<Promise>,
    /// Counts and distributions.
    pub recorder: Recorder,
    /// Connections that ended as drops.
    pub drops: Vec<Drop>,
    /// Sessions within their contract that were open on a pod when its removal began.
    pub exposed: u64,
    /// The world at the end.
    pub world: World,
    /// Virtual time of the run in milliseconds.
    pub virtual_ms: Time,
    /// Traffic as it was offered.
    pub traffic: Vec<OfferedTo>,
}

/// Traffic to one Service, for reports.
#[derive(Debug, Clone)]
pub struct OfferedTo {
    /// The Service.
    pub service: ObjectName,
    /// Clients.
    pub clients: u32,
    /// Longest session within the contract.
    pub contract: Duration,
    /// It is reached inside the cluster, not through a load balancer.
    pub inside: bool,
}

/// Why a scenario could not be run.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// The request does not fit the cluster.
    #[error("{0}")]
    Request(#[from] findings::RequestError),
    /// The traffic file names a Service that is not there.
    #[error("there is no Service {0}; there are: {1}")]
    NoService(String, String),
    /// The wire gear has no runtime.
    #[error("the operating system refuses what the wire gear's runtime needs")]
    Runtime(#[source] std::io::Error),
}

/// Runs a scenario on a world at the start of its run.
///
/// # Errors
///
/// When the request or the traffic does not fit the cluster.
pub fn run(base: &World, scenario: &Scenario) -> Result<Run, ScenarioError> {
    run_with(base, scenario, &mut [])
}

/// Runs a scenario in which something else happens as well.
///
/// # Errors
///
/// As [`run`].
pub fn run_with(
    base: &World,
    scenario: &Scenario,
    interventions: &mut [Intervention<'_>],
) -> Result<Run, ScenarioError> {
    run_later(base, scenario, 0, interventions)
}

/// Runs a scenario whose migration begins some time after its traffic, in milliseconds: in a cluster that has run a while.
///
/// # Errors
///
/// As [`run`].
pub fn run_later(
    base: &World,
    scenario: &Scenario,
    begins_at: Time,
    interventions: &mut [Intervention<'_>],
) -> Result<Run, ScenarioError> {
    run_in(base, scenario, Gear::Core, begins_at, interventions)
}

/// Runs a scenario in the wire gear: the production shell talks to the world's API servers.
///
/// # Errors
///
/// As [`run`].
#[cfg(feature = "live")]
pub fn run_wire(base: &World, scenario: &Scenario) -> Result<Run, ScenarioError> {
    run_in(base, scenario, Gear::Wire, 0, &mut [])
}

/// How a migration reaches the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gear {
    /// Actions become requests of the world.
    Core,
    /// The production shell speaks to the world's API servers.
    #[cfg(feature = "live")]
    Wire,
}

fn run_in(
    base: &World,
    scenario: &Scenario,
    gear: Gear,
    begins_at: Time,
    interventions: &mut [Intervention<'_>],
) -> Result<Run, ScenarioError> {
    let mut world = base.reseeded(scenario.seed);
    let mut observer = Observer::new(&mut world);
    // Before the request's own errors: those would name an option that nobody gave.
    let described = described(&world, scenario.traffic.as_ref())?;
    let mut request = scenario.request.clone();
    complete(&mut request, scenario.traffic.as_ref());
    if let Some(error) = findings::request_errors(&request, &observer.view).into_iter().next() {
        return Err(error.into());
    }
    let first = Plan::new("simulated", &drive::holder(), &request, &observer.view, world.wall(0));
    let offered = traffic(&world, &first, &observer.view, scenario, &described);
    for offered in &offered {
        world.offer(offered.clone());
    }
    let mut tally = Tally::default();
    world.advance(begins_at, None);
    tally.take(&mut world);
    observer.observe(&mut world);
    observer.poll_aws(&world);
    let expectations =
        Expectations { node_allocatable: allocatable(&world, &request), ..Expectations::default() };
    let found = findings::findings(&request, &observer.view, &expectations);
    let now = world.wall(world.now().cast_signed());
    let refused = !findings::blocking(&found, &request.accept).is_empty();
    let plan = Plan::new("simulated", &drive::holder(), &request, &observer.view, now);
    let traffic = offered
        .iter()
        .map(|offered| {
            let service = world.services().last(offered.service);
            OfferedTo {
                service: ObjectName {
                    namespace: service.meta.namespace.clone(),
                    name: service.meta.name.clone(),
                },
                clients: offered.schedule.clients,
                contract: Duration::from_millis(offered.contract),
                inside: !service.load_balancer,
            }
        })
        .collect();
    if refused {
        return Ok(Run {
            verdict: Verdict::Refused,
            why: None,
            findings: found,
            plan: None,
            driven: None,
            promises: Vec::new(),
            recorder: Recorder::default(),
            drops: Vec::new(),
            exposed: 0,
            virtual_ms: 0,
            world,
            traffic,
        });
    }
    let floors = floors(&world, &plan, &request, &observer.view, &offered);
    let budget = 2 * planned_time(&plan, &observer.view) + 1_800_000;
    let deadline = begins_at + budget;
    let driven = match gear {
        Gear::Core => {
            drive(&mut world, &mut observer, &plan, deadline, interventions, |world| tally.take(world))
        }
        #[cfg(feature = "live")]
        Gear::Wire => {
            crate::wire::drive(&mut world, &observer, &plan, deadline).map_err(ScenarioError::Runtime)?
        }
    };
    let end = world.now() + SETTLES;
    world.advance(end, None);
    world.close_books();
    tally.take(&mut world);

    let (twin, twin_drops) = twin(base, scenario.seed, &offered, interventions, end);
    let outcome = driven.outcome.as_ref();
    let promises = vec![
        promises::no_connection_dropped(&tally.drops, tally.recorder.counts.opened),
        promises::capacity_kept(&world, &twin, &floors),
        promises::budgets_respected(&world),
        promises::deleted_only_quiet(&world),
        promises::nothing_left_behind(&world, &twin, &plan, outcome),
        promises::others_respected(&world),
        promises::finishes(&driven, budget),
    ];
    let exposed = world.exposed_sessions();
    let why = if let Some(first) = twin_drops.first() {
        let chain = twin.explain(first.entry);
        let told = match (chain.first(), chain.last()) {
            (Some(first), Some(last)) if first != last => format!("{first}, because {last}"),
            (Some(only), _) => only.clone(),
            _ => first.cause.to_owned(),
        };
        let count = twin_drops.len();
        Some(format!("{count} sessions drop without a migration as well; the first: {told}"))
    } else if exposed < EXPOSED_AT_LEAST {
        Some(format!(
            "only {exposed} sessions within their contract were open on pods when their removal began; \
             {EXPOSED_AT_LEAST} are needed"
        ))
    } else {
        None
    };
    let verdict = match (promises.iter().all(|promise| promise.held), &why) {
        (false, _) => Verdict::Broken,
        (true, Some(_)) => Verdict::Inconclusive,
        (true, None) => Verdict::Held,
    };
    Ok(Run {
        verdict,
        why,
        findings: found,
        plan: Some(plan),
        virtual_ms: world.now(),
        driven: Some(driven),
        promises,
        recorder: tally.recorder,
        drops: tally.drops,
        exposed,
        world,
        traffic,
    })
}

/// Files in what the traffic file says of applications.
fn complete(request: &mut Request, traffic: Option<&TrafficFile>) {
    for entry in traffic.iter().flat_map(|traffic| &traffic.entries) {
        let Some((namespace, name)) = entry.namespace_and_name() else { continue };
        let name = ObjectName { namespace: namespace.into(), name: name.into() };
        if entry.at_sigterm == AtSigterm::CloseAtOnce {
            request.closes_at_sigterm.insert(name.clone());
        }
        request.longest_silence.insert(name, entry.profile().cadence.longest);
    }
}

/// What a node of the new group will offer, where its type is known.
fn allocatable(world: &World, request: &Request) -> Option<migrator::view::Resources> {
    let name = request.instance_types.first()?;
    let found = simulator::instance_types::lookup(name)?.allocatable();
    Some(migrator::view::Resources {
        cpu_milli: found.cpu_millis,
        memory: found.memory_mib << 20,
        pods: u64::from(found.pods),
    })
    .filter(|_| {
        // Nodes of that type in the cluster say it better.
        !world.nodes().iter().any(|(_, node)| {
            node.meta.labels.get("node.kubernetes.io/instance-type").map(String::as_str) == Some(&**name)
        })
    })
}

/// Most Services that an error lists.
const SERVICES_TOLD: usize = 20;

/// The Services that the traffic file names.
fn described<'t>(
    world: &World,
    traffic: Option<&'t TrafficFile>,
) -> Result<Vec<(ServiceId, &'t Entry)>, ScenarioError> {
    let find = |entry: &'t Entry| {
        let service = entry
            .namespace_and_name()
            .and_then(|(namespace, name)| world.services().find(namespace, name))
            .ok_or_else(|| {
                let all = world.services().by_name();
                let mut known: Vec<String> = all.map(|(name, _)| format!("{}/{}", name.0, name.1)).collect();
                let more = known.len().saturating_sub(SERVICES_TOLD);
                known.truncate(SERVICES_TOLD);
                let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
                ScenarioError::NoService(entry.service.clone(), known.join(", ") + &rest)
            })?;
        Ok((service, entry))
    };
    traffic.iter().flat_map(|traffic| &traffic.entries).map(find).collect()
}

/// What clients do: as the traffic file says, and for the other Services their equal share.
fn traffic(
    world: &World,
    plan: &Plan,
    view: &ClusterView,
    scenario: &Scenario,
    described: &[(ServiceId, &Entry)],
) -> Vec<Offered> {
    let mut offered = Vec::new();
    for &(service, entry) in described {
        let profile = entry.profile();
        offered.push(offer(
            service,
            &profile,
            entry.at_sigterm,
            contract(world, plan, view, service),
            scenario.seed,
        ));
    }
    let mut left: Vec<ServiceId> = world
        .services()
        .iter()
        .filter(|(_, service)| service.load_balancer)
        .map(|(id, _)| id)
        .filter(|id| {
            let groups = world.target_groups().iter().filter(|group| group.service == *id);
            groups.clone().count() > 0 && groups.clone().all(|group| group.carries_traffic())
        })
        .collect();
    if left.is_empty() && described.is_empty() {
        // Nobody comes from outside: clients inside the cluster, of every Service that has endpoints.
        left = world
            .services()
            .iter()
            .filter(|(id, service)| {
                !service.headless && !service.selector.is_empty() && world.ready_endpoints(*id) > 0
            })
            .filter(|(_, service)| &*service.meta.namespace != "kube-system")
            .map(|(id, _)| id)
            .collect();
    }
    left.retain(|id| !offered.iter().any(|offered: &Offered| offered.service == *id));
    let count = left.len() as u32;
    for (index, service) in left.into_iter().enumerate() {
        let clients = scenario.connections / count + u32::from((index as u32) < scenario.connections % count);
        let contract = contract(world, plan, view, service);
        let longest = contract.max(Duration::from_secs(1));
        let name = &world.services().last(service).meta;
        let profile = Profile {
            name: format!("{}/{}", name.namespace, name.name),
            clients,
            lifetime: Spread { shortest: Duration::from_secs(1), longest },
            pause: loadgen::profile::default_pause(),
            cadence: loadgen::profile::default_cadence(),
            sources: Default::default(),
            reconnect: Default::default(),
        };
        offered.push(offer(service, &profile, AtSigterm::default(), contract, scenario.seed));
    }
    offered
}

fn offer(
    service: ServiceId,
    profile: &Profile,
    at_sigterm: AtSigterm,
    contract: Duration,
    seed: Seed,
) -> Offered {
    Offered {
        service,
        schedule: Schedule::new(seed, service.0, profile),
        at_sigterm,
        contract: millis(contract),
        longest_silence: millis(profile.cadence.longest),
    }
}

/// The contract of a Service: the plan's, or for one without a load balancer the shortest grace period behind it.
fn contract(world: &World, plan: &Plan, view: &ClusterView, service: ServiceId) -> Duration {
    let state = world.services().last(service);
    let name = ObjectName { namespace: state.meta.namespace.clone(), name: state.meta.name.clone() };
    if let Some(planned) = plan.service(&name) {
        return planned.contract;
    }
    let selected = |labels: &BTreeMap<String, String>| {
        state.selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    };
    view.pods
        .values()
        .filter(|pod| pod.meta.name.namespace == name.namespace && selected(&pod.meta.labels))
        .map(|pod| pod.spec.grace_period.saturating_sub(plan.settings.grace_margin))
        .min()
        .unwrap_or_default()
}

/// How many endpoints each Service with traffic keeps at least: what a plan promises, also to one that is reached inside
/// the cluster alone.
fn floors(
    world: &World,
    plan: &Plan,
    request: &Request,
    view: &ClusterView,
    offered: &[Offered],
) -> BTreeMap<u32, u32> {
    offered
        .iter()
        .map(|offered| {
            let state = world.services().last(offered.service);
            let name = ObjectName { namespace: state.meta.namespace.clone(), name: state.meta.name.clone() };
            let inside =
                || view.services.get(&name).map(|service| planned_service(request, view, service).floor);
            let floor = plan.service(&name).map(|planned| planned.floor).or_else(inside);
            (offered.service.0, floor.unwrap_or(0))
        })
        .collect()
}

/// How long the steps of a plan should take together, generously: what it waits for, and what the systems take.
fn planned_time(plan: &Plan, view: &ClusterView) -> Time {
    let settings = &plan.settings;
    let longest_grace = view.pods.values().map(|pod| pod.spec.grace_period).max().unwrap_or_default();
    let contract = plan.services.iter().map(|service| service.contract).max().unwrap_or_default();
    let zones: BTreeSet<&Option<Arc<str>>> = view.nodes.values().map(|node| &node.zone).collect();
    // StatefulSets behind a load balancer move node by node, each with its own release and grace period.
    let one_by_one = plan.services.iter().filter(|service| service.stateful).count() as u32
        * view.nodes.values().filter(|node| node.node_group.as_ref() == Some(&plan.from)).count() as u32;
    let systems = Duration::from_secs(900 + 600 + 600 * zones.len() as u64 + 1_800);
    let total = settings.autoscaler_settle
        + systems
        + 4 * settings.propagation
        + longest_grace * 2
        + contract * 2
        + settings.quiet_margin
        + settings.soak
        + (settings.propagation * 2 + longest_grace + Duration::from_secs(300)) * one_by_one;
    millis(total)
}

/// The same world without a migration: its state at the same time, and which sessions drop there.
///
/// Sessions are only simulated where one could drop. A world in which nothing has happened by the end, and in which
/// every path that a connect can take leads to a pod, drops none.
fn twin(
    base: &World,
    seed: Seed,
    offered: &[Offered],
    interventions: &mut [Intervention<'_>],
    end: Time,
) -> (World, Vec<Drop>) {
    if !interventions.iter().any(|intervention| intervention.in_twin) {
        let mut quiet = base.reseeded(seed);
        let nothing = quiet.entries().len();
        quiet.advance(end, None);
        if quiet.entries().len() == nothing && offered.iter().all(|offered| quiet.serves_everyone(offered)) {
            return (quiet, Vec::new());
        }
    }
    let mut twin = base.reseeded(seed);
    for offered in offered {
        twin.offer(offered.clone());
    }
    let mut tally = Tally::default();
    let mut others = interventions.iter_mut().filter(|intervention| intervention.in_twin).peekable();
    while twin.now() < end {
        let next = others.peek().map_or(end, |next| next.at);
        let until = (twin.now() + 600_000).min(end).min(next.max(twin.now()));
        twin.advance(until, None);
        while let Some(due) = others.next_if(|next| next.at <= twin.now()) {
            (due.happens)(&mut twin);
        }
        tally.take(&mut twin);
    }
    tally.drops.retain(|drop| drop.within);
    (twin, tally.drops)
}

/// Adds up outcomes as they come.
#[derive(Default)]
struct Tally {
    buffer: Vec<Outcome>,
    recorder: Recorder,
    drops: Vec<Drop>,
}

impl Tally {
    fn take(&mut self, world: &mut World) {
        self.buffer.clear();
        world.take_outcomes(&mut self.buffer);
        let (mut completed, mut completed_moved, mut others) = (0, 0, false);
        for outcome in &self.buffer {
            match outcome.event {
                OutcomeEvent::Opened { connect_us, down_ms, .. } => {
                    self.recorder.on_opened();
                    self.recorder.on_connected(connect_us);
                    if down_ms > 0 {
                        self.recorder.on_outage(outcome.at - down_ms, outcome.at);
                    }
                }
                OutcomeEvent::Completed { moved, response_us } => {
                    self.recorder.on_answered(response_us);
                    completed += 1;
                    completed_moved += u64::from(moved);
                }
                OutcomeEvent::Ended { cause, .. } => {
                    let within = if outcome.within { Contract::Within } else { Contract::Beyond };
                    self.recorder.on_ended(cause, within);
                    others = true;
                }
            }
        }
        self.recorder.on_completed(completed, completed_moved);
        if others {
            self.drops.extend(promises::drops(world, &self.buffer));
        }
    }
}

/// The parameters of the model with class U drawn from the seed, where asked.
pub fn drawn(parameters: &Parameters, seed: Seed, draw: bool) -> Parameters {
    let mut drawn = *parameters;
    if draw {
        drawn.draw(seed, simulator::parameters::Class::Uncertainty);
    }
    drawn
}

/// How the migration ended, in words.
pub fn outcome_words(outcome: Option<&MigrationOutcome>) -> String {
    match outcome {
        None => "not ended".into(),
        Some(MigrationOutcome::Migrated) => "migrated".into(),
        Some(MigrationOutcome::RolledBack) => "rolled back".into(),
        Some(MigrationOutcome::Stopped(reason)) => format!("stopped: {reason}"),
    }
}

fn millis(span: Duration) -> Time {
    Time::try_from(span.as_millis()).unwrap_or(Time::MAX)
}
