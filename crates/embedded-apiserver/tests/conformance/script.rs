//! Scripts of requests.
//!
//! A script is a sequence of requests, each beginning with a line `METHOD PATH`, followed by the lines of its body, if any.
//! `#` begins a comment. Modifiers before the method:
//!
//! - `~`: only the status and the reason are compared, as the message repeats a parser's words;
//! - `&`: a watch that goes on while the following requests run; its events are compared at the end;
//! - `wait`: asked again until the answer is 200, and not compared;
//! - `merge`, `json`, `strategic`, `apply` name the kind of a `PATCH`; `meta`, `table` the form of the answer;
//! - `protobuf`: the body is sent as such, see [`protobuf`](crate::protobuf).
//!
//! `{ns}` is the script's namespace, `{uid:NAME}` and `{rv:NAME}` are those of the object of that name as last answered,
//! `{continue}` is the token of the last page, `{continue:KIND}` that of the last list of a kind.
//!
//! A line `compact` makes the server forget all changes before.

use std::path::Path;

use crate::protobuf;

/// A script.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
}

/// One request.
#[derive(Debug, Default, Clone)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) media: &'static str,
    pub(crate) accept: &'static str,
    pub(crate) body: String,
    pub(crate) roughly: bool,
    pub(crate) manner: Manner,
}

/// How a step is taken.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Asked, and the answer compared.
    #[default]
    Asked,
    /// A watch that goes on while the following requests run.
    Background,
    /// Asked again until it is found; the answers are not compared.
    UntilFound,
    /// No request: the server forgets the past.
    Compaction,
}

impl Script {
    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("a script can be read");
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        let mut steps: Vec<Step> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            match Step::begin(line, index + 1) {
                Some(step) => steps.push(step),
                None => steps.last_mut().expect("a script begins with a request").body.push_str(line),
            }
        }
        Self { name, steps }
    }

    /// Whether it needs a server of its own, which is made to forget.
    pub(crate) fn compacts(&self) -> bool {
        self.steps.iter().any(|step| step.manner == Manner::Compaction)
    }

    /// Whether it waits for something that the clock ends.
    pub(crate) fn takes_time(&self) -> bool {
        self.steps.iter().any(|step| step.path.contains("watch="))
    }
}

impl Step {
    fn begin(line: &str, number: usize) -> Option<Self> {
        let mut step =
            Self { line: number, media: "application/json", accept: "application/json", ..Self::default() };
        let mut words = line.split_whitespace();
        loop {
            match words.next()? {
                "~" => step.roughly = true,
                "&" => step.manner = Manner::Background,
                "wait" => step.manner = Manner::UntilFound,
                "compact" => {
                    step.manner = Manner::Compaction;
                    return Some(step);
                }
                "merge" => step.media = "application/merge-patch+json",
                "json" => step.media = "application/json-patch+json",
                "strategic" => step.media = "application/strategic-merge-patch+json",
                "apply" => step.media = "application/apply-patch+yaml",
                "protobuf" => step.media = protobuf::MEDIA,
                "text" => step.media = "text/plain",
                "meta" => step.accept = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1",
                "metas" => step.accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1",
                "table" => step.accept = "application/json;as=Table;v=v1;g=meta.k8s.io",
                method @ ("GET" | "POST" | "PUT" | "PATCH" | "DELETE") => {
                    step.method = method.into();
                    step.path = expand(words.next()?);
                    return Some(step);
                }
                _ => return None,
            }
        }
    }
}

/// Short forms of the project's resources.
fn expand(path: &str) -> String {
    let (resource, rest) = path.split_at(path.find(['/', '?']).unwrap_or(path.len()));
    let place = match resource {
        "leases" => "/apis/coordination.k8s.io/v1/namespaces/{ns}/leases",
        "memcacheds" => "/apis/cache.example.com/v1alpha1/namespaces/{ns}/memcacheds",
        "cronjobs" => "/apis/batch/v1/namespaces/{ns}/cronjobs",
        "daemonsets" => "/apis/apps/v1/namespaces/{ns}/daemonsets",
        "deployments" => "/apis/apps/v1/namespaces/{ns}/deployments",
        "ingresses" => "/apis/networking.k8s.io/v1/namespaces/{ns}/ingresses",
        "jobs" => "/apis/batch/v1/namespaces/{ns}/jobs",
        "networkpolicies" => "/apis/networking.k8s.io/v1/namespaces/{ns}/networkpolicies",
        "replicasets" => "/apis/apps/v1/namespaces/{ns}/replicasets",
        "rolebindings" => "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings",
        "roles" => "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/roles",
        "secrets" => "/api/v1/namespaces/{ns}/secrets",
        "serviceaccounts" => "/api/v1/namespaces/{ns}/serviceaccounts",
        "statefulsets" => "/apis/apps/v1/namespaces/{ns}/statefulsets",
        "budgets" => "/apis/policy/v1/namespaces/{ns}/poddisruptionbudgets",
        "services" => "/api/v1/namespaces/{ns}/services",
        "pods" => "/api/v1/namespaces/{ns}/pods",
        "configmaps" => "/api/v1/namespaces/{ns}/configmaps",
        "events" => "/api/v1/namespaces/{ns}/events",
        "newevents" => "/apis/events.k8s.io/v1/namespaces/{ns}/events",
        other => other,
    };
    format!("{place}{rest}")
}
