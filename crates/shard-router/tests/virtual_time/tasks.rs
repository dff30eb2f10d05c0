//! The user's tasks beside the reconciles.
#![allow(clippy::unwrap_used, reason = "a test panics with what went wrong")]

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use http::{Request, header::USER_AGENT};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{Api, Client, api::PostParams, client::Body};
use shard_router::{Action, Held, ShardedApp, TaskContext};
use tower::{Service as _, service_fn};

use crate::{
    harness::{Harness, NAMESPACE},
    widget::{Widget, create},
};

async fn write(client: Client) {
    let config_maps: Api<ConfigMap> = Api::namespaced(client, NAMESPACE);
    let _may_exist = config_maps.create(&PostParams::default(), &ConfigMap::default()).await;
}

/// The checker excuses writes by the user agent of tasks, and judges all others.
#[tokio::test(start_paused = true)]
async fn requests_of_tasks_and_of_reconciles_have_different_user_agents() {
    let harness = Harness::new().await;
    create(&harness.widgets, "w", &[]).await;
    let (writers, service) = (Arc::new(Mutex::new(BTreeSet::new())), harness.server().service());
    let noted = writers.clone();
    let client = Client::new(
        service_fn(move |request: Request<Body>| {
            if request.uri().path().ends_with("/configmaps") {
                let agent = request.headers().get(USER_AGENT).map(|agent| agent.to_str().unwrap().to_owned());
                noted.lock().unwrap().insert(agent.unwrap_or_default());
            }
            service.clone().call(request)
        }),
        NAMESPACE,
    );
    let task = |context: TaskContext| async move {
        write(context.client()).await;
        context.shutdown().await;
    };
    let options = harness.options("op-0", 1).with_product("site-operator/1.0");
    let mut app =
        ShardedApp::new(client, options).run_on_coordinator("one", task).run_on_every_replica("each", task);
    app.controller::<Widget>().run(|_: Arc<Widget>, held: Held| async move {
        write(held.client()).await;
        Ok::<_, std::convert::Infallible>(Action::await_change())
    });
    let _replica = tokio::spawn(app.run(std::future::pending()));
    let all = || async { writers.lock().unwrap().len() >= 2 };
    harness.until("a task and a reconcile to write", all).await;
    let writers = writers.lock().unwrap();
    assert!(writers.iter().any(|agent| agent.starts_with("site-operator-task/1.0 (op-0_")), "{writers:?}");
    assert!(writers.iter().any(|agent| agent.starts_with("site-operator/1.0 (op-0_")), "{writers:?}");
    assert_eq!(writers.len(), 2);
}
