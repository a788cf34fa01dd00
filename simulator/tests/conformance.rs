//! The model decides every recorded case as Kubernetes did.

use std::path::PathBuf;

use simulator::conformance::{families, run_paths};

#[test]
fn every_recorded_answer_is_the_models_answer() {
    let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/golden");
    let reports = run_paths(&[golden.join("api"), golden]).expect("recorded answers are readable");
    for report in &reports {
        assert!(
            report.is_conformant(),
            "{} {}/{}: {:#?}",
            report.family,
            report.passed,
            report.total,
            report.mismatches
        );
    }
    let mut covered: Vec<&str> = reports.iter().map(|report| report.family).collect();
    covered.sort_unstable();
    covered.dedup();
    assert_eq!(covered, families(), "a family has no recorded answers");
}
