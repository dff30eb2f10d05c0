//! A replica that goes by a former layout, with a key label, must not record buckets: resources may be reconciled without a record by now.

use k8s_openapi::api::coordination::v1::Lease;
use kube::{
    Api, ResourceExt,
    api::{ListParams, Patch, PatchParams},
};
use lease_core::Timings;
use serde_json::json;

use crate::{
    harness::{Harness, ID, NAMESPACE},
    layout_change::{Reconciles, delete, reconciled_by, recording},
    widget::{LABEL, create},
};

/// What that replica records on a widget that has lost its label, when nobody else is there to put it back.
pub(crate) async fn recorded() -> Option<u8> {
    let harness = Harness::new().await;
    let reconciles = Reconciles::default();
    create(&harness.widgets, "known", &[("tenant", "blue")]).await;
    let keyed = harness.options("old", 2).with_key_label("tenant".to_owned());
    let old = harness.start(keyed, recording("old", &reconciles, &harness));
    let all_by = |replica, count| std::future::ready(reconciled_by(replica, &reconciles) == count);
    harness.until("old to reconcile", || all_by("old", 1)).await;
    old.network.swallow(true);
    let leases: Api<Lease> = Api::namespaced(harness.admin(), NAMESPACE);
    for lease in leases.list(&ListParams::default()).await.expect("listed") {
        if !lease.name_any().starts_with(&format!("{ID}-member-")) {
            delete(&leases, &lease.name_any()).await;
        }
    }
    create(&harness.widgets, "named", &[("tenant", "blue")]).await;
    let new = harness.start(harness.options("new", 2), recording("new", &reconciles, &harness));
    harness.until("new to reconcile both", || all_by("new", 2)).await;
    // It cannot put the label back, whatever else it does.
    new.network.swallow_requests(true);
    old.network.refuse_lease_lists(true);
    old.network.cut();
    old.network.swallow(false);
    let strip = Patch::Merge(json!({"metadata": {"labels": {LABEL: null}}}));
    harness.widgets.patch("named", &PatchParams::default(), &strip).await.expect("stripped");
    // It leaves the widget to others for three LeaseDurations.
    harness.clock.sleep(4 * Timings::standard().lease_duration()).await;
    drop((old, new));
    harness.widgets.get("named").await.expect("there").status.and_then(|status| status.bucket)
}
