//! Clients of the memcached servers: a Pod that sets and gets through a drill, and tells of every error.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, LogParams, PostParams};
use kube::{Api, Client};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::resources::NAMESPACE;
use crate::wait::{WaitStatus, until};

/// A client that runs.
pub(crate) struct Traffic {
    pods: Api<Pod>,
    name: String,
}

/// What a client has seen.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Answers {
    pub(crate) sets: u64,
    pub(crate) gets: u64,
    pub(crate) errors: Vec<ClientError>,
}

/// One error of a client.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ClientError {
    /// Seconds of the machine's boot clock.
    pub(crate) uptime: f64,
    pub(crate) target: String,
    pub(crate) step: String,
    pub(crate) text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Totals { sets: u64, gets: u64, errors: u64 },
    Error(ClientError),
}

impl Traffic {
    /// Starts a client for these servers, each `<pod>.<service>`, and returns when every first answer has come.
    pub(crate) async fn start(client: &Client, image: &str, drill: &str, servers: &[String]) -> Result<Self> {
        let name = format!("client-{drill}");
        let targets: Vec<_> =
            servers.iter().map(|server| format!("{server}.{NAMESPACE}.svc:11211")).collect();
        let traffic = Self { pods: Api::namespaced(client.clone(), NAMESPACE), name: name.clone() };
        traffic.remove().await?;
        let pod = serde_json::from_value(json!({
            "metadata": {"name": name, "labels": {"app": "e2e-client"}},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": false,
                "terminationGracePeriodSeconds": 0,
                // The drills take workers away; the client has to see what that does to the servers. Where there is
                // no other node to go to, as with most providers, it stays where it can.
                "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100,
                    "preference": {"matchExpressions": [
                        {"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]}}]}},
                "tolerations": [{"operator": "Exists"}],
                "containers": [{
                    "name": "client", "image": image, "imagePullPolicy": "IfNotPresent", "args": targets,
                    "securityContext": {"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
                        "runAsNonRoot": true, "runAsUser": 65532, "capabilities": {"drop": ["ALL"]},
                        "seccompProfile": {"type": "RuntimeDefault"}},
                }],
            },
        }))?;
        traffic
            .pods
            .create(&PostParams::default(), &pod)
            .await
            .context("the memcached client could not be started")?;
        until("the memcached client to get an answer", Duration::from_secs(120), || async {
            let answers = traffic.answers().await?;
            let wanted = targets.len() as u64;
            Ok(WaitStatus::when(answers.gets >= wanted, || format!("{} answers so far", answers.gets)))
        })
        .await?;
        Ok(traffic)
    }

    /// What it has seen so far.
    pub(crate) async fn answers(&self) -> Result<Answers> {
        let log = self
            .pods
            .logs(&self.name, &LogParams::default())
            .await
            .context("the client's log cannot be read")?;
        let mut answers = Answers::default();
        let mut counted = 0;
        for line in log.lines() {
            match serde_json::from_str(line) {
                Ok(Line::Totals { sets, gets, errors }) => {
                    (answers.sets, answers.gets, counted) = (sets, gets, errors);
                }
                Ok(Line::Error(error)) => answers.errors.push(error),
                Err(error) => bail!("the client printed {line:?}, which cannot be read ({error})"),
            }
        }
        if (answers.errors.len() as u64) < counted {
            bail!("the client counted {counted} errors, and only {} are in its log", answers.errors.len());
        }
        Ok(answers)
    }

    /// Ends it.
    pub(crate) async fn finish(self) -> Result<Answers> {
        let answers = self.answers().await?;
        self.remove().await?;
        Ok(answers)
    }

    async fn remove(&self) -> Result<()> {
        // It need not be there.
        let _ = self.pods.delete(&self.name, &DeleteParams::default().grace_period(0)).await;
        until("the last memcached client to be gone", Duration::from_secs(60), || async {
            let there = self.pods.get_opt(&self.name).await?.is_some();
            Ok(WaitStatus::when(!there, || "it is still there".to_owned()))
        })
        .await
    }
}
