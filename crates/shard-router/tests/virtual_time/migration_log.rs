//! What the page on migration from controller-runtime says that the log says.

use std::{convert::Infallible, path::Path, sync::Arc, time::Duration};

use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, api::PostParams};
use serde_json::json;
use shard_router::{Action, Held};

use crate::{
    harness::{Harness, ID, NAMESPACE},
    log::Log,
    widget::Widget,
};

#[tokio::test(start_paused = true)]
async fn the_log_has_what_the_page_on_controller_runtime_looks_for() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/migration/from-controller-runtime.md");
    let page = std::fs::read_to_string(page).unwrap();
    let command = page.lines().find(|line| line.starts_with("kubectl logs ")).expect("a command");
    let part = command.split('"').nth(1).expect("what is looked for");

    let harness = Harness::new().await;
    let (log, _guard) = Log::capture();
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    let lease = json!({"metadata": {"name": ID}, "spec": {
        "holderIdentity": "my-operator-0_1", "leaseDurationSeconds": 3600, "leaseTransitions": 1,
        "acquireTime": "2026-01-01T00:00:00.000000Z", "renewTime": "2026-01-01T00:00:00.000000Z",
    }});
    leases.create(&PostParams::default(), &serde_json::from_value(lease).unwrap()).await.unwrap();
    let _replica = harness.start(harness.options("op-0", 4), |_: Arc<Widget>, _: Held| async {
        Ok::<_, Infallible>(Action::await_change())
    });
    harness.clock.sleep(Duration::from_secs(30)).await;
    let text = log.text();
    let line =
        text.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part:?} is not in {text}"));
    assert!(line.contains("my-operator-0_1"), "it says for whom: {line}");
}
