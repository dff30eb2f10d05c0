//! Events as they are sent, shared among the watches that show the same change in the same form.

use std::collections::BTreeMap;

use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;

use crate::present;
use crate::request::Form;
use crate::store::{Revision, json_text};

/// Of the newest changes, each line that was made of them.
#[derive(Default)]
pub(super) struct Lines(Mutex<BTreeMap<LineId, Bytes>>);

/// What tells one line from another. A change is of one object, so its kind need not be named, but for what is served in two
/// API groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LineId {
    pub(super) revision: Revision,
    /// The event's type.
    pub(super) what: &'static str,
    pub(super) form: Form,
    /// Whether the object is shown in another form than it is kept in.
    pub(super) converted: bool,
}

/// Watches are shown a change soon after it happened, or, in a simulation of a slow one, alone.
const KEPT: usize = 64;

impl Lines {
    /// The line, made once.
    pub(super) fn line(&self, id: LineId, make: impl FnOnce() -> Bytes) -> Bytes {
        // A table says how long ago something was, which is another each time.
        if id.form == Form::Table {
            return make();
        }
        let mut lines = self.0.lock();
        if let Some(line) = lines.get(&id) {
            return line.clone();
        }
        let line = make();
        lines.insert(id, line.clone());
        if lines.len() > KEPT {
            lines.pop_first();
        }
        line
    }
}

/// One event a line.
pub(super) fn of(event: &Value) -> Bytes {
    present::event_around(event["type"].as_str().unwrap_or_default(), &json_text(&event["object"]))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::Request;
    use serde_json::json;

    use super::*;
    use crate::{Machine, Reply, WallSeams, Watch};

    fn ask(machine: &mut Machine, method: &str, path: &str, accept: &str, body: &Value) -> Reply {
        let uri = format!("/api/v1/namespaces/default/configmaps{path}");
        let request = Request::builder().method(method).uri(uri).header("accept", accept);
        machine.handle(&request.body(Bytes::from(body.to_string())).expect("a request"))
    }

    fn watch(machine: &mut Machine, accept: &str) -> Watch {
        match ask(machine, "GET", "?watch=true&labelSelector=a", accept, &Value::Null) {
            Reply::Watch(mut watch) => {
                machine.next_lines(&mut watch);
                watch
            }
            Reply::Answer(answer) => panic!("no watch: {answer:?}"),
        }
    }

    #[test]
    fn watches_share_lines_that_say_what_events_say() {
        let machine = &mut Machine::new(Arc::new(WallSeams::new(7)));
        let whole = "application/json";
        let meta = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
        let [mut first, mut second, mut third] = [whole, whole, whole].map(|form| watch(machine, form));
        let mut other = watch(machine, meta);
        let map = |labels: Value| json!({"metadata": {"name": "m", "labels": labels}, "data": {"a": "b"}});
        ask(machine, "POST", "", whole, &map(json!({"a": "1"})));
        ask(machine, "PUT", "/m", whole, &map(json!({"a": "2"})));
        ask(machine, "PUT", "/m", whole, &map(json!({})));
        ask(machine, "DELETE", "/m", whole, &Value::Null);
        let lines = machine.next_lines(&mut first);
        assert_eq!(lines.len(), 3, "{lines:?}");
        let shared = machine.next_lines(&mut second);
        assert!(lines.iter().zip(&shared).all(|(one, two)| one.as_ptr() == two.as_ptr()));
        let events: Vec<Bytes> = machine.next_events(&mut third).iter().map(of).collect();
        assert_eq!(events, lines);
        let partial = machine.next_lines(&mut other);
        assert!(partial.len() == 3 && partial.iter().zip(&lines).all(|(one, two)| one != two));
    }
}
