//! Stories: a cluster, its traffic, a migration, what else happens, and what must come of it for some seeds.

use std::{cell::Cell, ops::Range, rc::Rc, sync::Arc, time::Duration};

use loadgen::{
    chance::Seed,
    profile::{AtSigterm, Reconnect, SourcePool, Spread, default_cadence, default_pause},
    traffic_file::{Entry, TrafficFile},
};
use migrator::{
    action::Write,
    journal::{Event, wish},
    names,
    request::{Request, Settings, Strategy},
    view::ObjectName,
};
use scenarios::{
    drive::{Intervention, MIGRATOR},
    observe::Observer,
    scenario::{Run, Scenario, Verdict, drawn, run_later},
};
use simulator::{
    import,
    parameters::Parameters,
    world::{Time, World, requests},
};

use crate::cluster::{Cluster, SHOP, world_of};

/// A client of the API servers that is not the migrator.
pub(crate) const SOMEBODY: u32 = 2;

type Deed = Arc<dyn Fn(&mut World)>;
type Condition = Arc<dyn Fn(&World) -> bool>;

/// A migration and everything that it depends on.
#[derive(Clone)]
pub(crate) struct Story {
    title: &'static str,
    cluster: Source,
    traffic: Vec<Entry>,
    connections: u32,
    request: Request,
    parameters: Parameters,
    draws: bool,
    begins_at: Time,
    meanwhile: Vec<Meanwhile>,
}

#[derive(Clone)]
enum Source {
    Story(Cluster),
    Exported(Arc<import::Cluster>),
}

/// Something that happens once, as soon as a condition holds.
#[derive(Clone)]
struct Meanwhile {
    when: Condition,
    happens: Deed,
    by_others: bool,
}

pub(crate) fn story(title: &'static str) -> Story {
    Story {
        title,
        cluster: Source::Story(crate::cluster::cluster()),
        traffic: Vec::new(),
        connections: 0,
        request: Request::new("blue", "green"),
        parameters: Parameters::default(),
        draws: false,
        begins_at: 0,
        meanwhile: Vec::new(),
    }
}

impl Story {
    pub(crate) fn given(self, cluster: Cluster) -> Story {
        Story { cluster: Source::Story(cluster), ..self }
    }

    /// A cluster that was really exported, with equal shares of so many connections.
    pub(crate) fn given_export(self, exported: &Arc<import::Cluster>, connections: u32) -> Story {
        Story { cluster: Source::Exported(exported.clone()), connections, ..self }
    }

    pub(crate) fn under(mut self, load: Entry) -> Story {
        self.traffic.push(load);
        self
    }

    pub(crate) fn by(mut self, strategy: Strategy) -> Story {
        self.request.strategy = strategy;
        self
    }

    /// To a group that is there already.
    pub(crate) fn adopting(mut self) -> Story {
        self.request.adopt = true;
        self
    }

    /// To a new group of so many nodes.
    pub(crate) fn asking_for(mut self, nodes: u32) -> Story {
        (self.request.min, self.request.max, self.request.desired) = (Some(nodes), Some(nodes), Some(nodes));
        self
    }

    /// In spite of a blocking finding.
    pub(crate) fn accepting(mut self, code: &str) -> Story {
        self.request.accept.insert(code.to_owned());
        self
    }

    /// The migration begins so many seconds after the traffic.
    pub(crate) fn beginning_at(self, seconds: u64) -> Story {
        Story { begins_at: seconds * 1_000, ..self }
    }

    /// With other waits than usual.
    pub(crate) fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Story {
        change(&mut self.request.settings);
        self
    }

    /// In a world where this is so: `nlb.dereg_propagation=300s`.
    pub(crate) fn where_(mut self, assignment: &str) -> Story {
        self.parameters.set(assignment).expect("a parameter of the model");
        self
    }

    /// What is uncertain is drawn for each seed.
    pub(crate) fn drawn(self) -> Story {
        Story { draws: true, ..self }
    }

    /// As soon as `when` holds, the migrator itself does this: what makes a migration a bad one.
    pub(crate) fn despite(
        mut self,
        when: impl Fn(&World) -> bool + 'static,
        deed: impl Fn(&mut World) + 'static,
    ) -> Story {
        self.meanwhile.push(Meanwhile { when: Arc::new(when), happens: Arc::new(deed), by_others: false });
        self
    }

    /// As soon as `when` holds, somebody else does this, with or without a migration.
    pub(crate) fn while_somebody(
        mut self,
        when: impl Fn(&World) -> bool + 'static,
        deed: impl Fn(&mut World) + 'static,
    ) -> Story {
        self.meanwhile.push(Meanwhile { when: Arc::new(when), happens: Arc::new(deed), by_others: true });
        self
    }

