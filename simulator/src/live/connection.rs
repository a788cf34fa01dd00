//! Connections: requests in, answers and streams out, within limits.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Channel, Full, Limited, combinators::BoxBody};
use hyper::{
    body::Incoming,
    header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT, WARNING},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore};

use super::Served;
use crate::api::{self, BODY_BYTES_MAX, Method, Reply, Request, Response, Watch};

/// Most connections at a time. kubectl opens one or two, a controller a dozen; beyond this somebody leaks them.
const CONNECTIONS_MAX: usize = 2_000;

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Largest head of a request, in bytes: long selectors fit, a stream of headers does not.
const HEAD_BYTES_MAX: usize = 64 << 10;

type Body = BoxBody<Bytes, Infallible>;

/// Accepts connections as long as the process lives.
pub(super) async fn accept(listener: TcpListener, served: Arc<Served>) {
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
            let service = service_fn(move |request| answer(served.clone(), request));
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
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let Some(method) = method(&head.method) else { return Ok(plain(405, "method not allowed")) };
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes().to_vec(),
        Err(_) => return Ok(plain(413, "Request entity too large: limit is 3145728")),
    };
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let text = |name: HeaderName| text(&head.headers, name);
    let mut request = Request::new(method, target, &text(ACCEPT), &text(CONTENT_TYPE), body);
    request.user_agent = text(USER_AGENT);
    Ok(match served.with(|world| api::handle(world, &request)) {
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

fn method(method: &hyper::Method) -> Option<Method> {
    match method.as_str() {
        "GET" => Some(Method::Get),
        "POST" => Some(Method::Post),
        "PUT" => Some(Method::Put),
        "PATCH" => Some(Method::Patch),
        "DELETE" => Some(Method::Delete),
        _ => None,
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
    if let Some(seconds) = response.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    for warning in response.warnings {
        let told = warning.replace(['"', '\\'], "'");
        if let Ok(value) = HeaderValue::from_str(&format!("299 - \"{told}\"")) {
            headers.append(WARNING, value);
        }
    }
    answer
}

fn plain(code: u16, text: &str) -> hyper::Response<Body> {
    whole(Response {
        code,
        content_type: "text/plain".into(),
        retry_after: None,
        warnings: Vec::new(),
        body: text.as_bytes().to_vec(),
    })
}
