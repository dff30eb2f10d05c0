//! Errors of requests as people read them: what the API server said, without the debug print around it.

use kube::runtime::watcher;

/// What went wrong with a request.
pub(crate) fn of_request(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => of_status(status),
        other => other.to_string(),
    }
}

/// What went wrong with a watch, or with the list that it begins with.
pub(crate) fn of_watch(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error) => format!("the list failed: {}", of_request(error)),
        watcher::Error::WatchStartFailed(error) => format!("it could not be started: {}", of_request(error)),
        watcher::Error::WatchError(status) => of_status(status),
        watcher::Error::WatchFailed(error) => of_request(error),
        other @ watcher::Error::NoResourceVersion => other.to_string(),
    }
}

fn of_status(status: &kube::core::Status) -> String {
    let said = if status.message.is_empty() { &status.reason } else { &status.message };
    format!("{said} ({})", status.code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_api_server_are_left_and_nothing_else() {
        let status = || {
            let json = serde_json::json!({"status": "Failure", "message": "leases is forbidden", "reason": "Forbidden", "code": 403});
            serde_json::from_value::<kube::core::Status>(json).unwrap()
        };
        assert_eq!(of_request(&kube::Error::Api(Box::new(status()))), "leases is forbidden (403)");
        let list = watcher::Error::InitialListFailed(kube::Error::Api(Box::new(status())));
        assert_eq!(of_watch(&list), "the list failed: leases is forbidden (403)");
        let silent =
            watcher::Error::WatchError(Box::new(kube::core::Status { message: String::new(), ..status() }));
        assert_eq!(of_watch(&silent), "Forbidden (403)");
    }
}
