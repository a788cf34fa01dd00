//! AWS' API servers as an HTTP client of the SDK.

use std::sync::Arc;

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

use super::{READ_TAKES, Wire};

/// A client whose requests the world answers.
pub(super) fn client(wire: &Arc<Wire>) -> SharedHttpClient {
    SharedHttpClient::new(Client(wire.clone()))
}

#[derive(Debug, Clone)]
struct Client(Arc<Wire>);

impl HttpClient for Client {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Client {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let wire = self.0.clone();
        HttpConnectorFuture::new(async move { answer(&wire, &request).await })
    }
}

async fn answer(wire: &Wire, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
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
    wire.until(wire.now() + READ_TAKES).await;
    // A change moves the world on by the API's latency; its answer comes when that has passed.
    let (response, answered_at) = match wire.gate.aws(&asked) {
        Some(refusal) => (refusal, wire.now()),
        None => wire.with(|world| (aws_api::handle(world, &asked), world.now())),
    };
    wire.until(answered_at).await;
    let code = StatusCode::try_from(response.code).map_err(|error| ConnectorError::user(Box::new(error)))?;
    let mut answer = HttpResponse::new(code, SdkBody::from(response.body));
    let headers = answer.headers_mut();
    headers.insert("content-type", response.content_type.into_owned());
    for (name, value) in response.headers {
        headers.insert(name, value);
    }
    Ok(answer)
}
