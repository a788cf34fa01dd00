//! Connections: requests in, answers and streams out, within limits.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Channel, Full, Limited, combinators::BoxBody};
use hyper::{
    body::Incoming,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore};

use super::Served;
use crate::{
    api::{self, Reply, Watch},
    aws_api,
    http::{Method, Request, Response},
    world::World,
};

/// Whose requests a port answers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Api {
    Kubernetes,
    Aws,
}

impl Api {
    /// Largest body that is read, in bytes.
    fn body_bytes_max(self) -> usize {
        match self {
            Api::Kubernetes => api::BODY_BYTES_MAX,
            Api::Aws => aws_api::BODY_BYTES_MAX,
        }
    }

    fn handle(self, world: &mut World, request: &Request) -> Reply {
        match self {
            Api::Kubernetes => api::handle(world, request),
            Api::Aws => Reply::Whole(aws_api::handle(world, request)),
        }
    }
}

/// Most connections at a time. kubectl opens one or two, a controller a dozen; beyond this somebody leaks them.
const CONNECTIONS_MAX: usize = 2_000;

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Largest head of a request, in bytes: long selectors fit, a stream of headers does not.
const HEAD_BYTES_MAX: usize = 64 << 10;

type Body = BoxBody<Bytes, Infallible>;

/// Accepts connections as long as the process lives.
pub(super) async fn accept(listener: TcpListener, served: Arc<Served>, api: Api) {
    let room = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = room.clone().acquire_owned().await else { return };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                // Out of descriptors, most likely: somebody else has to close one first.
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let served = served.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(served.clone(), api, request));
            // An error here is a client that went away or spoke no HTTP.
            let _ = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD_TIMEOUT)
                .max_buf_size(HEAD_BYTES_MAX)
                .serve_connection(TokioIo::new(stream), service)
                .await;
            drop(place);
        });
    }
}

async fn answer(
    served: Arc<Served>,
    api: Api,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let Some(method) = Method::named(head.method.as_str()) else {
        return Ok(whole(Response::text(405, "method not allowed")));
    };
    let most = api.body_bytes_max();
    let body = match Limited::new(body, most).collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(_) => {
            let told = format!("Request entity too large: limit is {most}");
            return Ok(whole(Response::text(413, &told)));
        }
    };
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let text = |name: HeaderName| text(&head.headers, name);
    let request = Request {
        accept: text(ACCEPT),
        content_type: text(CONTENT_TYPE),
        user_agent: text(USER_AGENT),
        authorization: text(AUTHORIZATION),
        ..Request::new(method, target, body)
    };
    Ok(match served.with(|world| api.handle(world, &request)) {
        Reply::Whole(response) => whole(response),
        Reply::Watch(watch) => {
            let (sender, body) = Channel::new(16);
            tokio::spawn(send(served, watch, sender));
            let mut response = hyper::Response::new(body.boxed());
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
    })
}

/// Sends a watch's events until it is over or its client is gone.
async fn send(
    served: Arc<Served>,
    mut watch: Box<Watch>,
    mut sender: http_body_util::channel::Sender<Bytes, Infallible>,
) {
    let mut changes = served.version.subscribe();
    loop {
        changes.mark_unchanged();
        let (polled, wakes_at) = served.with(|world| (watch.poll(world), watch.wakes_at()));
        if !polled.lines.is_empty() && sender.send_data(polled.lines.into()).await.is_err() {
            return;
        }
        if polled.over {
            return;
        }
        let wait = served.until(Some(wakes_at), Duration::from_secs(60));
        let _ = tokio::time::timeout(wait.max(Duration::from_millis(1)), changes.changed()).await;
    }
}

/// The values of a header, together.
fn text(headers: &HeaderMap, name: HeaderName) -> String {
    let all: Vec<&str> = headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    all.join(",")
}

fn whole(response: Response) -> hyper::Response<Body> {
    let mut answer = hyper::Response::new(Full::new(Bytes::from(response.body)).boxed());
    *answer.status_mut() =
        hyper::StatusCode::from_u16(response.code).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    let headers = answer.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&response.content_type) {
        headers.insert(CONTENT_TYPE, value);
    }
    for (name, value) in response.headers {
        // A name or a warning that quotes what no header can hold is left out.
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.append(HeaderName::from_static(name), value);
        }
    }
    answer
}
