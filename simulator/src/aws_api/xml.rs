//! Answers in XML, from the records that the aws command would print: names of the query protocol are the same, EC2's
//! differ by rule.

use serde_json::Value;

use crate::http::Response;

/// An answer of the query protocol: lists have members.
pub(super) fn query(action: &str, value: &Value, namespace: &str, id: &str) -> Response {
    let mut body = String::new();
    write(&mut body, value, &|name| name.to_owned(), "member");
    response(
        200,
        format!(
            "<{action}Response xmlns=\"{namespace}\"><{action}Result>{body}</{action}Result>\
             <ResponseMetadata><RequestId>{id}</RequestId></ResponseMetadata></{action}Response>"
        ),
    )
}

/// An answer of EC2: names begin small, lists have names of their own and hold items.
pub(super) fn ec2(action: &str, value: &Value, id: &str) -> Response {
    let mut body = String::new();
    write(&mut body, value, &ec2_name, "item");
    response(
        200,
        format!(
            "<{action}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>{id}</requestId>{body}\
             </{action}Response>"
        ),
    )
}

/// Source: botocore, `data/ec2/2016-11-15/service-2.json`, `locationName`.
fn ec2_name(name: &str) -> String {
    match name {
        "Reservations" => "reservationSet".into(),
        "Instances" => "instancesSet".into(),
        "Subnets" => "subnetSet".into(),
        "LaunchTemplateVersions" => "launchTemplateVersionSet".into(),
        "BlockDeviceMappings" => "blockDeviceMappingSet".into(),
        "TagSpecifications" => "tagSpecificationSet".into(),
        "Tags" => "tagSet".into(),
        "AvailabilityZones" => "availabilityZoneInfo".into(),
        _ => {
            let mut rest = name.chars();
            rest.next().map_or_else(String::new, |first| first.to_lowercase().chain(rest).collect())
        }
    }
}

fn write(out: &mut String, value: &Value, named: &dyn Fn(&str) -> String, member: &str) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            for (key, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
                element(out, &named(key), value, named, member);
            }
        }
        Value::Array(items) => {
            for item in items {
                element(out, member, item, named, member);
            }
        }
        Value::String(text) => out.push_str(&escaped(text)),
        Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
    }
}

fn element(out: &mut String, name: &str, value: &Value, named: &dyn Fn(&str) -> String, member: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    write(out, value, named, member);
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// Text as it stands between tags. Characters that XML cannot hold become the replacement character.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(character),
            '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            _ if character.is_control() => out.push('\u{FFFD}'),
            _ => out.push(character),
        }
    }
    out
}

pub(super) fn response(code: u16, body: String) -> Response {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{body}").into_bytes();
    Response::new(code, "text/xml;charset=UTF-8", body)
}
