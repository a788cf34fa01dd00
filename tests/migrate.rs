//! A migration of a served cluster from outside: the production shell, real sockets, the cluster's time faster than the clock's.

#![cfg(feature = "live")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "support/nodeferry.rs"]
#[expect(dead_code, reason = "commands are run in another environment here")]
mod support;

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;
use support::{Ran, command, ran};

/// How much faster. A request of a few milliseconds takes a second of the cluster's time then, which the waits of a plan
/// (ten seconds and more) are long against.
const SPEED: &str = "300";

/// A served cluster that ends with its test.
struct Served {
    server: Child,
    dir: tempfile::TempDir,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

impl Served {
    fn start() -> Served {
        let dir = tempfile::tempdir().unwrap();
        let mut server = command(env!("CARGO_BIN_EXE_nodeferry"))
            .args(["serve", "--speed", SPEED, "--dir"])
            .arg(dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let out = server.stdout.take().unwrap();
        let served = Served { server, dir };
        let line = BufReader::new(out).lines().next().unwrap().unwrap();
        assert!(line.starts_with("ready "), "{line}");
        served
    }

    /// A command on this cluster, as `aws.env` and the kubeconfig let anybody's clients reach it.
    fn nodeferry(&self, arguments: &[&str]) -> Command {
        let mut asked = command(env!("CARGO_BIN_EXE_nodeferry"));
        for line in fs::read_to_string(self.dir.path().join("aws.env")).unwrap().lines() {
            let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
            asked.env(name, value);
        }
        asked
            .args(arguments)
            .args(["--speed", SPEED, "--kubeconfig"])
            .arg(self.dir.path().join("kubeconfig"));
        asked
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        ran(self.nodeferry(arguments).output().unwrap())
    }
}

fn audit(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_served_cluster_is_migrated_whole() {
    let served = Served::start();
    let log = served.dir.path().join("audit.jsonl");
    let held = served.run(&[
        "migrate",
        "--from",
        "blue",
        "--to",
        "green",
        "--yes",
        "--stop-after",
        "gate",
        "--audit",
        log.to_str().unwrap(),
    ]);
    assert_eq!(held.code, Some(10), "{held:#?}");
    assert!(held.out.contains("Held before exclude; go on with `nodeferry resume`"), "{}", held.out);
    let status: Value = serde_json::from_str(&served.run(&["status", "-o", "json"]).out).unwrap();
    assert_eq!(status["status"], "paused");
    assert_eq!(status["lock"], Value::Null, "a migration that is held holds no lock");

    let migrated = served.run(&["resume", "--audit", log.to_str().unwrap()]);
    assert_eq!(migrated.code, Some(0), "{migrated:#?}");
    assert!(migrated.out.contains("Migrated blue to green"), "{}", migrated.out);

    let status = || -> Value { serde_json::from_str(&served.run(&["status", "-o", "json"]).out).unwrap() };
    // EKS is done with a group before Kubernetes has taken note of its last instance.
    let status = (0..100).map(|_| status()).find(|status| status["from"]["nodes"] == 0).unwrap();
    assert_eq!(status["status"], "finished");
    assert_eq!(status["to"]["nodes"], 3);

    // The log says what stood there before.
    let log = audit(&log);
    let deleted =
        log.iter().find(|line| line["verb"] == "delete" && line["object"] == "node group blue").unwrap();
    assert_eq!(deleted["answer"], "done");
    assert_eq!(deleted["before"], serde_json::json!({"min": 3, "max": 3, "desired": 3}));
    let again = served.run(&["resume"]);
    assert_eq!(again.code, Some(2), "a plan runs once: {again:#?}");
}
