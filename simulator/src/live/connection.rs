//! Connections: requests in, answers and streams out, within limits.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Channel, Full, Limited, combinators::UnsyncBoxBody};
use hyper::{
    body::{Body as _, Frame, Incoming, SizeHint},
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore, time::timeout};

use super::{Served, room::Place};
use crate::{
    api::{self, Reply, Watch},
    aws_api,
    http::{Method, Request, Response},
    world::World,
};

/// Most connections at a time. kubectl opens one or two, a controller a dozen; beyond this somebody leaks them.
const CONNECTIONS_MAX: usize = 2_000;

/// How long a client may take to send the head of a request, and how long for its body.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a client of a watch may leave events lying before it loses the watch. A real server ends a watch whose client
/// is slow, after much less.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Largest head of a request, in bytes: long selectors fit, a stream of headers does not.
const HEAD_BYTES_MAX: usize = 64 << 10;

type Body = UnsyncBoxBody<Bytes, Infallible>;

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

    /// What somebody is told who shall come again later.
    fn too_many(self, request: &Request) -> Response {
        match self {
            Api::Kubernetes => api::too_many_requests(),
            Api::Aws => aws_api::throttled(request),
        }
    }
}

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
        return Ok(whole(Response::text(405, "method not allowed"), None));
    };
    let most = api.body_bytes_max();
    let body = match received(&served, body, most).await {
        Ok(body) => body,
        Err(refusal) => return Ok(whole(refusal, None)),
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
    if !served.admits() {
        return Ok(whole(api.too_many(&request), None));
    }
    Ok(match served.with(|world| api.handle(world, &request)) {
        Reply::Whole(response) => match served.room.for_answer(response.body.len()) {
            Some(place) => whole(response, Some(place)),
            None => whole(api.too_many(&request), None),
        },
        Reply::Watch(watch) => {
            // One piece on its way and one that waits: a client that reads nothing holds no more.
            let (sender, body) = Channel::new(1);
            tokio::spawn(send(served, watch, sender));
            let mut response = hyper::Response::new(body.boxed_unsync());
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            response
        }
    })
}

/// Reads a body of at most `most` bytes.
async fn received(served: &Served, body: Incoming, most: usize) -> Result<Vec<u8>, Response> {
    let too_large = || Response::text(413, &format!("Request entity too large: limit is {most}"));
    let size = body.size_hint();
    if size.lower() > most as u64 {
        return Err(too_large());
    }
    let expected = size.upper().and_then(|upper| usize::try_from(upper).ok()).unwrap_or(most).min(most);
    if expected == 0 {
        return Ok(Vec::new());
    }
    let read = async {
        let _place = served.room.for_body(expected).await;
        Limited::new(body, most).collect().await
    };
    match timeout(BODY_TIMEOUT, read).await {
        Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
        Ok(Err(_)) => Err(too_large()),
        Err(_) => Err(Response::text(408, "the body of the request did not arrive in time")),
    }
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
        if !polled.lines.is_empty() {
            let sent = timeout(STALL_TIMEOUT, sender.send_data(polled.lines.into())).await;
            if !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
        if polled.over {
            return;
        }
        if polled.more {
            continue;
        }
        let wait = served.until(Some(wakes_at), Duration::from_secs(60));
        let _ = timeout(wait.max(Duration::from_millis(1)), changes.changed()).await;
    }
}

/// The values of a header, together.
fn text(headers: &HeaderMap, name: HeaderName) -> String {
    let mut all = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let Some(first) = all.next() else { return String::new() };
    all.fold(first.to_owned(), |text, value| text + "," + value)
}

fn whole(response: Response, place: Option<Place>) -> hyper::Response<Body> {
    let body = Held { body: Full::new(Bytes::from(response.body)), _place: place };
    let mut answer = hyper::Response::new(body.boxed_unsync());
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

/// An answer and the room that it takes until its client has it.
struct Held {
    body: Full<Bytes>,
    _place: Option<Place>,
}

impl hyper::body::Body for Held {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
