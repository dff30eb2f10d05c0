//! Connections that die without a reset, while new ones work.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use kube::{Api, ResourceExt};
use kube_testkit::{TestUser, eventually};
use lease_core::Timings;
use shard_router::{Action, Held};

use crate::{
    fleet::{DEADLINE, Fleet},
    widget::{Widget, create},
};

const WIDGETS: usize = 8;
const AGAIN: Duration = Duration::from_secs(1);
/// A request that meets a dead connection takes its limit of 30 s, and the next one may meet another.
const RECOVERY: Duration = Duration::from_secs(180);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reconciles_on_dead_connections_are_given_up_and_made_again() {
    let Some(fleet) = Fleet::new("the connections to it are frozen").await else { return };
    let proxy = fleet.env.proxy().unwrap();
    for n in 0..WIDGETS {
        create(&fleet.widgets, &format!("w{n}"), &[]).await;
    }
    // How many reconciles of each have had an answer.
    let answered: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let (counts, namespace) = (answered.clone(), fleet.env.namespace().to_owned());
    let reconcile = move |widget: Arc<Widget>, held: Held| {
        let (counts, widgets) = (counts.clone(), Api::<Widget>::namespaced(held.client(), &namespace));
        async move {
            let name = widget.name_any();
            widgets.get(&name).await?;
            *counts.lock().unwrap().entry(name).or_default() += 1;
            Ok::<_, kube::Error>(Action::requeue(AGAIN))
        }
    };
    let mut options = fleet.options("pod-a", 4);
    // Long enough for the holds to outlast the Lease requests that meet dead connections too.
    options.elections.timings = Timings::default();
    let config = fleet.env.config_via(&proxy, &TestUser::admin());
    let replica = Fleet::assemble(Fleet::app_by(config, options), reconcile);
    let every_widget_beyond = |before: BTreeMap<String, usize>| {
        let answered = answered.clone();
        move || {
            let now = answered.lock().unwrap().clone();
            let beyond = |(name, count): (&String, &usize)| count > before.get(name).unwrap_or(&0);
            let all = now.len() == WIDGETS && now.iter().all(beyond);
            std::future::ready(all.then_some(()))
        }
    };
    eventually("all widgets to be reconciled", DEADLINE, every_widget_beyond(BTreeMap::new())).await;

    proxy.freeze_connections();
    let before = answered.lock().unwrap().clone();
    let frozen = std::time::Instant::now();
    eventually("all widgets to be reconciled again", RECOVERY, every_widget_beyond(before)).await;
    println!("recovered after {:?}", frozen.elapsed());
    proxy.resume();
    replica.terminate().await;
}
