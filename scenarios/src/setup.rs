//! From files and settings to a world at the start of its run: the one way that the command line, tests and benchmarks
//! share. What had to be assumed on the way is told; nothing is assumed silently.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
    time::Duration,
};

use loadgen::{
    chance::Seed,
    traffic_file::{TrafficError, TrafficFile},
};
use migrator::request::Request;
use serde_saphyr::SnippetMode;
use simulator::{
    import::{
        Cluster, ImportError,
        aws::{self, AwsFile, AwsState, LoadBalancerDefaults, Protocol},
    },
    parameters::{Class, Parameters},
    world::{BuildError, World},
};

/// Largest traffic file, in bytes: 16 MiB. Large enough for an entry for each of 50,000 Services, small enough that a
/// mistaken path is refused before it is read.
pub const TRAFFIC_FILE_BYTES_MAX: u64 = 16 << 20;

/// A world at the start of its run, and what had to be assumed to make it.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The world.
    pub world: World,
    /// What neither file says and was assumed, or does not fit together; one sentence each.
    pub assumed: Vec<String>,
    /// Parameters that were set by name and that a file or an annotation overrules; one sentence each.
    pub overruled: Vec<String>,
}

/// Why no world could be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The AWS side cannot be completed.
    #[error(transparent)]
    Aws(#[from] ImportError),
    /// An object means nothing. Boxed: results should not be as large as their rarest part.
    #[error(transparent)]
    Build(Box<BuildError>),
}

/// Why a traffic file is refused.
#[derive(Debug, thiserror::Error)]
pub enum TrafficFileError {
    /// It cannot be opened or read.
    #[error("{file}: cannot be read: check the path and its permissions")]
    Unreadable {
        /// The file.
        file: String,
        /// What the operating system says.
        #[source]
        cause: io::Error,
    },
    /// More than [`TRAFFIC_FILE_BYTES_MAX`].
    #[error(
        "{file}: is larger than {TRAFFIC_FILE_BYTES_MAX} bytes: name the file that describes the traffic"
    )]
    TooLarge {
        /// The file.
        file: String,
    },
    /// No YAML, or not of the shape of a traffic file.
    #[error("{place}: {what}")]
    Malformed {
        /// File, line and column.
        place: String,
        /// What is wrong there.
        what: String,
    },
    /// Well-formed, but it says something that cannot be.
    #[error("{file}: {fault}")]
    Fault {
        /// The file.
        file: String,
        /// What cannot be.
        fault: TrafficError,
    },
}

/// Makes the world of an export: the AWS side completed, every parameter of a class in `draw` drawn from the seed unless
/// it was set by name.
///
/// What the AWS file says wins over annotations, annotations win over parameters.
///
/// # Errors
///
/// If the AWS file has a value that AWS would not accept, or an object cannot be understood.
pub fn setup(
    cluster: &Cluster,
    aws: Option<AwsFile>,
    parameters: &Parameters,
    draw: &[Class],
    seed: Seed,
) -> Result<Setup, SetupError> {
    let mut drawn = *parameters;
    for &class in draw {
        drawn.draw(seed, class);
    }
    let (state, mut assumed) = aws::complete(aws, cluster, &load_balancer_defaults(&drawn, draw))?;
    assumed.splice(0..0, cluster.notes.iter().cloned());
    let overruled = overruled(parameters, &state);
    let world =
        World::new(cluster, &state, drawn, seed).map_err(|error| SetupError::Build(Box::new(error)))?;
    Ok(Setup { world, assumed, overruled })
}

impl Setup {
    /// Notes which of the types that are asked for are not known, so that their nodes get a guessed size.
    pub fn note_instance_types(&mut self, request: &Request) {
        let unknown = request.instance_types.iter().filter(|name| !self.world.knows_instance_type(name));
        self.assumed.extend(unknown.map(|name| {
            format!("instance type {name} is not known: its nodes are given the room of an m5.large")
        }));
    }
}

