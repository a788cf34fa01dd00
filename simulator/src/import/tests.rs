use super::*;

#[test]
fn a_real_export_comes_in_whole() {
    let cluster = read_cluster(Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../testdata/clusters/online-boutique.yaml"
    )))
    .unwrap();
    assert_eq!(cluster.objects.len(), 116);
    assert_eq!(cluster.notes, Vec::<String>::new());
    assert_eq!(cluster.newest.to_string(), "2026-11-23T11:47:05Z");
    assert!(cluster.objects.iter().all(|object| !matches!(object.typed, Typed::Other)));
}
