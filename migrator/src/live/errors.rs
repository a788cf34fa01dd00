//! What a failed request means: decide again, try later, give up, or read what became of it.

use std::{error::Error, fmt::Write as _, time::Duration};

use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::action::Answer;

/// How long a server that is too busy, or credentials that have run out, are left alone where it says nothing itself.
const LATER: Duration = Duration::from_secs(5);

/// A request that did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// What follows from it.
    pub answer: Answer,
    /// In the server's words.
    pub why: String,
}

/// A cluster or an account that does not answer, or that does not let us in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Unreachable {
    /// What was asked.
    pub what: String,
    /// In the words of the server or of the connection.
    pub why: String,
}

impl Failed {
    /// As an error that ends a command.
    pub fn unreachable(self, what: impl Into<String>) -> Unreachable {
        Unreachable { what: what.into(), why: self.why }
    }
}

/// What the Kubernetes API server or the way to it says.
pub(super) fn kubernetes(error: &kube::Error) -> Failed {
    let kube::Error::Api(status) = error else {
        let why = told(error);
        return match error {
            // Nothing was sent: an exec plugin or a token file failed, which may pass.
            kube::Error::Auth(_) => Failed { answer: Answer::RetryLater(LATER), why },
            kube::Error::BuildRequest(_) | kube::Error::HttpError(_) => {
                Failed { answer: Answer::Refused(why.clone()), why }
            }
            _ => Failed { answer: Answer::Unknown, why },
        };
    };
    let why = format!("{}: {}", status.reason, status.message);
    let after = status.details.as_ref().map_or(0, |details| details.retry_after_seconds);
    let later = if after > 0 { Duration::from_secs(u64::from(after)) } else { LATER };
    let answer = match status.code {
        409 => Answer::Conflict,
        404 | 410 => Answer::NotFound,
        // Credentials are renewed by themselves, or by somebody.
        401 | 429 => Answer::RetryLater(later),
        // A pod that two budgets select, which no second try changes. Source: `registry/core/pod/rest/eviction.go`.
        500 if status.message.contains("more than one PodDisruptionBudget") => Answer::Refused(why.clone()),
        500.. => Answer::Unknown,
        _ => Answer::Refused(why.clone()),
    };
    Failed { answer, why }
}

/// What an AWS service or the way to it says.
pub(super) fn aws<E>(error: &SdkError<E, HttpResponse>) -> Failed
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let SdkError::ServiceError(refused) = error else {
        let why = told(error);
        let answer = match error {
            SdkError::ConstructionFailure(_) => Answer::Refused(why.clone()),
            _ => Answer::Unknown,
        };
        return Failed { answer, why };
    };
    let code = refused.err().code().unwrap_or_default();
    let why = format!("{code}: {}", refused.err().message().unwrap_or_default());
    // Sources: error lists of the EKS, EC2, Auto Scaling and Elastic Load Balancing APIs.
    let answer = match code {
        "ResourceNotFoundException"
        | "InvalidLaunchTemplateName.NotFoundException"
        | "InvalidLaunchTemplateId.NotFound" => Answer::NotFound,
        "InvalidLaunchTemplateName.AlreadyExistsException" => Answer::Conflict,
        "Throttling"
        | "ThrottlingException"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "ScalingActivityInProgress"
        | "ResourceContention" => Answer::RetryLater(LATER),
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" | "InvalidClientTokenId" => {
            Answer::RetryLater(LATER)
        }
        _ if refused.raw().status().as_u16() >= 500 => Answer::Unknown,
        _ => Answer::Refused(why.clone()),
    };
    Failed { answer, why }
}

/// An error with its causes, each once.
pub(super) fn told(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(one) = cause {
        let words = one.to_string();
        if !text.contains(&words) {
            let _ = write!(text, ": {words}");
        }
        cause = one.source();
    }
    text
}

#[cfg(test)]
mod tests;
