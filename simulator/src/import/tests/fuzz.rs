//! Damaged exports: whatever is done to a file, it is read or refused, and never anything else.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// One way to damage a text. Places are given in thousandths of its length.
#[derive(Clone, Debug)]
enum Damage {
    Cut(usize),
    Byte(usize, u8),
    SwapLines(usize, usize),
    Insert(usize, &'static str),
    RemoveLine(usize),
    Noise(usize, Vec<u8>),
}

fn damages() -> impl Strategy<Value = Damage> {
    let snippets = [
        "&a ",
        "*a",
        "<<: *a\n",
        "- ",
        "---\n",
        "...\n",
        "? ",
        "!!binary ",
        "!x ",
        "\t",
        "'",
        "\"",
        "{",
        "[",
        "]",
        "}",
        "|\n",
        ">\n",
        "%YAML 1.2\n",
        "#",
        ": ",
        "\r\n",
        "\0",
        "\u{FEFF}",
        "null",
        "items:\n",
        "kind: List\n",
    ];
    let at = || 0_usize..1000;
    prop_oneof![
        at().prop_map(Damage::Cut),
        (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Byte(at, byte)),
        (at(), at()).prop_map(|(left, right)| Damage::SwapLines(left, right)),
        (at(), proptest::sample::select(snippets.to_vec())).prop_map(|(at, text)| Damage::Insert(at, text)),
        at().prop_map(Damage::RemoveLine),
        (at(), proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(at, bytes)| Damage::Noise(at, bytes)),
    ]
}

fn damage(bytes: &mut Vec<u8>, damage: Damage) {
    let place = |length: usize, thousandths: usize| length * thousandths / 1000;
    let length = bytes.len();
    match damage {
        Damage::Cut(at) => bytes.truncate(place(length, at)),
        Damage::Byte(at, byte) => {
            if let Some(here) = bytes.get_mut(place(length, at)) {
                *here = byte;
            }
        }
        Damage::Insert(at, text) => {
            let at = place(length, at);
            bytes.splice(at..at, text.bytes());
        }
        Damage::Noise(at, noise) => {
            let at = place(length, at);
            bytes.splice(at..at, noise);
        }
        Damage::SwapLines(left, right) => {
            let mut lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
            let (left, right) = (place(lines.len(), left), place(lines.len(), right));
            if left < lines.len() && right < lines.len() {
                lines.swap(left, right);
            }
            *bytes = lines.concat();
        }
        Damage::RemoveLine(at) => {
            let mut lines: Vec<&[u8]> = bytes.split_inclusive(|&byte| byte == b'\n').collect();
            let at = place(lines.len(), at);
            if at < lines.len() {
                lines.remove(at);
            }
            *bytes = lines.concat();
        }
    }
}

/// Read or refused; a refusal names the file first and is one line.
#[track_caller]
fn check_survives(bytes: &[u8]) {
    if let Err(error) = parse_cluster("damaged", bytes) {
        let message = error.to_string();
        assert!(message.starts_with("damaged:"), "{message}");
    }
}

/// A part of the real export that keeps a run short: one object of several kinds.
fn part() -> String {
    let text = boutique_text();
    let mut part = "apiVersion: v1\nitems:\n".to_owned();
    for kind in ["Node", "Pod", "Service", "Deployment", "PodDisruptionBudget", "ConfigMap"] {
        let at = text.find(&format!("\n  kind: {kind}\n")).expect("the export has one of each");
        let start = text[..at].rfind("\n- ").expect("it is an item of a list") + 1;
        let end = text[at..].find("\n- ").expect("another item follows") + at + 1;
        part.push_str(&text[start..end]);
    }
    part.push_str("kind: List\n");
    parse(&part);
    part
}

fn trees() -> impl Strategy<Value = Value> {
    let words = [
        "v1",
        "Pod",
        "Node",
        "List",
        "apps/v1",
        "Deployment",
        "web",
        "2026-01-01T00:00:00Z",
        "10Gi",
        "",
        "\u{1F600}",
    ];
    let keys =
        ["apiVersion", "kind", "items", "metadata", "name", "namespace", "spec", "status", "x", "containers"];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        proptest::sample::select(words.to_vec()).prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            proptest::collection::btree_map(proptest::sample::select(keys.to_vec()), inner, 0..6).prop_map(
                |fields| {
                    Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
                }
            ),
        ]
    })
}

proptest! {
    #[test]
    fn damaged_yaml_is_read_or_refused(all in proptest::collection::vec(damages(), 1..6)) {
        let mut bytes = part().into_bytes();
        for one in all {
            damage(&mut bytes, one);
        }
        check_survives(&bytes);
    }

    #[test]
    fn damaged_json_is_read_or_refused(all in proptest::collection::vec(damages(), 1..6)) {
        let values: Vec<Value> = parse(&part()).objects.iter().map(|object| object.raw.value()).collect();
        let mut bytes = Vec::new();
        crate::export::write_json(&mut bytes, values).unwrap();
        for one in all {
            damage(&mut bytes, one);
        }
        check_survives(&bytes);
    }

    #[test]
    fn any_tree_is_read_or_refused(tree in trees()) {
        check_survives(tree.to_string().as_bytes());
        check_survives(format!("---\n{tree}").as_bytes());
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check_survives(&bytes);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[-a:{}\\[\\]'\"&*!|>%#?, \n\t]{0,80}") {
        check_survives(text.as_bytes());
    }
}
