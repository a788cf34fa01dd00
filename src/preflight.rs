//! `nodeferry preflight`: what would go wrong with a migration. And what every migration begins with: request, findings.

use anyhow::{Result, bail};
use scenarios::{
    Finding, LetGo, Request, Settings,
    findings::{self as found, Expectations},
    shell::{review, shell::Shell},
    view::ObjectName,
};
use serde_json::json;

use crate::{
    arguments::{
        Color, Format,
        cluster::{LetGoName, Migration, Preflight},
    },
    exit::Exit,
    findings,
    output::{BOLD, print, styled},
    plan,
    progress::Progress,
    session::{self, Session},
};

/// Runs the command.
pub(crate) fn run(asked: &Preflight, color: Color) -> Result<Exit> {
    let request = request(&asked.migration)?;
    session::run(&asked.connection, async |session| {
        let mut progress = Progress::new(color, None)?;
        let mut tell = progress.tell();
        let mut shell = session.open(&mut *tell).await?;
        let found = look(session, &request, &mut shell).await?;
        let blocking = !found::blocking(&found, &request.accept).is_empty();
        match asked.output {
            Format::Text if found.is_empty() => print("No findings.\n", color)?,
            Format::Text => {
                let title = styled(BOLD, format_args!("Findings, {} to {}", request.from, request.to));
                print(&format!("{title}\n{}", findings::text(&found, &request.accept)), color)?;
            }
            Format::Json => {
                let told = found.iter().map(|one| {
                    json!({
                        "code": one.code.id(),
                        "severity": one.severity.name(),
                        "object": one.object,
                        "reason": one.reason,
                        "fix": one.fix,
                        "accepted": request.accept.contains(one.code.id()),
                    })
                });
                let told = json!({ "blocking": blocking, "findings": told.collect::<Vec<_>>() });
                print(&format!("{}\n", serde_json::to_string_pretty(&told)?), color)?;
            }
        }
        Ok(if blocking { Exit::Refused } else { Exit::Held })
    })
}

/// The migration that the flags ask for.
pub(crate) fn request(asked: &Migration) -> Result<Request> {
    let (Some(from), Some(to)) = (&asked.moving.from, &asked.moving.to) else {
        bail!("name the group to leave with --from, and the one to move to with --to");
    };
    let settings = Settings {
        soak: asked.soak,
        patience: asked.drain_timeout,
        let_go: match asked.let_go {
            LetGoName::During => LetGo::During,
            LetGoName::Before => LetGo::Before,
        },
        ..Settings::default()
    };
    Ok(Request { settings, ..asked.moving.request(from, to)? })
}

/// What a cluster shows that a migration has to reckon with, and what it would be refused.
pub(crate) async fn look(
    session: &Session,
    request: &Request,
    shell: &mut Shell<'_>,
) -> Result<Vec<Finding>> {
    shell.survey().await;
    if let Some(error) = found::request_errors(request, shell.view()).into_iter().next() {
        return Err(findings::misfit(&error));
    }
    let plan = plan::made(session, request, shell);
    let review = Some(review::review(&session.connected, &plan).await);
    Ok(found::findings(
        request,
        shell.view(),
        &Expectations { review, own_pod: own_pod(), ..Expectations::default() },
    ))
}

/// The pod that this process runs in: by the downward API where the pod's specification asks for it, else by the host name,
/// which is the pod's, and the namespace of its service account. Source: Kubernetes documentation, "Downward API",
/// "Accessing the Kubernetes API from a Pod".
fn own_pod() -> Option<ObjectName> {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let file = |path: &str| std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let account = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
    let namespace = named("POD_NAMESPACE").or_else(|| file(account))?;
    let name = named("POD_NAME").or_else(|| file("/proc/sys/kernel/hostname"))?;
    Some(ObjectName { namespace: namespace.into(), name: name.into() })
}
