//! Server-side applies that change nothing, as most of a controller's do.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::Call;
use crate::resource::ResourceType;
use crate::store::Kept;

/// The last apply of each path and options that changed nothing. The same one to the same object changes nothing again: all
/// that it depends on is known here, but for the time, which only changes show.
#[derive(Default)]
pub(super) struct Settled(BTreeMap<Asked, Applied>);

/// A path, and options with their values.
type Asked = (String, Vec<(String, String)>);

struct Applied {
    kind: Arc<ResourceType>,
    object: Arc<Kept>,
    config: Bytes,
}

/// More than a simulation has at once; what is forgotten is only applied the long way.
const MOST: usize = 4096;

impl Settled {
    pub(super) fn knows(&self, call: &Call<'_>, object: &Arc<Kept>) -> bool {
        self.0.get(&asked(call)).is_some_and(|applied| {
            Arc::ptr_eq(&applied.object, object)
                && Arc::ptr_eq(&applied.kind, &call.kind)
                && applied.config == *call.request.body()
        })
    }

    pub(super) fn note(&mut self, call: &Call<'_>, object: &Arc<Kept>) {
        if self.0.len() >= MOST {
            self.0.clear();
        }
        let applied = Applied {
            kind: Arc::clone(&call.kind),
            object: Arc::clone(object),
            config: call.request.body().clone(),
        };
        self.0.insert(asked(call), applied);
    }
}

/// How long the client waits is another each time, and nothing depends on it.
fn asked(call: &Call<'_>) -> Asked {
    let options = call.query.pairs().filter(|(name, _)| *name != "timeout");
    let options = options.map(|(name, value)| (name.to_owned(), value.to_owned()));
    (call.request.uri().path().to_owned(), options.collect())
}

/// Whether two objects are the same, apart from these fields.
pub(super) fn equal_but_for(fields: &[&str], one: &Value, other: &Value) -> bool {
    let (Value::Object(one), Value::Object(other)) = (one, other) else { return one == other };
    let counts = |name: &String| !fields.contains(&name.as_str());
    one.keys().filter(|name| counts(name)).count() == other.keys().filter(|name| counts(name)).count()
        && one.iter().filter(|(name, _)| counts(name)).all(|(name, value)| other.get(name) == Some(value))
}
