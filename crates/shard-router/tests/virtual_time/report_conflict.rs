//! The operator's report on an object that does not decode, answered with 409: the object has changed since it was seen.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use k8s_openapi::api::events::v1::Event;
use kube::{
    Api, Client, Resource, ResourceExt,
    api::{DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::ApiResource,
};
use serde_json::json;
use shard_router::{Action, Held, Reconciler, Undecodable};
use tokio::time::Instant;

use crate::{
    harness::{Harness, NAMESPACE},
    log::Log,
    widget::Widget,
};

const ODD: &str = "odd";
const TOLD: &str = "told";

/// What came of it.
pub(crate) struct Reported {
    /// The times between the attempts of the operator to say it.
    pub(crate) pauses: Vec<Duration>,
    /// How many events there are on the object.
    events: usize,
    log: String,
}

impl Reported {
    pub(crate) fn once_and_without_a_failure(&self) {
        assert_eq!(self.events, 1);
        assert!(self.log.contains("cannot be decoded"), "{}", self.log);
        assert!(!self.log.contains("could not be updated"), "{}", self.log);
    }
}

/// Why the first attempts are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Because {
    /// Somebody edits the object before each of them, and the watch shows it.
    OfAnEdit,
    /// They name a version of long ago, and nothing changes.
    OfAnOldVersion,
}

/// The first attempts, this many, are answered with 409.
pub(crate) async fn refused(attempts: usize, because: Because) -> Reported {
    let harness = Harness::new().await;
    let (log, _guard) = Log::capture();
    let widgets = widgets(harness.admin());
    let mut odd = DynamicObject::new(ODD, &ApiResource::erase::<Widget>(&()));
    odd.data = json!({"spec": {"size": "large"}});
    widgets.create(&PostParams::default(), &odd).await.expect("the definition takes anything");
    let other_hand = widgets.clone();
    let reports =
        Reports { first: attempts, because, other_hand, at: Arc::default(), refused: Arc::default() };
    let (at, refused) = (reports.at.clone(), reports.refused.clone());
    let _replica = harness.start(harness.options("op-0", 2), reports);
    let is_told = || async { widgets.get(ODD).await.expect("the widget").annotations().contains_key(TOLD) };
    harness.until("the widget to say that it does not decode", is_told).await;
    assert_eq!(*refused.lock().expect("no panic"), attempts, "so many answers were 409");
    let events: Api<Event> = Api::namespaced(harness.admin(), NAMESPACE);
    let events = events.list(&ListParams::default()).await.expect("events").items;
    let on_odd = |event: &&Event| event.regarding.as_ref().is_some_and(|on| on.name.as_deref() == Some(ODD));
    let at = at.lock().expect("no panic");
    Reported {
        pauses: at[..=attempts].windows(2).map(|pair| pair[1] - pair[0]).collect(),
        events: events.iter().filter(on_odd).count(),
        log: log.text(),
    }
}

fn widgets(client: Client) -> Api<DynamicObject> {
    Api::namespaced_with(client, NAMESPACE, &ApiResource::erase::<Widget>(&()))
}

struct Reports {
    first: usize,
    because: Because,
    other_hand: Api<DynamicObject>,
    at: Arc<Mutex<Vec<Instant>>>,
    refused: Arc<Mutex<usize>>,
}

impl Reconciler<Widget> for Reports {
    type Error = Infallible;

    async fn reconcile(&self, _: Arc<Widget>, _: Held) -> Result<Action, Infallible> {
        Ok(Action::await_change())
    }

    async fn report_undecodable(&self, object: &Undecodable, client: Client) -> Result<(), kube::Error> {
        let mut version = object.metadata().resource_version.clone();
        if object.metadata().annotations.as_ref().is_some_and(|all| all.contains_key(TOLD)) {
            return Ok(());
        }
        let attempt = {
            let mut at = self.at.lock().expect("no panic");
            at.push(Instant::now());
            at.len()
        };
        if attempt <= self.first && self.because == Because::OfAnOldVersion {
            version = Some("1".to_owned());
        } else if attempt <= self.first {
            let edit = json!({"metadata": {"annotations": {"edit": attempt.to_string()}}});
            self.other_hand.patch(ODD, &PatchParams::default(), &Patch::Merge(edit)).await?;
        }
        let tell = json!({
            "apiVersion": Widget::api_version(&()), "kind": Widget::kind(&()),
            "metadata": {"resourceVersion": version, "annotations": {TOLD: "yes"}},
        });
        let answer = widgets(client).patch(ODD, &PatchParams::default(), &Patch::Merge(tell)).await;
        if matches!(&answer, Err(kube::Error::Api(status)) if status.code == 409) {
            *self.refused.lock().expect("no panic") += 1;
        }
        answer.map(drop)
    }
}
