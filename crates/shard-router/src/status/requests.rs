//! Lists, page by page, each page within a time limit.

use std::{collections::BTreeMap, time::Duration};

use http::{Response, header::DATE};
use jiff::{Timestamp, fmt::rfc2822};
use kube::{
    Client,
    api::ListParams,
    client::Body,
    core::{Request, Status},
};
use serde::{Deserialize, de::DeserializeOwned};

use super::error::StatusError;

/// As many objects as kubectl asks for.
const PAGE: u32 = 500;

/// What to list.
pub(super) struct List<'a> {
    pub(super) client: &'a Client,
    /// The limit of one page.
    pub(super) time_limit: Duration,
    /// `plural.group`.
    pub(super) resource: &'a str,
    pub(super) url: String,
    /// For messages; `None` for all namespaces.
    pub(super) namespace: Option<&'a str>,
    /// Whether the metadata is enough.
    pub(super) metadata_only: bool,
}

/// The labels of an object. Nothing else of its metadata is decoded.
#[derive(Deserialize)]
pub(super) struct Labelled {
    #[serde(default)]
    pub(super) metadata: Labels,
}

#[derive(Default, Deserialize)]
pub(super) struct Labels {
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Page<T> {
    #[serde(default)]
    metadata: PageMetadata,
    items: Vec<T>,
}

#[derive(Default, Deserialize)]
struct PageMetadata {
    #[serde(default, rename = "continue")]
    next: String,
}

impl List<'_> {
    /// Passes each object on. Returns the time at which the API server answered the first page, by its own clock; `None` if it does not tell.
    pub(super) async fn each<T: DeserializeOwned>(
        &self,
        mut object: impl FnMut(T),
    ) -> Result<Option<Timestamp>, StatusError> {
        let mut params = ListParams::default().limit(PAGE);
        let mut answered_at = None;
        loop {
            let (at, page): (_, Page<T>) = self.page(&params).await?;
            if params.continue_token.is_none() {
                answered_at = at;
            }
            page.items.into_iter().for_each(&mut object);
            if page.metadata.next.is_empty() {
                return Ok(answered_at);
            }
            params.continue_token = Some(page.metadata.next);
        }
    }

    async fn page<T: DeserializeOwned>(
        &self,
        params: &ListParams,
    ) -> Result<(Option<Timestamp>, T), StatusError> {
        let answer = tokio::time::timeout(self.time_limit, self.request(params)).await;
        let answer = answer.map_err(|_| StatusError::TimedOut(self.time_limit))?;
        answer.map_err(|error| StatusError::of(self.resource, self.namespace, error))
    }

    /// kube's own methods return the object alone, and the clock of the API server is in a header.
    async fn request<T: DeserializeOwned>(
        &self,
        params: &ListParams,
    ) -> kube::Result<(Option<Timestamp>, T)> {
        let request = Request::new(&self.url);
        let request = if self.metadata_only { request.list_metadata(params) } else { request.list(params) };
        let request = request.map_err(kube::Error::BuildRequest)?;
        let answer = self.client.send(request.map(Body::from)).await?;
        let (at, status) = (date(&answer), answer.status());
        let body = answer.into_body().collect_bytes().await?;
        if status.is_success() {
            return Ok((at, serde_json::from_slice(&body).map_err(kube::Error::SerdeError)?));
        }
        let refusal = serde_json::from_slice(&body).unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(&body).trim().to_owned();
            Status::failure(&text, status.canonical_reason().unwrap_or("Unknown"))
        });
        Err(kube::Error::Api(Box::new(Status { code: status.as_u16(), ..refusal })))
    }
}

/// As HTTP writes it: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn date(answer: &Response<Body>) -> Option<Timestamp> {
    let text = answer.headers().get(DATE)?.to_str().ok()?;
    rfc2822::DateTimeParser::new().parse_timestamp(text).ok()
}
