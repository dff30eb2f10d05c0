//! The `timeout` query parameter: how long the API server may work on a request.

use std::time::Duration;

use http::{Request, Uri};

/// Adds `timeout=<milliseconds>ms`, unless the request is long-running or sets a timeout itself.
pub(super) fn limit<B>(request: &mut Request<B>, remaining: Duration) {
    // The server caps it at its own request timeout, a minute by default; so there is no need to set more.
    if remaining > Duration::from_mins(1) || runs_long(request.uri()) || has(request.uri(), "timeout") {
        return;
    }
    let millis = remaining.as_millis().max(1);
    let separator = if request.uri().query().is_some() { '&' } else { '?' };
    let extended = format!("{}{separator}timeout={millis}ms", request.uri());
    if let Ok(uri) = extended.parse::<Uri>() {
        *request.uri_mut() = uri;
    }
}

/// Whether the API server itself exempts the request from its timeout: watches, and subresources that stream.
pub(super) fn runs_long(uri: &Uri) -> bool {
    let watches =
        pairs(uri).any(|(name, value)| matches!(name, "watch" | "follow") && !matches!(value, "false" | "0"));
    let last = uri.path().rsplit('/').next().unwrap_or_default();
    watches || matches!(last, "exec" | "attach" | "portforward" | "proxy" | "log")
}

fn has(uri: &Uri, parameter: &str) -> bool {
    pairs(uri).any(|(name, _)| name == parameter)
}

fn pairs(uri: &Uri) -> impl Iterator<Item = (&str, &str)> {
    uri.query().unwrap_or_default().split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limited(uri: &str, remaining: Duration) -> String {
        let mut request = Request::get(uri).body(()).unwrap();
        limit(&mut request, remaining);
        request.uri().to_string()
    }

    #[test]
    fn every_ordinary_request_says_how_long_it_may_take() {
        let left = Duration::from_micros(2_500_900);
        assert_eq!(limited("/api/v1/pods", left), "/api/v1/pods?timeout=2500ms");
        assert_eq!(limited("/api/v1/pods?limit=5", left), "/api/v1/pods?limit=5&timeout=2500ms");
        assert_eq!(limited("/a", Duration::from_nanos(1)), "/a?timeout=1ms");
    }

    #[test]
    fn what_runs_long_or_has_its_own_limit_is_left_alone() {
        let left = Duration::from_secs(2);
        for uri in ["/a?watch=true", "/a?watch=1&x=y", "/pods/p/exec?command=x", "/a?timeout=1s"] {
            assert_eq!(limited(uri, left), uri);
        }
        assert_eq!(limited("/a", Duration::MAX), "/a");
        assert_eq!(limited("/a?watch=false", left), "/a?watch=false&timeout=2000ms");
    }
}
