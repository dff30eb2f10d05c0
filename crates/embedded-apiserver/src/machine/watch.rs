//! Watches: what was, what is, and what comes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::lines::{self, LineId};
use super::list::in_namespace;
use super::{Call, Machine};
use crate::fault::Fault;
use crate::present;
use crate::refusal::Refusal;
use crate::request::Form;
use crate::resource::ResourceType;
use crate::selector::Selection;
use crate::store::{Change, Kept, Revision, json_text};

/// One client's watch, and how far it has come.
#[derive(Debug)]
pub struct Watch {
    kind: Arc<ResourceType>,
    selection: Selection,
    form: Form,
    include: String,
    bookmarks: bool,
    timeout: Option<Duration>,
    /// Everything up to here has been shown.
    position: Revision,
    start: Start,
    ended: bool,
}

/// What a watch shows first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// Changes only.
    Changes,
    /// The present objects, and then, if so wanted, a bookmark that says that these were all.
    Objects { marked: bool },
}

/// Something to show.
enum Due<'a> {
    /// An object that was there before.
    Object(&'a Arc<Kept>),
    /// An object that appeared or changed.
    Change { revision: Revision, what: &'static str, object: &'a Arc<Kept> },
    /// The last state of an object that is gone; it is shown with the version of the change that ended it.
    Gone { revision: Revision, what: &'static str, before: &'a Arc<Kept> },
    /// The bookmark after the objects that were there before.
    EndOfInitial,
    /// 410 Gone.
    Expired,
    /// 504: the objects were to be of a version that was never given out.
    NotThereYet,
}

impl Watch {
    /// How long the client wants it to last.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout
    }

    /// Whether bookmarks are welcome.
    pub fn wants_bookmarks(&self) -> bool {
        self.bookmarks
    }

    /// Whether it has shown an error, after which nothing comes.
    pub fn has_ended(&self) -> bool {
        self.ended
    }
}

impl Machine {
    pub(super) fn watch(&self, call: &Call<'_>) -> Result<Watch, Refusal> {
        let query = &call.query;
        let selection = Self::selection(call)?;
        let initial = check_initial(call)?;
        let asked = match query.get("resourceVersion") {
            None | Some("0") => None,
            Some(text) => Some(text.parse::<Revision>().map_err(|_| {
                Refusal::internal(&format!(
                    "resourceVersion: Invalid value: {text:?}: strconv.ParseUint: parsing {text:?}: invalid syntax"
                ))
            })?),
        };
        let bookmarks = query.is_set("allowWatchBookmarks");
        let from_cache = query.get("resourceVersion") == Some("0");
        let start = match (initial, asked) {
            (Some(true), _) => Start::Objects { marked: bookmarks },
            // From "0" with bookmarks, the real server marks the end of the initial events unasked.
            (None, None) => Start::Objects { marked: bookmarks && from_cache },
            (Some(false), None) | (_, Some(_)) => Start::Changes,
        };
        Ok(Watch {
            kind: Arc::clone(&call.kind),
            selection,
            form: Form::of(call.request.headers()),
            include: query.get("includeObject").unwrap_or("Metadata").to_owned(),
            bookmarks,
            timeout: query.get("timeoutSeconds").and_then(|text| text.parse().ok()).map(Duration::from_secs),
            position: asked.unwrap_or(self.store.revision()),
            start,
            ended: false,
        })
    }

    /// What the watch has to show now: JSON objects, to be sent one a line.
    pub fn next_events(&self, watch: &mut Watch) -> Vec<Value> {
        self.due(watch).into_iter().map(|due| due.event(self, watch)).collect()
    }

    /// Shows the types of the same events and the objects as they are kept, for those who are beside the server and need no copy.
    pub fn visit_events(&self, watch: &mut Watch, mut visit: impl FnMut(&'static str, &Value)) {
        for due in self.due(watch) {
            match due {
                Due::Object(object) => visit("ADDED", object),
                Due::Change { what, object, .. } | Due::Gone { what, before: object, .. } => {
                    visit(what, object);
                }
                Due::EndOfInitial | Due::Expired | Due::NotThereYet => {}
            }
        }
    }

    /// The same, as it is sent: each a JSON object and the end of a line. Watches that show the same change share it.
    pub fn next_lines(&self, watch: &mut Watch) -> Vec<Bytes> {
        let due = self.due(watch).into_iter();
        due.map(|due| match due.id(watch) {
            Some(id) => self.lines.line(id, || due.line(self, watch)),
            None => due.line(self, watch),
        })
        .collect()
    }

    fn due(&self, watch: &mut Watch) -> Vec<Due<'_>> {
        if watch.ended {
            return Vec::new();
        }
        if let Start::Objects { marked } = watch.start {
            // The real server waits for 3 s whether it comes to that, and then says so.
            if watch.position > self.store.revision() {
                watch.ended = true;
                return vec![Due::NotThereYet];
            }
            watch.start = Start::Changes;
            watch.position = self.store.revision();
            let objects = self.store.list(&watch.kind.storage);
            let selected = objects
                .filter(|(key, object)| {
                    in_namespace(&watch.selection, key) && watch.selection.matches(object)
                })
                .map(|(_, object)| Due::Object(object));
            return selected.chain(marked.then_some(Due::EndOfInitial)).collect();
        }
        if watch.position < self.store.compacted() {
            watch.ended = true;
            return vec![Due::Expired];
        }
        let due = self
            .store
            .changes_since(watch.position)
            .filter(|change| {
                change.key.storage == watch.kind.storage && in_namespace(&watch.selection, &change.key)
            })
            .filter_map(|change| seen(&watch.selection, change))
            .collect();
        watch.position = watch.position.max(self.store.revision());
        due
    }

