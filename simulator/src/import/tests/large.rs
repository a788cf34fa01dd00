//! Exports of any size: the objects of the real one, over and over, each time under other names.

use super::*;

/// A list of at least `bytes` bytes, with `copies` of every object.
fn large(bytes: usize) -> (String, usize) {
    let text = boutique_text();
    let start = text.find("- apiVersion").expect("the export is a list");
    let end = text.rfind("kind: List").expect("the export is a list");
    let (before, items, after) = (&text[..start], &text[start..end], &text[end..]);
    let mut large = before.to_owned();
    let mut copies = 0;
    while large.len() < bytes {
        for line in items.split_inclusive('\n') {
            match line.strip_prefix("    name: ") {
                Some(name) => large.push_str(&format!("    name: {}-{copies}\n", name.trim_end())),
                None => large.push_str(line),
            }
        }
        copies += 1;
    }
    large.push_str(after);
    (large, copies)
}

/// Measured once with 100 MB in place of 5: 4.6 s and 0.64 GB at the most, and 2.6 s and 0.75 GB for the 211 MB that the
/// same objects take as JSON.
#[test]
fn a_large_export_comes_in_whole() {
    let (text, copies) = large(5_000_000);
    let cluster = parse(&text);
    assert_eq!(cluster.objects.len(), 116 * copies);
    assert_eq!(cluster.objects[116].name(), "ip-10-0-1-10.ec2.internal-1");
}

#[test]
fn bombs_are_refused_before_they_go_off() {
    let megabytes = 4 << 20;
    for text in [
        format!("a: {}", "[".repeat(megabytes)),
        "- ".repeat(megabytes),
        "? ".repeat(megabytes),
        "---\n".repeat(megabytes),
        format!("a: \"{}", "x".repeat(megabytes)),
        format!("a: |\n{}", "  x\n".repeat(4 * megabytes)),
        "{\"a\":".repeat(megabytes),
        "[".repeat(megabytes),
        format!("[\"{}\"]", "x".repeat(3 * megabytes)),
        "%".repeat(megabytes),
        "a b ".repeat(megabytes),
        format!("a: [{}", "&x ".repeat(megabytes)),
        "{} ".repeat(megabytes),
        "[] ".repeat(megabytes),
        format!("a: &a {}\nb: [{}]", "x".repeat(1000), "*a,".repeat(megabytes / 4)),
    ] {
        parse_cluster("bomb", text.as_bytes()).expect_err(&text[..20]);
    }
}

#[test]
fn many_small_documents_take_no_longer_than_one_large() {
    let count = 50_000;
    let text: String = (0..count)
        .map(|i| {
            format!(
                "{{\"apiVersion\": \"v1\", \"kind\": \"Secret\", \"metadata\": {{\"name\": \"a{i}\"}}}}\n"
            )
        })
        .collect();
    assert_eq!(parse(&text).objects.len(), count);
    let wrong = format!("{text} {{\"kind\": 3}}");
    let error = parse_cluster("many", wrong.as_bytes()).unwrap_err();
    let expected =
        "many:50001:2: document 50001: object: kind: invalid type: integer `3`, expected a string: ";
    assert!(error.to_string().starts_with(expected), "{error}");
}

#[test]
fn more_objects_than_any_cluster_has_are_refused() {
    let item = |i| format!("- {{apiVersion: v1, kind: Secret, metadata: {{name: a{i}}}}}\n");
    let text = format!("kind: List\nitems:\n{}", (0..=OBJECTS_MAX).map(item).collect::<String>());
    let error = parse_cluster("many", text.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("more than 300000 objects"), "{error}");
}
