//! Connections to a cluster and to its account, as kubectl and the aws command would make them.

use std::{
    path::PathBuf,
    time::{Duration, SystemTime},
};

use aws_config::{
    BehaviorVersion, Region, SdkConfig, stalled_stream_protection::StalledStreamProtectionConfig,
    timeout::TimeoutConfig,
};
use aws_credential_types::{Credentials, provider::SharedCredentialsProvider};
use aws_smithy_async::{
    rt::sleep::{SharedAsyncSleep, TokioSleep},
    time::{SharedTimeSource, TimeSource},
};
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_types::retry::RetryConfig;
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use super::{
    Clock,
    aws::{Aws, Endpoints},
    errors::{self, Unreachable},
};

/// Marks the version of the API server that `nodeferry serve` shows.
const SIMULATED: &str = "-eks-nodeferry";

/// How long a connection to Kubernetes may be silent before it is given up: an idle watch is told every minute that nothing
/// has changed. Source: `apiserver/pkg/storage/cacher`, bookmarks.
pub const SILENCE: Duration = Duration::from_secs(150);

/// Where to, and as whom.
#[derive(Debug, Clone, Default)]
pub struct To {
    /// A kubeconfig; `None` takes what kubectl would.
    pub kubeconfig: Option<PathBuf>,
    /// A context of it; `None` takes the current one.
    pub context: Option<String>,
    /// A user to impersonate.
    pub impersonate: Option<String>,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// A profile of the AWS configuration.
    pub profile: Option<String>,
    /// An AWS region.
    pub region: Option<String>,
    /// Endpoints in place of AWS' own.
    pub endpoints: Endpoints,
    /// Name of the EKS cluster; `None` finds it.
    pub cluster: Option<String>,
}

/// A cluster that has answered.
#[derive(Clone)]
pub struct Connected {
    /// Kubernetes.
    pub kubernetes: Client,
    /// AWS.
    pub aws: Aws,
    /// Address of the API server.
    pub server: String,
    /// It is the simulation that `nodeferry serve` shows.
    pub simulated: bool,
    /// How long a request may take.
    pub request_timeout: Duration,
}

impl std::fmt::Debug for Connected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connected").field("server", &self.server).finish_non_exhaustive()
    }
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// What was asked for makes no sense.
    #[error("{what}: {why}")]
    Input {
        /// The flag or the file.
        what: String,
        /// What is wrong, and what mends it.
        why: String,
    },
    /// Nobody answers, or we are not let in.
    #[error(transparent)]
    Unreachable(#[from] Unreachable),
}

/// Connects and asks both sides who they are.
///
/// # Errors
/// Where the configuration cannot be read, one of the sides does not answer, or the EKS cluster cannot be told.
pub async fn connect(to: &To) -> Result<Connected, ConnectError> {
    let (config, names) = kubernetes(to).await?;
    let server = config.cluster_url.to_string();
    let unreachable = |error: &kube::Error| Unreachable { what: server.clone(), why: errors::told(error) };
    let kubernetes = Client::try_from(config).map_err(|error| unreachable(&error))?;
    let asked = tokio::time::timeout(to.request_timeout, kubernetes.apiserver_version()).await;
    let silent = || Unreachable { what: server.clone(), why: silence(to.request_timeout) };
    let version = asked.map_err(|_| silent())?.map_err(|error| unreachable(&error))?;
    let region = to.region.clone().or(names.region);
    let cluster = to.cluster.clone().or(names.cluster);
    let aws = account(&To { region, cluster, ..to.clone() }).await?;
    Ok(Connected {
        kubernetes,
        aws,
        simulated: version.git_version.contains(SIMULATED),
        server,
        request_timeout: to.request_timeout,
    })
}

/// Connects to the account alone.
///
/// # Errors
/// Where the EKS cluster is not named and cannot be told.
pub async fn account(to: &To) -> Result<Aws, ConnectError> {
    let aws = Aws::new(&configuration(to, to.region.clone()).await, &to.endpoints, "");
    named(aws, to.cluster.clone()).await
}

/// A connection that is made of a client and of something that answers AWS' requests: for whoever has both sides at hand.
/// Signatures carry the clock's time and no credentials of anybody.
pub fn over(
    kubernetes: Client,
    aws: SharedHttpClient,
    clock: Clock,
    cluster: &str,
    request_timeout: Duration,
) -> Connected {
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "nodeferry",
            "nodeferry",
            None,
            None,
            "simulated",
        )))
        .http_client(aws)
        .sleep_impl(SharedAsyncSleep::new(TokioSleep::new()))
        .time_source(SharedTimeSource::new(clock))
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().operation_timeout(request_timeout).build())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build();
    Connected {
        kubernetes,
        aws: Aws::new(&config, &Endpoints::default(), cluster),
        server: "in process".to_owned(),
        simulated: true,
        request_timeout,
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        self.now().into()
    }
}

