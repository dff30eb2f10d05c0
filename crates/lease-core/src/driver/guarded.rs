//! Tasks without which leader election does not work.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;

use super::options::OnOverrun;

/// Runs a task without which leader election does not work. After a panic of such a task, Leases could be renewed for unsupervised work, or never be
/// released, so the process ends, as on an overrun.
pub(super) async fn ending_the_process_on_panic(
    what: &'static str,
    on_overrun: OnOverrun,
    task: impl Future<Output = ()>,
) {
    if AssertUnwindSafe(task).catch_unwind().await.is_err() {
        on_overrun.act(&format!("{what} has panicked, which is a bug; this process must end, because it can no longer manage its Leases"));
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
