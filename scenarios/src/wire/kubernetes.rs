//! Kubernetes' API server as a service for `kube::Client`.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::stream;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderName, USER_AGENT};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::UnsyncBoxBody};
use kube::client::Body;
use migrator::live::connect::SILENCE;
use simulator::{
    api::{self, Reply, Watch},
    http::{Method, Request, Response},
    world::Time,
};
use tower_service::Service;

use super::{Passed, READ_TAKES, Wire, faults::Line, gate::Gate};

/// Answers the requests of a process.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub(super) wire: Arc<Wire>,
    pub(super) line: Arc<Line>,
}

type Answer = http::Response<UnsyncBoxBody<Bytes, io::Error>>;

impl Service<http::Request<Body>> for Server {
    type Response = Answer;
    type Error = kube::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, kube::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), kube::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let Server { wire, line } = self.clone();
        Box::pin(answer(wire, line, request))
    }
}

async fn answer(
    wire: Arc<Wire>,
    line: Arc<Line>,
    request: http::Request<Body>,
) -> Result<Answer, kube::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect_bytes().await?;
    let Some(method) = Method::named(head.method.as_str()) else {
        return Ok(whole(Response::text(405, "method not allowed")));
    };
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let text = |name: HeaderName| {
        let value = head.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let asked = Request {
        accept: text(ACCEPT),
        content_type: text(CONTENT_TYPE),
        user_agent: text(USER_AGENT),
        ..Request::new(method, target, body.to_vec())
    };
    let takes = match method {
        Method::Get => READ_TAKES,
        _ => wire.lock().parameters().api_latency.max(1),
    };
    let served = wire
        .pass(&line, asked.clone(), takes, Gate::kubernetes, |world, asked| {
            (api::handle(world, asked), world.now())
        })
        .await;
    Ok(match served {
        Passed::Served(Reply::Whole(response)) => whole(wire.gate.answered(&asked, response)),
        Passed::Instead(response) => whole(response),
        Passed::Served(Reply::Watch(watch)) => watching(wire, Some(watch)),
        Passed::Silent => watching(wire, None),
        Passed::Broken => return Err(kube::Error::Service(Box::new(broken()))),
    })
}

fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionReset, "the connection was reset")
}

type Frame = Result<http_body::Frame<Bytes>, io::Error>;

/// A body of a watch's lines; without a watch, one that says nothing until the client's patience has ended.
fn watching(wire: Arc<Wire>, watch: Option<Box<Watch>>) -> Answer {
    let body = match watch {
        Some(watch) => {
            let lines = StreamBody::new(stream::unfold(Some((wire, watch)), next));
            UnsyncBoxBody::new(lines)
        }
        None => {
            let silent = stream::once(async move {
                let until =
                    wire.now().saturating_add(Time::try_from(SILENCE.as_millis()).unwrap_or(Time::MAX));
                wire.until(until).await;
                Err(io::Error::from(io::ErrorKind::TimedOut))
            });
            UnsyncBoxBody::new(StreamBody::new(silent))
        }
    };
    http::Response::new(body)
}

/// The next lines of a watch.
async fn next(state: Option<(Arc<Wire>, Box<Watch>)>) -> Option<(Frame, Option<(Arc<Wire>, Box<Watch>)>)> {
    let (wire, mut watch) = state?;
    let mut seen = wire.seen.subscribe();
    loop {
        let newest = *seen.borrow_and_update();
        let (polled, wakes_at) = {
            let world = wire.lock();
            (watch.poll_up_to(&world, newest), watch.wakes_at())
        };
        if !polled.lines.is_empty() {
            let frame = Ok(http_body::Frame::data(polled.lines.into()));
            return Some((frame, (!polled.over).then_some((wire, watch))));
        }
        if polled.over {
            return None;
        }
        tokio::select! {
            biased;
            _ = seen.changed() => {}
            () = wire.until(wakes_at.max(wire.now() + 1)) => { wire.with(|_| ()); }
        }
    }
}

fn whole(response: Response) -> Answer {
    let body = Full::new(Bytes::from(response.body)).map_err(|never| match never {});
    let mut answer = http::Response::new(UnsyncBoxBody::new(body));
    *answer.status_mut() =
        http::StatusCode::from_u16(response.code).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    if let Ok(value) = http::HeaderValue::from_str(&response.content_type) {
        headers.insert(CONTENT_TYPE, value);
    }
    for (name, value) in response.headers {
        if let Ok(value) = http::HeaderValue::from_str(&value) {
            headers.append(name, value);
        }
    }
    answer
}
