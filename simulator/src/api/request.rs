//! Requests and answers as every transport brings and takes them.

use serde_json::Value;

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are HTTP's own")]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path, percent-encoded as it came.
    pub path: String,
    /// Parameters, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Header `Accept`.
    pub accept: String,
    /// Header `Content-Type`.
    pub content_type: String,
    /// Header `User-Agent`.
    pub user_agent: String,
    /// Body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request from a path with parameters.
    pub fn new(method: Method, target: &str, accept: &str, content_type: &str, body: Vec<u8>) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Request {
            method,
            path: path.into(),
            query: parameters(query),
            accept: accept.into(),
            content_type: content_type.into(),
            user_agent: String::new(),
            body,
        }
    }

    /// The first value of a parameter; an empty one counts as absent.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Whether a parameter says yes.
    pub fn flag(&self, name: &str) -> bool {
        self.query.iter().any(|(key, value)| key == name && !matches!(value.as_str(), "false" | "0"))
    }

    /// Who is named as manager of the fields: the parameter, else the program's name.
    pub fn manager(&self) -> String {
        let program = self.user_agent.split('/').next().unwrap_or("");
        let name = self.parameter("fieldManager").unwrap_or(program);
        if name.is_empty() { "unknown".into() } else { name.chars().take(128).collect() }
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub code: u16,
    /// `Content-Type`.
    pub content_type: String,
    /// Seconds of `Retry-After`.
    pub retry_after: Option<u64>,
    /// Warnings for people, each for a header `Warning`.
    pub warnings: Vec<String>,
    /// Body.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer in JSON.
    pub fn json(code: u16, value: &Value) -> Response {
        Response::bytes(code, "application/json", value.to_string().into_bytes())
    }

    pub(super) fn text(text: &str) -> Response {
        Response::bytes(200, "text/plain; charset=utf-8", text.as_bytes().to_vec())
    }

    pub(super) fn bytes(code: u16, content_type: &str, body: Vec<u8>) -> Response {
        Response { code, content_type: content_type.into(), retry_after: None, warnings: Vec::new(), body }
    }
}

/// The parameters of a query.
pub(super) fn parameters(query: &str) -> Vec<(String, String)> {
    let decoded = |text: &str| percent_decode(&text.replace('+', " "));
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key), decoded(value))
        })
        .collect()
}

/// Text without percent encoding; what is no encoding stays as it is.
pub(super) fn percent_decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |index: usize| bytes.get(index).and_then(|&byte| char::from(byte).to_digit(16));
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while let Some(&byte) = bytes.get(index) {
        match (byte, digit(index + 1), digit(index + 2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push((high * 16 + low) as u8);
                index += 3;
            }
            _ => {
                decoded.push(byte);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}
