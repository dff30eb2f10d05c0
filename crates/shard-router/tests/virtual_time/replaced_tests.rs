//! A committed layout is replaced because the key label has changed: nobody works on a resource beside a replica with the former settings.

use std::time::Duration;

use lease_core::Timings;

use crate::replaced;

/// From the end of one reconcile to the begin of the next: former holders end, everybody acknowledges, and buckets are recorded.
const UNDISTURBED: Duration = Duration::from_secs(3);

#[tokio::test(start_paused = true)]
async fn a_rolling_update_changes_the_key_label() {
    replaced::by_a_rolling_update().await.check_owners(UNDISTURBED);
}

/// Its Leases have to expire.
#[tokio::test(start_paused = true)]
async fn nothing_starts_beside_a_former_holder_that_is_cut_off() {
    replaced::while_a_holder_is_cut_off()
        .await
        .check_owners(Timings::standard().takeover_bound() + UNDISTURBED);
}

#[tokio::test(start_paused = true)]
async fn a_new_resource_gets_its_bucket_when_the_layout_is_settled() {
    assert!(!replaced::stamps_before_it_is_settled().await);
}

#[tokio::test(start_paused = true)]
async fn a_layout_is_not_replaced_unasked() {
    assert_eq!(replaced::unasked().await, 1);
}
