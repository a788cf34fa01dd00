//! AWS' API servers as an HTTP client of the SDK.

use std::{io, sync::Arc};

use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use simulator::{
    aws_api,
    http::{Method, Request},
};

use super::{Passed, READ_TAKES, Wire, faults::Line, gate::Gate};

/// A client of a process whose requests the world answers.
pub(super) fn client(wire: &Arc<Wire>, line: &Arc<Line>) -> SharedHttpClient {
    SharedHttpClient::new(Client { wire: wire.clone(), line: line.clone() })
}

#[derive(Debug, Clone)]
struct Client {
    wire: Arc<Wire>,
    line: Arc<Line>,
}

impl HttpClient for Client {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Client {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Client { wire, line } = self.clone();
        HttpConnectorFuture::new(async move { answer(&wire, &line, &request).await })
    }
}

async fn answer(
    wire: &Arc<Wire>,
    line: &Line,
    request: &HttpRequest,
) -> Result<HttpResponse, ConnectorError> {
    let uri: http::Uri = request
        .uri()
        .parse()
        .map_err(|error| ConnectorError::user(Box::<http::uri::InvalidUri>::new(error)))?;
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let method = Method::named(request.method()).unwrap_or(Method::Post);
    let asked = Request {
        authorization: request.headers().get("authorization").unwrap_or_default().to_owned(),
        ..Request::new(method, target, request.body().bytes().unwrap_or_default().to_vec())
    };
    // A change moves the world on by the API's latency; its answer comes when that has passed.
    let served = wire
        .pass(line, asked, READ_TAKES, Gate::aws, |world, asked| (aws_api::handle(world, asked), world.now()))
        .await;
    let response = match served {
        Passed::Served(response) | Passed::Instead(response) => response,
        Passed::Broken | Passed::Silent => {
            let broken = io::Error::new(io::ErrorKind::ConnectionReset, "the connection was reset");
            return Err(ConnectorError::io(Box::new(broken)));
        }
    };
    let code = StatusCode::try_from(response.code).map_err(|error| ConnectorError::user(Box::new(error)))?;
    let mut answer = HttpResponse::new(code, SdkBody::from(response.body));
    let headers = answer.headers_mut();
    headers.insert("content-type", response.content_type.into_owned());
    for (name, value) in response.headers {
        headers.insert(name, value);
    }
    Ok(answer)
}
