//! The served cluster from outside: a real process, a real socket, real time.

#![cfg(feature = "live")]
#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, Stdio},
};

/// A server that ends with its test.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts one and waits for the line that says where its Kubernetes API listens.
fn serve(dir: &std::path::Path, more: &[&str]) -> (Server, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_nodeferry"))
        .args(["serve", "--speed", "100", "--dir"])
        .arg(dir)
        .args(more)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = child.stdout.take().unwrap();
    let server = Server(child);
    let line = BufReader::new(out).lines().next().unwrap().unwrap();
    let address = line.strip_prefix("ready http://").unwrap().split(' ').next().unwrap().to_owned();
    (server, address)
}

fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_cluster_is_served_on_loopback_until_it_is_told_to_stop() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, address) = serve(folder.path(), &[]);
    assert!(address.starts_with("127.0.0.1:"), "{address}");
    let config = fs::read_to_string(folder.path().join("kubeconfig")).unwrap();
    assert!(config.contains(&format!("server: http://{address}")), "{config}");
    #[cfg(unix)]
    for name in ["kubeconfig", "aws.env"] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }

    let nodes = ask(&address, "GET /api/v1/nodes HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(nodes.starts_with("HTTP/1.1 200 OK\r\n") && nodes.contains("\"kind\":\"NodeList\""), "{nodes}");

    let environment = fs::read_to_string(folder.path().join("aws.env")).unwrap();
    let named = |name: &str| {
        let value = environment.lines().find_map(|line| line.strip_prefix("export ")?.strip_prefix(name));
        value.unwrap_or_else(|| panic!("no {name} in {environment}"))
    };
    let aws = named("AWS_ENDPOINT_URL_EKS=").strip_prefix("http://").unwrap();
    assert!(aws.starts_with("127.0.0.1:") && aws != address, "{aws}");
    for service in ["EC2", "AUTO_SCALING", "ELASTIC_LOAD_BALANCING_V2", "STS"] {
        assert_eq!(named(&format!("AWS_ENDPOINT_URL_{service}=")), format!("http://{aws}"));
    }
    assert_eq!((named("AWS_REGION="), named("AWS_DEFAULT_REGION=")), ("eu-central-1", "eu-central-1"));
    assert_eq!(named("AWS_EC2_METADATA_DISABLED="), "true");
    let signed = "authorization: AWS4-HMAC-SHA256 Credential=x/20261128/eu-central-1/eks/aws4_request, \
                  SignedHeaders=host, Signature=0\r\nconnection: close\r\n\r\n";
    let clusters = ask(aws, &format!("GET /clusters HTTP/1.1\r\nhost: x\r\n{signed}"));
    assert!(clusters.starts_with("HTTP/1.1 200 OK\r\n") && clusters.contains("\"clinic\""), "{clusters}");
    let unsigned = ask(aws, "GET /clusters HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    assert!(
        unsigned.starts_with("HTTP/1.1 403 ") && unsigned.contains("MissingAuthenticationToken"),
        "{unsigned}"
    );

    // Three seconds of the cluster are 30 ms here.
    let watched = ask(
        &address,
        "GET /api/v1/pods?watch=1&timeoutSeconds=3 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    );
    assert!(watched.contains("{\"type\":\"ADDED\",\"object\":{"), "{watched}");

    // Refused for what it says of itself, before any of it is sent: who goes on sending may find the connection closed.
    let large = format!(
        "POST /api/v1/namespaces HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        (3 << 20) + 1
    );
    let refused = ask(&address, &large);
    assert!(refused.starts_with("HTTP/1.1 413 "), "{refused}");

    let told = Command::new("kill").arg(server.0.id().to_string()).status().unwrap();
    assert!(told.success());
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}

#[test]
fn an_interrupt_stops_it_also_while_a_client_watches() {
    let folder = tempfile::tempdir().unwrap();
    let (mut server, address) = serve(folder.path(), &[]);
    let mut watching = TcpStream::connect(&address).unwrap();
    watching.write_all(b"GET /api/v1/pods?watch=1 HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut begun = [0; 12];
    watching.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    let told = Command::new("kill").args(["-INT", &server.0.id().to_string()]).status().unwrap();
    assert!(told.success());
    assert_eq!(server.0.wait().unwrap().code(), Some(0));
}

#[test]
fn beyond_what_it_is_told_to_answer_it_refuses_as_busy_servers_do() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, address) = serve(folder.path(), &["--throttle", "1"]);
    let request = "GET /api/v1/nodes HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    // One a second: of ten at once, most are too many on any machine.
    let answers: Vec<String> = (0..10).map(|_| ask(&address, request)).collect();
    assert!(answers[0].starts_with("HTTP/1.1 200 "), "{}", answers[0]);
    let refused: Vec<&String> = answers.iter().filter(|one| one.starts_with("HTTP/1.1 429 ")).collect();
    assert!(refused.len() >= 5, "{answers:?}");
    assert!(refused[0].contains("\r\nretry-after: 1\r\n"), "{}", refused[0]);
    assert!(refused[0].contains("\"reason\":\"TooManyRequests\""), "{}", refused[0]);
}

#[test]
fn a_large_answer_arrives_whole() {
    let folder = tempfile::tempdir().unwrap();
    let (_server, address) = serve(folder.path(), &[]);
    let value = "x".repeat(1_000_000);
    let body = format!(
        "{{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{{\"name\":\"large\"}},\"data\":{{\"a\":\"{value}\"}}}}"
    );
    let path = "/api/v1/namespaces/default/configmaps";
    let made = ask(
        &address,
        &format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    assert!(made.starts_with("HTTP/1.1 201 "), "{}", made.get(..300).unwrap_or(&made));
    let got = ask(&address, &format!("GET {path}/large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"));
    let (head, answer) = got.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("content-length: {}", answer.len())), "{head}");
    assert!(answer.contains(&value) && answer.ends_with('}'));
}
