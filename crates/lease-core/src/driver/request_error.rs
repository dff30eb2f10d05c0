//! Why a request about a Lease failed.

use std::time::Duration;

use crate::rules::answer_tells_of_a_write;

/// Why a request failed, classified by what that means for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The object has changed, or exists already (409). The request was not carried out.
    #[error("the Lease is no longer in the expected state, because another client has changed it")]
    Conflict,
    /// There is no such object (404). The request was not carried out.
    #[error("there is no such Lease")]
    NotFound,
    /// The API server refused the request. It was not carried out.
    #[error("the API server refused the request ({code}): {message}")]
    Rejected {
        /// The HTTP status.
        code: u16,
        /// The message of the API server.
        message: String,
        /// The server's Retry-After.
        retry_after: Option<Duration>,
    },
    /// There was no answer, or the answer does not say whether the request was carried out. It may still be carried out later.
    #[error("it is unknown whether the request was carried out: {0}")]
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
