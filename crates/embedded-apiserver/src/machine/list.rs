//! Lists: at the newest state, at an older one, in pages, of what selectors select.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use bytes::Bytes;
use serde_json::{Value, json};

use super::{Call, Machine};
use crate::fault::Fault;
use crate::present;
use crate::refusal::Refusal;
use crate::request::Form;
use crate::selector::Selection;
use crate::store::{Kept, Key, Revision, json_text};

/// Where a page begins.
struct Continue {
    /// The state of the pages before; none where the client goes on at the newest, as a refusal has allowed.
    revision: Option<Revision>,
    /// The last key of the page before.
    after: (String, String),
}

impl Machine {
    pub(super) fn list(&self, call: &Call<'_>) -> Result<Bytes, Refusal> {
        let form = Form::of(call.request.headers());
        let (objects, metadata) = self.page(call)?;
        Ok(match form {
            Form::Whole => present::list(&call.kind, &objects, &metadata),
            Form::Metadata => present::metadata_list(&objects, &metadata),
            Form::Table => {
                let objects: Vec<Value> = objects.iter().map(|object| Value::clone(object)).collect();
                let include = call.query.get("includeObject").unwrap_or("Metadata");
                json_text(&present::table(&call.kind, &objects, &metadata, self.seams.now(), include))
            }
        })
    }

    /// All objects that the request selects, at the newest state.
    pub(super) fn selected(&self, call: &Call<'_>) -> Result<Vec<Arc<Kept>>, Refusal> {
        let selection = Self::selection(call)?;
        let all = self.store.list(&call.kind.storage);
        Ok(all
            .filter(|(key, object)| in_namespace(&selection, key) && selection.matches(object))
            .map(|(_, object)| Arc::clone(object))
            .collect())
    }

    pub(super) fn selection(call: &Call<'_>) -> Result<Selection, Refusal> {
        Selection::new(
            &call.kind,
            call.place.namespace.clone(),
            call.query.get("labelSelector"),
            call.query.get("fieldSelector"),
        )
    }

    fn page(&self, call: &Call<'_>) -> Result<(Vec<Arc<Kept>>, Value), Refusal> {
        let query = &call.query;
        let selection = Self::selection(call)?;
        check_match(call)?;
        let from = query.get("continue").map(decode_token).transpose()?;
        let asked = self.check_version_asked(call)?;
        let exact = query.get("resourceVersionMatch") == Some("Exact");
        let revision = match (&from, asked) {
            (Some(from), _) => from.revision.unwrap_or(self.store.revision()),
            (None, Some(asked)) if exact => asked,
            _ => self.store.revision(),
        };
        let limit = query.get("limit").and_then(|text| text.parse::<usize>().ok()).filter(|limit| *limit > 0);
        let storage = &call.kind.storage;
        let (page, remaining) = if revision == self.store.revision() {
            cut(self.store.list(storage), &selection, from.as_ref(), limit)
        } else {
            let Some(all) = self.store.list_at(storage, revision) else {
                return Err(forgotten(from.as_ref(), selection.namespace.is_some()));
            };
            cut(all.iter(), &selection, from.as_ref(), limit)
        };
        let mut metadata = json!({"resourceVersion": revision.to_string()});
        if let Some((last, _)) = page.last().filter(|_| remaining > 0) {
            let last = (last.namespace.clone(), last.name.clone());
            metadata["continue"] = json!(encode_token(Some(revision), &last, selection.namespace.is_some()));
            // With a selector the real server cannot tell without looking, and does not.
            if query.get("labelSelector").is_none() && query.get("fieldSelector").is_none() {
                metadata["remainingItemCount"] = json!(remaining);
            }
        } else if call.kind.custom.is_some() && Form::of(call.request.headers()) == Form::Whole {
            metadata["continue"] = json!("");
        }
        Ok((page.into_iter().map(|(_, object)| object).collect(), metadata))
    }
}

