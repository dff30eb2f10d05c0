//! Why a request about a Lease failed.

use std::time::Duration;

use crate::rules::answer_tells_of_a_write;

/// Why a request failed, by what it means for the one who asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The object is not in the state that the request named (409). Not carried out.
    #[error("somebody else was faster: the Lease is not in the expected state any more")]
    Conflict,
    /// There is no such object. Not carried out.
    #[error("there is no such Lease")]
    NotFound,
    /// The API server said no. Not carried out.
    #[error("the API server refused the request ({code}): {message}")]
    Rejected {
        /// The HTTP status.
        code: u16,
        /// What it said.
        message: String,
        /// When it wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// No answer, or one that does not tell. It may have been carried out, and may yet be.
    #[error("nobody can tell whether the request was carried out: {0}")]
    Unknown(String),
}

pub(super) fn meaning(error: kube::Error) -> RequestError {
    let kube::Error::Api(status) = error else { return RequestError::Unknown(error.to_string()) };
    let retry_after = status.details.as_ref().map(|details| u64::from(details.retry_after_seconds));
    match status.code {
        code if !answer_tells_of_a_write(code) => RequestError::Unknown(status.message.clone()),
        409 => RequestError::Conflict,
        404 if status.details.as_ref().is_some_and(|details| details.kind == "namespaces") => {
            rejected(&status)
        }
        404 => RequestError::NotFound,
        code => RequestError::Rejected {
            code,
            message: status.message.clone(),
            retry_after: retry_after.filter(|seconds| *seconds > 0).map(Duration::from_secs),
        },
    }
}

fn rejected(status: &kube::core::Status) -> RequestError {
    RequestError::Rejected { code: status.code, message: status.message.clone(), retry_after: None }
}