/// What is said where nobody answered in time.
pub(super) fn silence(timeout: Duration) -> String {
    format!("no answer within {} s (see --request-timeout)", timeout.as_secs())
}

/// What a kubeconfig lets know of the EKS cluster behind it.
#[derive(Debug, Default)]
struct Names {
    cluster: Option<String>,
    region: Option<String>,
}

async fn kubernetes(to: &To) -> Result<(Config, Names), ConnectError> {
    let what = to.kubeconfig.as_ref().map_or("kubeconfig".to_owned(), |path| path.display().to_string());
    let input = |error: &dyn std::error::Error| ConnectError::Input {
        what: what.clone(),
        why: format!("{} (see --kubeconfig and --context)", errors::told(error)),
    };
    let read = match &to.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    let (mut config, names) = match read {
        Ok(file) => {
            let options = KubeConfigOptions { context: to.context.clone(), ..KubeConfigOptions::default() };
            let names = names(&file, to.context.as_deref());
            (Config::from_custom_kubeconfig(file, &options).await.map_err(|error| input(&error))?, names)
        }
        // In a pod there is none; its service account serves.
        Err(error) if to.kubeconfig.is_none() && to.context.is_none() => {
            (Config::incluster().map_err(|_| input(&error))?, Names::default())
        }
        Err(error) => return Err(input(&error)),
    };
    config.default_retry = false;
    config.connect_timeout = Some(to.request_timeout);
    config.read_timeout = Some(SILENCE);
    config.auth_info.impersonate = to.impersonate.clone().or(config.auth_info.impersonate);
    Ok((config, names))
}

/// Cluster and region from a context as `aws eks update-kubeconfig` writes it: the cluster is named by its ARN, and the user
/// runs a command that names both.
fn names(file: &Kubeconfig, context: Option<&str>) -> Names {
    let current = context.or(file.current_context.as_deref());
    let context = file.contexts.iter().find(|one| Some(one.name.as_str()) == current);
    let Some(context) = context.and_then(|one| one.context.as_ref()) else { return Names::default() };
    let mut names = Names::default();
    let arn: Vec<&str> = context.cluster.split(':').collect();
    if let ["arn", _, "eks", region, _, resource] = arn.as_slice() {
        names.region = Some((*region).to_owned());
        names.cluster = resource.strip_prefix("cluster/").map(str::to_owned);
    }
    let user = file.auth_infos.iter().find(|one| Some(one.name.as_str()) == context.user.as_deref());
    let exec = user.and_then(|one| one.auth_info.as_ref()?.exec.as_ref());
    let arguments = exec.and_then(|exec| exec.args.as_deref()).unwrap_or_default();
    let after = |flags: &[&str]| {
        let at = arguments.iter().position(|one| flags.contains(&one.as_str()))?;
        arguments.get(at + 1).cloned()
    };
    names.cluster = names.cluster.or_else(|| after(&["--cluster-name", "--cluster-id", "-i"]));
    names.region = names.region.or_else(|| after(&["--region"]));
    names
}

async fn configuration(to: &To, region: Option<String>) -> SdkConfig {
    let http =
        aws_smithy_http_client::Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(to.request_timeout)
        .operation_timeout(to.request_timeout)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .timeout_config(timeouts)
        .retry_config(RetryConfig::disabled());
    if let Some(profile) = &to.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = region {
        loader = loader.region(Region::new(region));
    }
    loader.load().await
}

/// With the EKS cluster's name: the one that is known, or the only one there is.
async fn named(mut aws: Aws, cluster: Option<String>) -> Result<Aws, ConnectError> {
    if let Some(cluster) = cluster {
        aws.cluster = cluster;
        return Ok(aws);
    }
    let clusters = aws.clusters().await.map_err(|failed| failed.unreachable("EKS, ListClusters"))?;
    match clusters.as_slice() {
        [only] => {
            aws.cluster.clone_from(only);
            Ok(aws)
        }
        [] => Err(ConnectError::Input {
            what: "EKS".to_owned(),
            why: "there is no cluster in this account and region: see --profile and --region".to_owned(),
        }),
        several => Err(ConnectError::Input {
            what: "EKS".to_owned(),
            why: format!(
                "which of the clusters {} is meant cannot be told from the kubeconfig: name it with \
                 --cluster-name",
                several.join(", ")
            ),
        }),
    }
}
