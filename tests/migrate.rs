//! A migration of a served cluster from outside: the production shell, real sockets, the cluster's time faster than the clock's.

#![cfg(feature = "live")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

#[path = "support/nodeferry.rs"]
#[expect(dead_code, reason = "commands are run in another environment here")]
mod support;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
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

    /// What stands after `name` in a file that the server wrote.
    fn told(&self, file: &str, name: &str) -> String {
        let text = fs::read_to_string(self.dir.path().join(file)).unwrap();
        let line =
            text.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{name} in {text}"));
        line[line.find(name).unwrap() + name.len()..].trim_matches(['\'', '"', ' ']).to_owned()
    }

    /// An answer to a get, as it is.
    fn get(&self, url: &str, path: &str, authorization: &str) -> Value {
        let host = url.strip_prefix("http://").unwrap_or_else(|| panic!("{url}"));
        let mut stream = TcpStream::connect(host).unwrap();
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nAccept: application/json\r\n{authorization}Connection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{path}: {head}");
        // Whole or in chunks.
        let (first, last) = (body.find('{').unwrap(), body.rfind('}').unwrap());
        serde_json::from_str(&body[first..=last]).unwrap_or_else(|error| panic!("{path}: {error}: {body}"))
    }

    /// Every object that a migration might change, on both sides.
    fn state(&self) -> Vec<(String, Value)> {
        let server = self.told("kubeconfig", "server: ");
        let kinds = [
            "api/v1/nodes",
            "api/v1/pods",
            "apis/apps/v1/deployments",
            "apis/apps/v1/replicasets",
            "apis/apps/v1/statefulsets",
            "apis/autoscaling/v2/horizontalpodautoscalers",
            "api/v1/namespaces/kube-system/configmaps",
            "apis/coordination.k8s.io/v1/namespaces/kube-system/leases",
            "api/v1/namespaces/kube-system/events",
        ];
        let mut state: Vec<(String, Value)> = kinds
            .iter()
            .map(|kind| ((*kind).to_owned(), self.get(&server, &format!("/{kind}"), "")["items"].clone()))
            .collect();
        let eks = self.told("aws.env", "AWS_ENDPOINT_URL_EKS=");
        let signed =
            "Authorization: AWS4-HMAC-SHA256 Credential=a/20260101/eu-central-1/eks/aws4_request\r\n";
        let groups = self.get(&eks, "/clusters/clinic/node-groups", signed);
        for group in groups["nodegroups"].as_array().unwrap() {
            let path = format!("/clusters/clinic/node-groups/{}", group.as_str().unwrap());
            state.push((path.clone(), self.get(&eks, &path, signed)));
        }
        state
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

#[test]
fn a_dry_run_says_what_servers_say_and_changes_nothing() {
    let served = Served::start();
    let before = served.state();
    assert!(before.len() == 10 && before[0].1.as_array().unwrap().len() == 3, "{before:#?}");
    let asked = ["migrate", "--from", "blue", "--to", "green", "--dry-run"];
    let client = served.run(&[&asked[..], &["client"]].concat());
    assert_eq!(client.code, Some(0), "{client:#?}");
    assert!(
        client.out.contains("hold the lock") && client.out.contains("create node group green"),
        "{}",
        client.out
    );
    assert!(client.out.contains("none of them sent; nothing was changed"), "{}", client.out);
    assert!(!client.out.contains("accepted"), "{}", client.out);

    let server = served.run(&[&asked[..], &["server"]].concat());
    assert_eq!(server.code, Some(0), "{server:#?}");
    for line in [
        "hold the lock: accepted",
        "write the journal: accepted",
        "create launch template",
        "create node group green: not tried (its API has no dry run)",
        "suspend processes of",
        "delete node group blue: not tried (its API has no dry run)",
        "not known yet (the new nodes do not exist yet)",
    ] {
        assert!(server.out.contains(line), "{line} in {}", server.out);
    }
    let sum = server.out.lines().last().unwrap();
    assert!(sum.contains(" 0 refused, 0 not now or without an answer, "), "{sum}");
    for kind in ["patch Node ", "patch Deployment ", "patch Pod ", "create launch template "] {
        let lines = || server.out.lines().filter(|line| line.trim().starts_with(kind));
        assert!(
            lines().count() > 0 && lines().all(|line| line.ends_with(": accepted")),
            "{kind}: {}",
            server.out
        );
    }

    let after = served.state();
    for ((name, before), (_, after)) in before.iter().zip(&after) {
        assert!(before == after, "{name} has changed:\n{before:#}\n{after:#}");
    }
    assert_eq!(before.len(), after.len());
    let slip = served.run(&[&asked[..], &["server", "--yes"]].concat());
    assert_eq!(slip.code, Some(2), "{slip:#?}");
}

/// What lets the bearer in, in this test.
const SECRETS: [&str; 3] = ["bearer-of-this-test", "secret-of-this-test", "session-of-this-test"];

fn got(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_migration_tells_who_asks_and_no_secret_is_in_what_it_writes() {
    let served = Served::start();
    let [bearer, secret, session] = SECRETS;
    let kubeconfig = served.dir.path().join("kubeconfig");
    let text = fs::read_to_string(&kubeconfig).unwrap();
    let with_token = text.replace("user: {}", &format!("user: {{ token: {bearer} }}"));
    assert_ne!(text, with_token);
    fs::write(&kubeconfig, &with_token).unwrap();
    let server = text.lines().find_map(|line| line.trim().strip_prefix("server: http://")).unwrap();

    let log = served.dir.path().join("audit.jsonl");
    let arguments = ["migrate", "--from", "blue", "--to", "green", "--yes", "--stop-after", "new-group"];
    let mut running = served
        .nodeferry(&arguments)
        .args(["--log", "trace", "--metrics-addr", "0", "--audit"])
        .arg(&log)
        .env("AWS_SECRET_ACCESS_KEY", secret)
        .env("AWS_SESSION_TOKEN", session)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (said, lines) = mpsc::channel();
    let err = running.stderr.take().unwrap();
    let reading = thread::spawn(move || {
        let mut all = String::new();
        for line in BufReader::new(err).lines().map_while(Result::ok) {
            let _ = said.send(line.clone());
            all.push_str(&line);
            all.push('\n');
        }
        all
    });
    let at =
        |line: String| Some(line.split_once("metrics at http://")?.1.strip_suffix("/metrics")?.to_owned());
    let address = lines.iter().find_map(at).unwrap();
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    let metrics =
        (0..1_000).map(|_| got(&address, "/metrics")).find(|text| text.contains("nodeferry_wait{")).unwrap();
    assert!(got(&address, "/").starts_with("HTTP/1.1 404 "));
    assert_eq!(running.wait().unwrap().code(), Some(10));
    let err = reading.join().unwrap();

    for expected in [
        "nodeferry_step{step=\"",
        "seen=\"",
        "wanted=\"",
        "nodeferry_requests_total{verb=\"hold\",answer=\"done\"} ",
        "nodeferry_view_age_seconds{source=\"kubernetes\"} ",
        "nodeferry_view_age_seconds{source=\"aws\"} ",
        "nodeferry_outcome{outcome=\"running\"} 1",
        "# EOF",
    ] {
        assert!(metrics.contains(expected), "no {expected} in {metrics}");
    }
    assert!(
        err.contains("migrator::live::shell: phase="),
        "the log has what the shell writes at its lowest level: {err}"
    );
    let journal = got(server, "/api/v1/namespaces/kube-system/configmaps/nodeferry-journal");
    assert!(journal.contains("\"plan-id\""), "{journal}");
    let audit = fs::read_to_string(&log).unwrap();
    assert!(audit.contains("\"before\""), "{audit}");
    for (name, text) in [("log", &err), ("metrics", &metrics), ("journal", &journal), ("audit log", &audit)] {
        for secret in SECRETS {
            let line = text.lines().find(|line| line.contains(secret));
            assert_eq!(line, None, "the {name} has a secret");
        }
    }
}

#[test]
fn a_status_that_is_watched_tells_that_the_server_is_gone() {
    let mut served = Served::start();
    let held = served.run(&["migrate", "--from", "blue", "--to", "green", "--yes", "--stop-after", "freeze"]);
    assert_eq!(held.code, Some(10), "{held:#?}");
    let mut watching =
        served.nodeferry(&["status", "-w"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let shown = BufReader::new(watching.stdout.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(shown.ends_with(" is paused"), "{shown}");
    served.server.kill().unwrap();
    served.server.wait().unwrap();
    let mut lines = BufReader::new(watching.stderr.take().unwrap()).lines().map_while(Result::ok);
    let told = lines.find(|line| line.contains("cannot be watched"));
    watching.kill().unwrap();
    watching.wait().unwrap();
    assert!(told.is_some(), "it was silent");
}
