//! Talking to a server, and keeping what it replied.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use embedded_apiserver::{Shape, shape};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::compaction::Compact;
use crate::protobuf;
use crate::script::{Manner, Script, Step};
use crate::transcript::Entry;

const DEADLINE: Duration = Duration::from_secs(30);

/// How long a watch is listened to that does not end by itself, as long as the scripts let others last.
const WATCHED_FOR: Duration = Duration::from_secs(5);

/// A series of requests and the values that later ones take from their replies.
pub(crate) struct Session {
    client: Client,
    namespace: String,
    uids: BTreeMap<String, String>,
    versions: BTreeMap<String, String>,
    /// The token of the last page, and of the last page of each kind of list.
    token: String,
    tokens: BTreeMap<String, String>,
}

/// An answer.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) raw: String,
}

impl Session {
    pub(crate) fn new(client: Client, namespace: String) -> Self {
        Self {
            client,
            namespace,
            uids: BTreeMap::new(),
            versions: BTreeMap::new(),
            token: String::new(),
            tokens: BTreeMap::new(),
        }
    }

    /// Sends every request of the script, in a namespace of its own.
    pub(crate) async fn run(mut self, script: &Script, server: &dyn Compact) -> Vec<Entry> {
        let namespace = json!({"metadata": {"name": self.namespace}});
        self.send("POST", "/api/v1/namespaces", Some(&namespace)).await;
        let mut entries = Vec::new();
        let mut watches: Vec<(Step, Shape, JoinHandle<Reply>)> = Vec::new();
        for step in &script.steps {
            if step.manner == Manner::Compaction {
                server.compact_all().await;
                continue;
            }
            if step.manner == Manner::Background {
                // The watch has to be there before what it is to see: it is, once its status has come.
                let request = self.request(step);
                let shape = shape(&request);
                let watch = begin(&self.client, request).await;
                let ends = step.path.contains("timeoutSeconds=");
                let reading = async move {
                    if ends { read_reply(watch).await } else { read_for(WATCHED_FOR, watch).await }
                };
                watches.push((step.clone(), shape, tokio::spawn(reading)));
                continue;
            }
            if step.manner == Manner::UntilFound {
                kube_testkit::eventually(&step.path, DEADLINE, async || {
                    // While kube-apiserver replaces a definition, it may give a request up and close the connection.
                    let answer = self.client.send(self.request(step).map(Body::from)).await.ok()?;
                    (answer.status().as_u16() == 200).then_some(())
                })
                .await;
                continue;
            }
            let request = self.request(step);
            let shape = shape(&request);
            let reply = ask(&self.client, request).await;
            self.learn(&reply.body);
            entries.push(Entry::new(step, shape, reply));
        }
        for (step, shape, watch) in watches {
            entries.push(Entry::new(&step, shape, watch.await.expect("a watch ends")));
        }
        for entry in &mut entries {
            entry.normalise(&self.namespace);
        }
        entries
    }

    /// Sends one request.
    pub(crate) async fn send(&mut self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let step = Step {
            method: method.into(),
            path: path.into(),
            media: "application/json",
            accept: "application/json",
            body: body.map(ToString::to_string).unwrap_or_default(),
            ..Step::default()
        };
        ask(&self.client, self.request(&step)).await
    }

    fn request(&self, step: &Step) -> Request<Bytes> {
        Request::builder()
            .method(step.method.as_str())
            .uri(self.filled(&step.path).replace(' ', "%20"))
            .header("content-type", step.media)
            .header("accept", step.accept)
            .header("user-agent", "conformance/1")
            .header("accept-encoding", "identity")
            .body(if step.media == protobuf::MEDIA {
                protobuf::encode(&self.filled(&step.body))
            } else {
                Bytes::from(self.filled(&step.body))
            })
            .expect("a script has sound requests")
    }

    fn filled(&self, text: &str) -> String {
        let mut text = text.replace("{ns}", &self.namespace).replace("{continue}", &self.token);
        for (what, known) in [("uid", &self.uids), ("rv", &self.versions), ("continue", &self.tokens)] {
            for (name, value) in known {
                text = text.replace(&format!("{{{what}:{name}}}"), value);
            }
        }
        text
    }

    fn learn(&mut self, body: &Value) {
        let metadata = &body["metadata"];
        if let Some(token) = metadata["continue"].as_str() {
            token.clone_into(&mut self.token);
            self.tokens.insert(body["kind"].as_str().unwrap_or_default().to_owned(), token.to_owned());
        }
        let name = metadata["name"].as_str().unwrap_or("list").to_owned();
        if let Some(uid) = metadata["uid"].as_str() {
            self.uids.insert(name.clone(), uid.to_owned());
        }
        if let Some(version) = metadata["resourceVersion"].as_str() {
            self.versions.insert(name, version.to_owned());
        }
    }
}

async fn ask(client: &Client, request: Request<Bytes>) -> Reply {
    read_reply(begin(client, request).await).await
}

async fn begin(client: &Client, request: Request<Bytes>) -> Response<Body> {
    let what = format!("{} {}", request.method(), request.uri());
    let answer = client.send(request.map(Body::from)).await;
    answer.unwrap_or_else(|error| panic!("the server does not answer {what}: {error:?}"))
}

async fn read_reply(response: Response<Body>) -> Reply {
    let status = response.status().as_u16();
    let bytes = response.into_body().collect_bytes().await.expect("an answer is complete");
    reply(status, &bytes)
}

/// What comes within this time of an answer that has no end.
async fn read_for(time: Duration, response: Response<Body>) -> Reply {
    let status = response.status().as_u16();
    let (mut body, mut read) = (response.into_body(), Vec::new());
    let reading = async {
        while let Some(frame) = body.frame().await {
            read.extend(frame.expect("a sound frame").into_data().unwrap_or_default());
        }
    };
    let _ = tokio::time::timeout(time, reading).await;
    reply(status, &read)
}

fn reply(status: u16, bytes: &[u8]) -> Reply {
    let raw = String::from_utf8_lossy(bytes).into_owned();
    let body = serde_json::from_str(&raw).unwrap_or_else(|_| {
        let lines: Option<Vec<Value>> = raw.lines().map(|line| serde_json::from_str(line).ok()).collect();
        lines.map_or_else(|| json!(raw), Value::Array)
    });
    Reply { status, body, raw }
}