    /// A bookmark at the present state, unless the watch waits for a later one. Ask for the events first.
    pub fn bookmark(&self, watch: &mut Watch) -> Option<Value> {
        if watch.position > self.store.revision() {
            return None;
        }
        watch.position = self.store.revision();
        Some(self.bookmark_of(watch, false))
    }

    fn event(&self, watch: &Watch, what: &str, object: &Value) -> Value {
        let object = match watch.form {
            Form::Whole => present::whole(&watch.kind, object).into_owned(),
            Form::Metadata => json!(present::metadata(object)),
            Form::Table => present::table(
                &watch.kind,
                std::slice::from_ref(object),
                &json!({"resourceVersion": object["metadata"]["resourceVersion"]}),
                self.seams.now(),
                &watch.include,
            ),
        };
        // Not by `json!`, which would copy the object.
        Value::from(Map::from_iter([("object".to_owned(), object), ("type".to_owned(), what.into())]))
    }

    fn bookmark_of(&self, watch: &Watch, end_of_initial: bool) -> Value {
        let mut object = Self::nothing(&watch.kind);
        object["apiVersion"] = json!(watch.kind.api_version());
        object["kind"] = json!(watch.kind.kind);
        object["metadata"] = json!({"resourceVersion": watch.position.to_string()});
        if end_of_initial {
            object["metadata"]["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        self.event(watch, "BOOKMARK", &object)
    }
}

impl Due<'_> {
    /// What the line is known by, if others may show it too.
    fn id(&self, watch: &Watch) -> Option<LineId> {
        let (Due::Change { revision, what, .. } | Due::Gone { revision, what, .. }) = self else {
            return None;
        };
        let converted = watch.kind.shown.is_some();
        Some(LineId { revision: *revision, what, form: watch.form, converted })
    }

    fn line(&self, machine: &Machine, watch: &Watch) -> Bytes {
        match self {
            Due::Object(object) if watch.form == Form::Whole => {
                present::event_line(&watch.kind, "ADDED", object)
            }
            Due::Change { what, object, .. } if watch.form == Form::Whole => {
                present::event_line(&watch.kind, what, object)
            }
            Due::Change { what, object, .. } if watch.form == Form::Metadata => {
                present::event_around(what, &json_text(&present::metadata(object)))
            }
            _ => lines::of(&self.event(machine, watch)),
        }
    }

    fn event(&self, machine: &Machine, watch: &Watch) -> Value {
        match self {
            Due::Object(object) => machine.event(watch, "ADDED", object),
            Due::Change { what, object, .. } => machine.event(watch, what, object),
            Due::Gone { revision, what, before } => {
                let mut before = Value::clone(before);
                before["metadata"]["resourceVersion"] = json!(revision.to_string());
                machine.event(watch, what, &before)
            }
            Due::EndOfInitial => machine.bookmark_of(watch, true),
            Due::Expired => {
                let oldest = machine.store.compacted() + 1;
                let message = format!("too old resource version: {} ({oldest})", watch.position);
                json!({"type": "ERROR", "object": Refusal::expired(&message).as_status()})
            }
            Due::NotThereYet => {
                let refusal = Refusal::too_large_version(watch.position, machine.store.revision());
                json!({"type": "ERROR", "object": refusal.as_status()})
            }
        }
    }
}

/// A change as those who select see it: what leaves a selector is gone for them.
fn seen<'a>(selection: &Selection, change: &'a Change) -> Option<Due<'a>> {
    let matching = |object: &'a Option<Arc<Kept>>| object.as_ref().filter(|object| selection.matches(object));
    let revision = change.revision;
    match (matching(&change.before), matching(&change.after)) {
        (None, None) => None,
        (None, Some(object)) => Some(Due::Change { revision, what: "ADDED", object }),
        (Some(_), Some(object)) => Some(Due::Change { revision, what: "MODIFIED", object }),
        (Some(before), None) => Some(Due::Gone { revision, what: "DELETED", before }),
    }
}

fn check_initial(call: &Call<'_>) -> Result<Option<bool>, Refusal> {
    let query = &call.query;
    let forbidden =
        |why: &str| Refusal::invalid_options("ListOptions", Fault::forbidden("resourceVersionMatch", why));
    let how = query.get("resourceVersionMatch");
    if query.get("sendInitialEvents").is_none() {
        return match how {
            Some(_) => Err(forbidden(
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            )),
            None => Ok(None),
        };
    }
    if how != Some("NotOlderThan") {
        return Err(forbidden("sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
    }
    Ok(Some(query.is_set("sendInitialEvents")))
}