fn forgotten(from: Option<&Continue>, within_namespace: bool) -> Refusal {
    match from {
        Some(from) => Refusal::expired_page(&encode_token(None, &from.after, within_namespace)),
        None => Refusal::expired("The resourceVersion for the provided list is too old."),
    }
}

pub(super) fn in_namespace(selection: &Selection, key: &Key) -> bool {
    selection.namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace)
}

fn check_match(call: &Call<'_>) -> Result<(), Refusal> {
    let Some(how) = call.query.get("resourceVersionMatch") else { return Ok(()) };
    let forbidden = |why: &str| {
        Err(Refusal::invalid_options("ListOptions", Fault::forbidden("resourceVersionMatch", why)))
    };
    if call.query.get("continue").is_some() {
        return forbidden("resourceVersionMatch is forbidden for continue");
    }
    match (how, call.query.get("resourceVersion")) {
        (_, None) => forbidden("resourceVersionMatch is forbidden unless resourceVersion is provided"),
        ("Exact", Some("0")) => {
            forbidden("resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"")
        }
        ("Exact" | "NotOlderThan", Some(_)) => Ok(()),
        (other, Some(_)) => Err(Refusal::invalid_options(
            "ListOptions",
            Fault::of(
                "FieldValueNotSupported",
                "resourceVersionMatch",
                format!("Unsupported value: {other:?}: supported values: \"Exact\", \"NotOlderThan\""),
            ),
        )),
    }
}

type Page = Vec<(Key, Arc<Kept>)>;

/// One page, and how many more there are.
fn cut<'a>(
    all: impl Iterator<Item = (&'a Key, &'a Arc<Kept>)>,
    selection: &Selection,
    from: Option<&Continue>,
    limit: Option<usize>,
) -> (Page, usize) {
    let is_later =
        |key: &Key| from.is_none_or(|from| Key::order(key.place(), (&from.after.0, &from.after.1)).is_gt());
    let mut page: Page = all
        .filter(|(key, object)| in_namespace(selection, key) && is_later(key) && selection.matches(object))
        .map(|(key, object)| (key.clone(), Arc::clone(object)))
        .collect();
    let whole = page.len();
    page.truncate(limit.unwrap_or(whole));
    let remaining = whole - page.len();
    (page, remaining)
}

/// As the real one: base64 of JSON with the revision, -1 for the newest, and the key to start from.
fn encode_token(revision: Option<Revision>, after: &(String, String), within_namespace: bool) -> String {
    let (namespace, name) = after;
    let (namespace, start) = match within_namespace {
        true => (namespace.as_str(), format!("{name}\0")),
        false if namespace.is_empty() => ("", format!("{name}\0")),
        false => ("", format!("{namespace}/{name}\0")),
    };
    let (revision, start) = match revision {
        Some(revision) => (json!(revision), format!("/{start}")),
        None => (json!(-1), start),
    };
    let token =
        json!({"v": "meta.k8s.io/v1", "rv": revision, "start": start, "embeddedNamespace": namespace});
    STANDARD_NO_PAD.encode(token.to_string())
}

fn decode_token(token: &str) -> Result<Continue, Refusal> {
    let invalid = |why: &str| {
        Refusal::bad_request(&format!("invalid continue token: continue key is not valid: {why}"))
    };
    let bytes = STANDARD_NO_PAD.decode(token).map_err(|error| invalid(&error.to_string()))?;
    let token: Value = serde_json::from_slice(&bytes).map_err(|error| invalid(&error.to_string()))?;
    let start = token["start"].as_str().unwrap_or_default().trim_matches(['/', '\0']).to_owned();
    let within = token["embeddedNamespace"].as_str().unwrap_or_default().to_owned();
    let after = match start.split_once('/') {
        Some((namespace, name)) if within.is_empty() => (namespace.to_owned(), name.to_owned()),
        _ => (within, start),
    };
    let revision = token["rv"].as_i64().ok_or_else(|| invalid("it has no revision"))?;
    Ok(Continue { revision: u64::try_from(revision).ok(), after })
}
