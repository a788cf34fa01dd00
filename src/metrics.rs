//! `--metrics-addr`: what a running migration tells a Prometheus server that asks.
//!
//! Everything here is said elsewhere as well (progress, journal, audit log); a migration does not depend on it. Who asks
//! slowly, or too often at once, is left unanswered.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result};
use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode, body::Bytes, body::Incoming, header, service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use jiff::Timestamp;
use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::{Registry, Unit},
};
use scenarios::{
    outline,
    shell::{Clock, audit, shell::Told},
};
use tokio::{net::TcpListener, sync::Semaphore};

/// Most connections at a time: more than a pair of Prometheus servers and a curious person need.
const CONNECTIONS_MAX: usize = 16;

/// How long a connection may last. Prometheus asks every minute and gives up after 10 s, unless told otherwise.
const CONNECTION_LASTS: Duration = Duration::from_secs(90);

/// Source: OpenMetrics 1.0, "Content type".
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// One gauge for each of the labels that hold now, with the value 1.
type Info<const N: usize> = Family<[(&'static str, String); N], Gauge>;

/// The metrics of a migration, shared between whoever writes them and whoever is asked for them.
#[derive(Debug, Clone)]
pub(crate) struct Metrics(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    clock: Clock,
    registry: Registry,
    step: Info<1>,
    wait: Info<4>,
    outcome: Info<1>,
    requests: Family<[(&'static str, String); 2], Counter>,
    troubles: Counter,
    refusals: Counter,
    age: Info<1>,
    seen: Mutex<Seen>,
}

/// When either side was seen last.
#[derive(Debug, Default)]
struct Seen {
    kubernetes: Option<Timestamp>,
    aws: Option<Timestamp>,
}

impl Metrics {
    fn new(clock: Clock) -> Metrics {
        let mut registry = Registry::with_prefix("nodeferry");
        let (step, wait, outcome, age) = Default::default();
        let (requests, troubles, refusals) = Default::default();
        let shared = Shared {
            clock,
            registry: Registry::default(),
            step,
            wait,
            outcome,
            requests,
            troubles,
            refusals,
            age,
            seen: Mutex::default(),
        };
        registry.register("step", "The step that is under way", shared.step.clone());
        registry.register(
            "wait",
            "What is waited for, with the value seen and the value wanted",
            shared.wait.clone(),
        );
        registry.register("outcome", "How the migration stands or ended", shared.outcome.clone());
        registry.register("requests", "Writes, by verb and answer", shared.requests.clone());
        registry.register("troubles", "Complaints about servers and watches", shared.troubles.clone());
        registry.register("refusals", "Actions that the safety kernel let not pass", shared.refusals.clone());
        let age_help = "How old the newest proof is that the view is up to date: our own lock, seen renewed; AWS, polled";
        registry.register_with_unit("view_age", age_help, Unit::Seconds, shared.age.clone());
        let metrics = Metrics(Arc::new(Shared { registry, ..shared }));
        metrics.on_outcome("running");
        metrics
    }

    /// Listens, and answers for as long as the process runs.
    ///
    /// # Errors
    /// Where the address cannot be listened on.
    pub(crate) async fn serve(address: SocketAddr, clock: Clock) -> Result<(Metrics, SocketAddr)> {
        let listener =
            TcpListener::bind(address).await.with_context(|| format!("--metrics-addr {address}"))?;
        let address = listener.local_addr()?;
        let metrics = Metrics::new(clock);
        let asked = metrics.clone();
        tokio::spawn(async move {
            let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
            // Where accepting fails (no descriptors left), nobody is answered until it works again.
            loop {
                let Ok(permit) = room.clone().acquire_owned().await else { return };
                let Ok((stream, _)) = listener.accept().await else {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    continue;
                };
                let metrics = asked.clone();
                tokio::spawn(async move {
                    let answer = service_fn(move |request| {
                        let answer = metrics.answer(&request);
                        async move { Ok::<_, Infallible>(answer) }
                    });
                    let mut http = hyper::server::conn::http1::Builder::new();
                    let served = http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), answer);
                    let _ = tokio::time::timeout(CONNECTION_LASTS, served).await;
                    drop(permit);
                });
            }
        });
        Ok((metrics, address))
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let with = |status: StatusCode, text: String| {
            let mut response = Response::new(Full::new(Bytes::from(text)));
            *response.status_mut() = status;
            response
        };
        match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/metrics") => {
                let mut response = with(StatusCode::OK, self.text());
                response
                    .headers_mut()
                    .insert(header::CONTENT_TYPE, header::HeaderValue::from_static(CONTENT_TYPE));
                response
            }
            (_, "/metrics") => with(StatusCode::METHOD_NOT_ALLOWED, "ask with GET\n".to_owned()),
            _ => with(StatusCode::NOT_FOUND, "metrics are at /metrics\n".to_owned()),
        }
    }

    /// As a Prometheus server reads it.
    fn text(&self) -> String {
        let now = self.0.clock.now();
        let seen = self.seen();
        for (source, at) in [("kubernetes", seen.kubernetes), ("aws", seen.aws)] {
            if let Some(at) = at {
                let age = now.duration_since(at).as_secs().max(0);
                self.0.age.get_or_create(&[("source", source.to_owned())]).set(age);
            }
        }
        drop(seen);
        let mut text = String::new();
        encode(&mut text, &self.0.registry).expect("writing to a String does not fail");
        text
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what the shell tells.
    pub(crate) fn on(&self, told: &Told<'_>) {
        let metrics = &self.0;
        match told {
            Told::Looked(view) => {
                let mut seen = self.seen();
                seen.kubernetes = view.lease.as_ref().map(|lease| lease.seen_at);
                seen.aws = view.aws.polled_at;
            }
            Told::Sent { action, answer, .. } => {
                let verb = audit::verb(&action.write).to_owned();
                let labels = [("verb", verb), ("answer", audit::word(answer).to_owned())];
                metrics.requests.get_or_create(&labels).inc();
                // The lock is renewed in every step.
                if action.phase != "lock" {
                    only(&metrics.step, [("step", step(action.phase))]);
                    metrics.wait.clear();
                }
            }
            Told::Waiting(wait) => {
                let reason = &wait.for_what;
                only(&metrics.step, [("step", step(reason.phase))]);
                let labels = [
                    ("phase", reason.phase.to_owned()),
                    ("for", reason.what.clone()),
                    ("seen", reason.seen.clone()),
                    ("wanted", reason.wanted.clone()),
                ];
                only(&metrics.wait, labels);
            }
            Told::Trouble(_) => {
                metrics.troubles.inc();
            }
            Told::Refused(_) => {
                metrics.refusals.inc();
            }
        }
    }

    /// The migration stands so, in one word.
    pub(crate) fn on_outcome(&self, word: &str) {
        only(&self.0.outcome, [("outcome", word.to_owned())]);
        if word != "running" {
            self.0.wait.clear();
        }
    }
}

/// The step of a phase; what belongs to none is named itself.
fn step(phase: &'static str) -> String {
    outline::step_of(phase).map_or(phase, |step| step.name).to_owned()
}

fn only<const N: usize>(info: &Info<N>, labels: [(&'static str, String); N]) {
    info.clear();
    info.get_or_create(&labels).set(1);
}