    /// So many seconds after the start the user asks for a rollback, if the migration can still turn round.
    pub(crate) fn turned_round_after(self, seconds: u64) -> Story {
        self.despite(
            move |world| {
                let begun = world.config_maps().find(names::NAMESPACE, names::JOURNAL).is_some();
                world.now() >= seconds * 1_000 && begun
            },
            |world| {
                let journal =
                    Observer::new(world).view.journal.expect("it was there when the condition held");
                let wish = wish(&journal, Event::RollbackRequested);
                let Ok(Write::Journal { data, resource_version }) = wish else { return };
                let name = (names::NAMESPACE.into(), names::JOURNAL.into());
                somebody(world, requests::Request::ConfigMap { name, data, resource_version });
            },
        )
    }

    /// What is asked of the migrator.
    pub(crate) fn request(&self) -> &Request {
        &self.request
    }

    /// One telling of the story.
    pub(crate) fn seed(&self, seed: u64) -> Run {
        let (base, scenario) = self.set(seed);
        run_later(&base, &scenario, self.begins_at, &mut self.interventions())
            .unwrap_or_else(|error| panic!("{}: {error}", self.title))
    }

    /// The same in the wire gear, without interventions.
    #[cfg(feature = "live")]
    pub(crate) fn seed_in_wire(&self, seed: u64) -> Run {
        let (base, scenario) = self.set(seed);
        scenarios::scenario::run_wire(&base, &scenario)
            .unwrap_or_else(|error| panic!("{}: {error}", self.title))
    }

    fn set(&self, seed: u64) -> (World, Scenario) {
        let seed = Seed(seed);
        let parameters = drawn(&self.parameters, seed, self.draws);
        let base = match &self.cluster {
            Source::Story(cluster) => cluster.world(parameters),
            Source::Exported(exported) => world_of(exported, None, parameters),
        };
        let traffic = (!self.traffic.is_empty()).then(|| TrafficFile { entries: self.traffic.clone() });
        let scenario =
            Scenario { request: self.request.clone(), connections: self.connections, traffic, seed };
        (base, scenario)
    }

