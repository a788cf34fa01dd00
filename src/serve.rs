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
    live,
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
    let ready = |address: SocketAddr| -> io::Result<()> {
        write_kubeconfig(&asked.dir, address).map_err(io::Error::other)?;
        let line =
            format!("ready http://{address} (kubeconfig: {})\n", asked.dir.join("kubeconfig").display());
        print(&line, color).map_err(io::Error::other)
    };
    live::serve(setup.world, asked.speed, ready).context("serve the cluster")?;
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

/// What kubectl needs to find the server. Nothing in it is secret: nobody is asked who they are.
fn write_kubeconfig(dir: &Path, address: SocketAddr) -> Result<()> {
    let text = format!(
        "apiVersion: v1\n\
         kind: Config\n\
         clusters:\n\
         - name: nodeferry\n  cluster:\n    server: http://{address}\n\
         contexts:\n\
         - name: nodeferry\n  context:\n    cluster: nodeferry\n    user: nodeferry\n\
         current-context: nodeferry\n\
         users:\n\
         - name: nodeferry\n  user: {{}}\n"
    );
    Pending::begin(&dir.join("kubeconfig"))?.finish(|file| file.write_all(text.as_bytes()))
}
