//! How long the API server decides by the table that it saw before.

use std::time::{Duration, Instant};

use kube::{
    Api,
    api::{Patch, PatchParams},
};
use kube_testkit::eventually;
use serde_json::json;

use crate::{
    installation::{DEADLINE, Installation, bucket, refusal},
    widget::{LABEL, Widget, create},
};

/// The time is printed and not judged: it depends on the machine.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_owner_is_admitted_and_the_old_one_refused_after_each_handover() {
    const HANDOVERS: u64 = 60;
    let Some(at) = Installation::new().await else { return };
    let pair = [at.replica("pod-a").await, at.replica("pod-b").await];
    create(&at.api(&at.env.admin()), "w", &[(LABEL, "7")]).await;
    // As many rows as there can be.
    let rows: Vec<_> = (0..=255).map(|number| (bucket(number), pair[0].row(1))).collect();
    at.table(&rows).await;
    at.install(&at.policy().objects().unwrap()).await;
    let write = async |nth: usize| {
        let widgets: Api<Widget> = at.api(&pair[nth].client);
        let patch = Patch::Merge(json!({"metadata": {"annotations": {"by": nth.to_string()}}}));
        widgets.patch("w", &PatchParams::default(), &patch).await.map(drop)
    };
    at.refuses("a write of the other Pod", || write(1)).await;

    let (mut lags, mut answers) = (Vec::new(), Vec::new());
    for handover in 1..=HANDOVERS {
        let [new, old] = if handover % 2 == 1 { [1, 0] } else { [0, 1] };
        at.claim(&pair[new], &[(bucket(7), pair[new].row(1 + handover))]).await.unwrap();
        let written = Instant::now();
        loop {
            let sent = written.elapsed();
            if refusal(&write(new).await).is_none() {
                // The first that is admitted was sent then.
                lags.push(sent);
                answers.push(written.elapsed());
                break;
            }
            assert!(written.elapsed() < DEADLINE, "the new owner is still refused");
        }
        eventually("the old owner to be refused", DEADLINE, || async {
            refusal(&write(old).await).map(drop)
        })
        .await;
    }
    lags.sort();
    answers.sort();
    // The first attempt is sent within microseconds.
    let at_once = lags.iter().filter(|lag| **lag < Duration::from_millis(1)).count();
    println!(
        "a new owner's first write that was admitted was its first one in {at_once} of {} handovers; it was sent at most {:?} after the row was written",
        lags.len(),
        lags[lags.len() - 1]
    );
    println!(
        "from the row to the answer to that write: median {:?}, largest {:?}",
        answers[answers.len() / 2],
        answers[answers.len() - 1]
    );
}