    /// Conditions are looked at every five seconds of the run and of its twin.
    fn interventions(&self) -> Vec<Intervention<'_>> {
        const LOOKS: u64 = 5_000;
        const LONGEST: u64 = 6 * 3_600_000;
        let mut all = Vec::new();
        for Meanwhile { when, happens, by_others } in &self.meanwhile {
            let done_at = Rc::new(Cell::new(None));
            for look in 1..LONGEST / LOOKS {
                let done_at = done_at.clone();
                let at = look * LOOKS;
                all.push(Intervention {
                    at,
                    in_twin: *by_others,
                    happens: Box::new(move |world| {
                        // The twin repeats it at the time at which it happened.
                        let due = done_at.get().map_or_else(|| when(world), |done_at| done_at == at);
                        if due {
                            done_at.set(Some(at));
                            happens(world);
                        }
                    }),
                });
            }
        }
        all.sort_by_key(|intervention| intervention.at);
        all
    }

    /// Every promise holds for every seed, and enough was at stake to say so.
    #[track_caller]
    pub(crate) fn holds(&self, seeds: Range<u64>) {
        for seed in seeds {
            let run = self.seed(seed);
            assert!(run.verdict == Verdict::Held, "{}", self.told(seed, &run));
        }
    }

    /// Every promise is kept for every seed, whatever is lost in the twin as well.
    #[track_caller]
    pub(crate) fn keeps_every_promise(&self, seeds: Range<u64>) {
        for seed in seeds {
            let run = self.seed(seed);
            let kept = matches!(run.verdict, Verdict::Held | Verdict::Inconclusive);
            assert!(kept, "{}", self.told(seed, &run));
        }
    }

    /// The promise is broken for every seed, and every other one is kept.
    #[track_caller]
    pub(crate) fn breaks_only(&self, promise: &str, seeds: Range<u64>) {
        let broken = self.broken_by_seed(&[promise], seeds.clone());
        assert!(
            broken.len() as u64 == seeds.end - seeds.start,
            "{}: {promise} breaks for {broken:?} only",
            self.title
        );
    }

    /// The first of these promises is broken for at least one seed, and what is not among them is kept for all.
    #[track_caller]
    pub(crate) fn sometimes_breaks(&self, promises: &[&str], seeds: Range<u64>) {
        let broken = self.broken_by_seed(promises, seeds.clone());
        assert!(!broken.is_empty(), "{}: {} holds for every seed of {seeds:?}", self.title, promises[0]);
    }

    #[track_caller]
    fn broken_by_seed(&self, promises: &[&str], seeds: Range<u64>) -> Vec<u64> {
        let mut broken = Vec::new();
        for seed in seeds {
            let run = self.seed(seed);
            assert!(run.verdict != Verdict::Refused, "{}", self.told(seed, &run));
            let others = run.promises.iter().filter(|other| !promises.contains(&other.name));
            assert!(others.clone().all(|other| other.held), "{}", self.told(seed, &run));
            assert!(others.count() + promises.len() == 7, "{promises:?} are not all promises");
            if run.promises.iter().any(|other| other.name == promises[0] && !other.held) {
                assert!(run.verdict == Verdict::Broken, "{}", self.told(seed, &run));
                broken.push(seed);
            }
        }
        broken
    }

    /// Everything that a failure needs to be understood.
    pub(crate) fn told(&self, seed: u64, run: &Run) -> String {
        use std::fmt::Write as _;
        let mut text = format!("{}, seed {seed}: {:?}", self.title, run.verdict);
        let mut line = |line: String| write!(text, "\n  {line}").expect("a String takes all");
        for (parameter, value) in drawn(&self.parameters, Seed(seed), self.draws).changed() {
            line(format!("{}={value}", parameter.name));
        }
        run.why.iter().for_each(|why| line(why.clone()));
        for finding in &run.findings {
            line(format!("{} {}: {}", finding.code, finding.object, finding.reason));
        }
        for promise in &run.promises {
            line(format!(
                "{} {}: {}",
                promise.name,
                if promise.held { "held" } else { "BROKEN" },
                promise.detail
            ));
        }
        for drop in run.drops.iter().filter(|drop| drop.within && drop.ours).take(3) {
            line(format!("{} at {} ms", drop.cause, drop.at));
            run.world.explain(drop.entry).into_iter().for_each(|cause| line(format!("  because {cause}")));
        }
        let mut last = "";
        let stretches = run.driven.iter().flat_map(|driven| &driven.stretches);
        for stretch in stretches.filter(|stretch| stretch.phase != "lock") {
            if last != stretch.phase {
                line(format!("{:>8} s {}", stretch.from_at / 1_000, stretch.phase));
            }
            last = stretch.phase;
        }
        if let Some(wait) = run.driven.as_ref().and_then(|driven| driven.last_wait.as_ref()) {
            line(format!("waits for {}: {}, wanted {}", wait.what, wait.seen, wait.wanted));
        }
        run.driven.iter().flat_map(|driven| &driven.refusals).for_each(|refusal| line(refusal.clone()));
        text
    }
}

/// Clients of a Service of the shop, their sessions as long as [`Load::sessions`] says.
pub(crate) fn load(service: &str, clients: u32) -> Entry {
    Entry {
        service: format!("{SHOP}/{service}"),
        clients,
        lifetime: Spread::secs(1, 25),
        pause: default_pause(),
        cadence: default_cadence(),
        reconnect: Reconnect::default(),
        sources: SourcePool::default(),
        at_sigterm: AtSigterm::ServeUntilClientsLeave,
    }
}

/// What a load is like.
pub(crate) trait Load {
    /// Sessions from `shortest` to `longest` seconds.
    fn sessions(self, shortest: u64, longest: u64) -> Entry;
    /// Silences of so many seconds, always.
    fn silent_for(self, seconds: u64) -> Entry;
}

impl Load for Entry {
    fn sessions(self, shortest: u64, longest: u64) -> Entry {
        let pause = Spread { shortest: Duration::from_millis(100), longest: Duration::from_secs(1) };
        Entry { lifetime: Spread::secs(shortest, longest), pause, ..self }
    }

    fn silent_for(self, seconds: u64) -> Entry {
        Entry { cadence: Spread::secs(seconds, seconds), ..self }
    }
}

/// A request of the migrator's own.
pub(crate) fn we(world: &mut World, request: requests::Request) {
    world.submit(MIGRATOR, "by hand", request);
}

/// A request of somebody else's.
pub(crate) fn somebody(world: &mut World, request: requests::Request) {
    world.submit(SOMEBODY, "somebody", request);
}

/// An object of the shop.
pub(crate) fn named(name: &str) -> requests::Name {
    (SHOP.into(), name.into())
}

/// The same in the migrator's words.
pub(crate) fn object(name: &str) -> ObjectName {
    ObjectName { namespace: SHOP.into(), name: name.into() }
}
