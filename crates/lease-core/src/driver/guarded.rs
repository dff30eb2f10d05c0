//! Tasks that elections cannot do without.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;

use super::options::OnOverrun;

/// Runs a task that elections cannot do without. Where it panics, Leases would be renewed for work that nobody watches over, or be kept
/// without end, so the process ends as on an overrun.
pub(super) async fn ending_the_process_on_panic(
    what: &'static str,
    on_overrun: OnOverrun,
    task: impl Future<Output = ()>,
) {
    if AssertUnwindSafe(task).catch_unwind().await.is_err() {
        on_overrun.act(&format!("{what} has panicked, which is a bug; this process has to end, as it can no longer keep its Leases"));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parking_lot::Mutex;

    use super::*;

    #[tokio::test]
    async fn a_panic_ends_the_process_and_an_end_does_not() {
        let said = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&said);
        let on_overrun = OnOverrun::Call(Arc::new(move |message| log.lock().push(message.to_owned())));
        ending_the_process_on_panic("a candidate", on_overrun.clone(), async {}).await;
        assert_eq!(said.lock().len(), 0);
        ending_the_process_on_panic("a candidate", on_overrun, async { panic!("as the test wants it") })
            .await;
        assert!(said.lock()[0].starts_with("a candidate has panicked"), "{said:?}");
    }
}
