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

/// Measured with 100 MB in place of 5: 5 s and 0.65 GB at most, on one core of a 2020s server.
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
        format!("a: &a {}\nb: [{}]", "x".repeat(1000), "*a,".repeat(megabytes / 4)),
    ] {
        parse_cluster("bomb", text.as_bytes()).expect_err(&text[..20]);
    }
}
