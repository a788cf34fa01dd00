//! Requests and answers as every transport brings and takes them, for the Kubernetes API server and for AWS'.
//!
//! Decides how a target is taken apart. What a header or a parameter means is left to the servers.

use std::borrow::Cow;

use serde_json::Value;

#[cfg(test)]
mod tests;

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

impl Method {
    /// The method of this name, in capitals as HTTP has it. Others than these are not served.
    pub fn named(name: &str) -> Option<Method> {
        match name {
            "GET" => Some(Method::Get),
            "POST" => Some(Method::Post),
            "PUT" => Some(Method::Put),
            "PATCH" => Some(Method::Patch),
            "DELETE" => Some(Method::Delete),
            _ => None,
        }
    }
}

/// A request. A header that was not sent is empty; one that was sent more than once has its values joined by commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Method.
    pub method: Method,
    /// Path, percent-encoded as it came.
    pub path: String,
    /// Parameters of the address, decoded, in order.
    pub query: Vec<(String, String)>,
    /// Header `Accept`.
    pub accept: String,
    /// Header `Content-Type`.
    pub content_type: String,
    /// Header `User-Agent`.
    pub user_agent: String,
    /// Header `Authorization`.
    pub authorization: String,
    /// Body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without headers, from a path with parameters.
    pub fn new(method: Method, target: &str, body: Vec<u8>) -> Request {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Request {
            method,
            path: path.into(),
            query: parameters(query),
            accept: String::new(),
            content_type: String::new(),
            user_agent: String::new(),
            authorization: String::new(),
            body,
        }
    }

    /// The parts of the path, decoded; empty ones are left out.
    pub fn segments(&self) -> Vec<String> {
        self.path.split('/').filter(|part| !part.is_empty()).map(percent_decode).collect()
    }

    /// The first value of a parameter; an empty one counts as absent.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let named = self.query.iter().find(|(key, _)| key == name);
        named.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Whether a parameter says yes.
    pub fn flag(&self, name: &str) -> bool {
        self.query.iter().any(|(key, value)| key == name && !matches!(value.as_str(), "false" | "0"))
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// Status code.
    pub code: u16,
    /// `Content-Type`.
    pub content_type: Cow<'static, str>,
    /// Further headers, names in small letters.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
}

impl Response {
    /// An answer without further headers.
    pub fn new(code: u16, content_type: impl Into<Cow<'static, str>>, body: Vec<u8>) -> Response {
        Response { code, content_type: content_type.into(), headers: Vec::new(), body }
    }

    /// An answer in JSON.
    pub fn json(code: u16, value: &Value) -> Response {
        Response::new(code, "application/json", value.to_string().into_bytes())
    }

    /// An answer for people.
    pub fn text(code: u16, text: &str) -> Response {
        Response::new(code, "text/plain; charset=utf-8", text.as_bytes().to_vec())
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
    }
}

/// Pairs of a form or of the parameters of an address.
pub fn parameters(text: &str) -> Vec<(String, String)> {
    let decoded = |part: &str| percent_decode(&part.replace('+', " "));
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decoded(key), decoded(value)))
        .collect()
}

/// Undoes percent-encoding; what is none stays, and what is no UTF-8 becomes replacement characters.
pub fn percent_decode(text: &str) -> String {
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
