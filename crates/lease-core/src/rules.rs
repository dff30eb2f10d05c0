//! Rules of the driver that more than one part goes by, as named functions with their deliberate faults beside them. Those of the
//! protocol are still in [`elector`](crate::elector).
//!
//! A fault exists only with the feature `mutants`; without it, [`broken!`] compiles to nothing.

/// Returns from the rule with a wrong answer, where a test has switched this fault on.
macro_rules! broken {
    ($fault:ident => $wrong:expr) => {
        #[cfg(feature = "mutants")]
        if crate::mutants::active(crate::mutants::Mutant::$fault) {
            return $wrong;
        }
    };
}
pub(crate) use broken;

/// Whether the answer to a write tells if it was carried out: with a success it was, with a refusal it was not, and will not be.
///
/// 408 and 499 are timeouts, and of a 5xx nobody knows how far it got: etcd may still commit what the API server no longer waits for.
/// A redirect is none of the API server's own answers, so whoever sent it may have passed the request on.
pub(crate) fn answer_tells_of_a_write(status: u16) -> bool {
    matches!(status, 200..=299 | 400..=407 | 409..=498)
}

/// For how long the answer to a request is waited for: a connection that died without a word never answers.
pub(crate) fn request_limit(limit: std::time::Duration) -> Option<std::time::Duration> {
    broken!(NoRequestLimit => None);
    Some(limit)
}