/// What load balancers do where neither a file nor an annotation says it.
///
/// Whether zones share targets is left to the controllers unless somebody asked for something else: their default is
/// not that of AWS, and an explicit `false` would hide the difference.
fn load_balancer_defaults(parameters: &Parameters, draw: &[Class]) -> LoadBalancerDefaults {
    let asked = parameters.is_set("nlb.cross_zone") || draw.contains(&Class::Configuration);
    LoadBalancerDefaults {
        tcp_idle: Duration::from_millis(parameters.nlb_tcp_idle),
        deregistration_delay: Duration::from_millis(parameters.nlb_dereg_delay),
        deregistration_cut: parameters.nlb_dereg_cut,
        unhealthy_cut: parameters.nlb_unhealthy_cut,
        unhealthy_interval: Duration::from_millis(parameters.nlb_unhealthy_interval),
        cross_zone: asked.then_some(parameters.nlb_cross_zone),
    }
}

/// Parameters that were set by name although a load balancer says otherwise.
fn overruled(parameters: &Parameters, state: &AwsState) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |name: &str, is: String, whose: &dyn Fn() -> String| {
        let Some(set) = parameters.value(name).filter(|_| parameters.is_set(name)) else { return };
        if set != is {
            found.push(format!("{name}={set} does not apply to {}, which says {is}", whose()));
        }
    };
    let span = loadgen::duration::format;
    for group in &state.target_groups {
        let whose = || match &group.service {
            Some((namespace, name)) => format!("Service {namespace}/{name}"),
            None => format!("target group {}", group.name),
        };
        let attributes = &group.attributes;
        compare("nlb.dereg_delay", span(attributes.deregistration_delay), &whose);
        if group.protocol != Protocol::Udp {
            compare("nlb.dereg_cut", attributes.deregistration_connection_termination.to_string(), &whose);
        }
        compare("nlb.unhealthy_cut", attributes.unhealthy_connection_termination.to_string(), &whose);
        compare("nlb.unhealthy_interval", span(attributes.unhealthy_draining_interval), &whose);
        let balancer = state
            .load_balancers
            .iter()
            .find(|balancer| balancer.service.is_some() && balancer.service == group.service);
        if let Some(cross_zone) = attributes.cross_zone.or(balancer.map(|balancer| balancer.cross_zone)) {
            compare("nlb.cross_zone", cross_zone.to_string(), &whose);
        }
    }
    for balancer in &state.load_balancers {
        for listener in balancer.listeners.iter().filter(|listener| listener.protocol == Protocol::Tcp) {
            compare("nlb.tcp_idle", span(listener.idle_timeout), &|| match &balancer.service {
                Some((namespace, name)) => format!("Service {namespace}/{name}"),
                None => format!("load balancer {}", balancer.name),
            });
        }
    }
    // One sentence for each Service, however many ports it has.
    let mut seen = std::collections::BTreeSet::new();
    found.retain(|sentence| seen.insert(sentence.clone()));
    found
}

/// Reads a traffic file.
///
/// # Errors
///
/// If it cannot be read, is too large, is not YAML of that shape, or says something that cannot be.
pub fn read_traffic(path: &Path) -> Result<TrafficFile, TrafficFileError> {
    let file = path.display().to_string();
    let unreadable = |cause| TrafficFileError::Unreadable { file: file.clone(), cause };
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(unreadable)?
        .take(TRAFFIC_FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > TRAFFIC_FILE_BYTES_MAX {
        return Err(TrafficFileError::TooLarge { file });
    }
    parse_traffic(&file, &bytes)
}

/// Reads the text of a traffic file. `name` is what errors call it.
///
/// # Errors
///
/// As [`read_traffic`].
pub fn parse_traffic(name: &str, bytes: &[u8]) -> Result<TrafficFile, TrafficFileError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count() + 1;
        TrafficFileError::Malformed { place: format!("{name}:{line}"), what: "is not UTF-8 text".into() }
    })?;
    let file: TrafficFile = serde_saphyr::from_str(text).map_err(|error| {
        let place = error.location().map_or_else(
            || name.to_owned(),
            |location| format!("{name}:{}:{}", location.line(), location.column()),
        );
        let told = error.render_with_options(serde_saphyr::render_options! { snippets: SnippetMode::Off });
        // The place stands in front already.
        let what = told.rfind(" at line ").map_or(told.as_str(), |end| &told[..end]).to_owned();
        TrafficFileError::Malformed { place, what }
    })?;
    file.validate().map_err(|fault| TrafficFileError::Fault { file: name.to_owned(), fault })?;
    Ok(file)
}

#[cfg(test)]
mod tests;
