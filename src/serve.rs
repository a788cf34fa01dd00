//! `nodeferry serve`: the simulated EKS on local ports, for anybody's clients.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::Path,
};

use anyhow::{Context as _, Result};
use scenarios::{
    Parameters, Seed,
    import::{self, aws},
    live::{self, Addresses},
    setup::{self, Setup},
};

use crate::{
    arguments::{Color, Serve},
    exit::Exit,
    files::Pending,
    output::print,
    simulate::example,
};

/// Runs the command.
pub(crate) fn run(asked: &Serve, color: Color) -> Result<Exit> {
    std::fs::create_dir_all(&asked.dir).with_context(|| format!("--dir {}", asked.dir.display()))?;
    let setup = setup(asked)?;
    let region = setup.world.imported_aws().region.clone();
    let ready = |addresses: Addresses| -> io::Result<()> {
        let (kubeconfig, aws) = (asked.dir.join("kubeconfig"), asked.dir.join("aws.env"));
        let written = write(&kubeconfig, &kubeconfig_text(addresses.kubernetes))
            .and_then(|()| write(&aws, &aws_environment(addresses.aws, &region)));
        written.map_err(io::Error::other)?;
        let line = format!(
            "ready http://{} (kubeconfig: {}), AWS at http://{} (environment: {})\n",
            addresses.kubernetes,
            kubeconfig.display(),
            addresses.aws,
            aws.display()
        );
        print(&line, color).map_err(io::Error::other)
    };
    live::serve(setup.world, live::Settings { speed: asked.speed, throttle: asked.throttle }, ready)
        .context("serve the cluster")?;
    Ok(Exit::Held)
}

fn setup(asked: &Serve) -> Result<Setup> {
    let mut parameters = Parameters::default();
    for assignment in &asked.set {
        parameters.set(assignment).with_context(|| format!("--set {assignment}"))?;
    }
    let (name, cluster, aws) = match &asked.cluster {
        None => {
            let cluster = import::parse_cluster(example::NAME, example::CLUSTER.as_bytes())?;
            let aws = aws::parse_aws(example::NAME, example::AWS.as_bytes())?;
            (example::NAME.to_owned(), cluster, Some(aws))
        }
        Some(path) => {
            let aws = asked.aws.as_deref().map(aws::read_aws).transpose().context("--aws")?;
            (path.display().to_string(), import::read_cluster(path).context("--cluster")?, aws)
        }
    };
    setup::setup(&cluster, aws, &parameters, &[], Seed(asked.seed))
        .with_context(|| format!("--cluster {name}"))
}

fn write(path: &Path, text: &str) -> Result<()> {
    Pending::begin_private(path)?.finish(|file| file.write_all(text.as_bytes()))
}

/// What kubectl needs to find the server. Nothing in it is secret: nobody is asked who they are.
fn kubeconfig_text(address: SocketAddr) -> String {
    format!(
        "apiVersion: v1\n\
         kind: Config\n\
         clusters:\n\
         - name: nodeferry\n  cluster:\n    server: http://{address}\n\
         contexts:\n\
         - name: nodeferry\n  context:\n    cluster: nodeferry\n    user: nodeferry\n\
         current-context: nodeferry\n\
         users:\n\
         - name: nodeferry\n  user: {{}}\n"
    )
}

/// The services that are simulated, as the names of environment variables have them: the service's id in capitals.
/// Source: AWS SDKs and Tools Reference Guide, "Service-specific endpoints".
const SERVICES: [&str; 5] = ["EKS", "EC2", "AUTO_SCALING", "ELASTIC_LOAD_BALANCING_V2", "STS"];

/// What `aws` and the SDKs need to find the servers, for a shell to read. The credentials are made up; they stand there
/// because no client signs without any, and so that none of the user's own is ever sent.
fn aws_environment(address: SocketAddr, region: &str) -> String {
    let region = quoted(region);
    let endpoints = SERVICES.map(|service| format!("export AWS_ENDPOINT_URL_{service}=http://{address}\n"));
    format!(
        "{}\
         export AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=false\n\
         export AWS_DEFAULT_REGION={region}\n\
         export AWS_REGION={region}\n\
         export AWS_ACCESS_KEY_ID=simulated\n\
         export AWS_SECRET_ACCESS_KEY=simulated\n\
         export AWS_SESSION_TOKEN=\n\
         export AWS_EC2_METADATA_DISABLED=true\n\
         export AWS_PAGER=\n",
        endpoints.concat()
    )
}

/// A word as a shell reads it back; what needs no quotes gets none, for those who read the file without a shell.
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    if word.chars().all(plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_from_a_file_is_one_word_for_a_shell() {
        for region in ["eu-central-1", "a b", "$(touch x)", "it's", "x\ny", "", "`x`;x"] {
            let text = aws_environment(SocketAddr::from(([127, 0, 0, 1], 80)), region);
            let script = format!("{text}printf '%s|%s' \"$AWS_REGION\" \"$AWS_ENDPOINT_URL_EKS\"");
            let told = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(told.stdout).unwrap(), format!("{region}|http://127.0.0.1:80"));
        }
    }
}
