//! Refusals, in each protocol's form.

use serde_json::json;

use super::{service::Service, xml};
use crate::http::Response;

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Status code.
    pub code: u16,
    /// In the API's words, for example `ResourceNotFoundException`.
    pub name: String,
    /// For people.
    pub message: String,
}

impl Failure {
    pub(super) fn new(code: u16, name: &str, message: impl Into<String>) -> Failure {
        Failure { code, name: name.into(), message: message.into() }
    }

    /// A refusal of the world, which is told as `Name: message`.
    pub(super) fn told(text: &str) -> Failure {
        let (name, message) = text.split_once(": ").unwrap_or(("InvalidRequestException", text));
        // Source: EKS API, errors of its operations.
        let code = match name {
            "ResourceNotFoundException" => 404,
            "ResourceInUseException" => 409,
            _ => 400,
        };
        Failure::new(code, name, message)
    }

    pub(super) fn into_response(self, service: Service, id: &str) -> Response {
        let Failure { code, name, message } = self;
        match service {
            Service::Eks => {
                let mut response = Response::json(code, &json!({ "__type": name, "message": message }));
                response.headers = vec![("x-amzn-requestid", id.to_owned()), ("x-amzn-errortype", name)];
                response
            }
            Service::Ec2 => xml::response(
                code,
                format!(
                    "<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors>\
                     <RequestID>{id}</RequestID></Response>",
                    xml::escaped(&name),
                    xml::escaped(&message)
                ),
            ),
            Service::AutoScaling | Service::ElasticLoadBalancing | Service::Sts => {
                let fault = if code < 500 { "Sender" } else { "Receiver" };
                xml::response(
                    code,
                    format!(
                        "<ErrorResponse><Error><Type>{fault}</Type><Code>{}</Code><Message>{}</Message></Error>\
                         <RequestId>{id}</RequestId></ErrorResponse>",
                        xml::escaped(&name),
                        xml::escaped(&message)
                    ),
                )
            }
        }
    }
}
