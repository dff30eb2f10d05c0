//! The API server without its network: a request goes in, an answer comes out.
//!
//! It does no I/O and reads no clock: time and uids come from [`Seams`]. What a watch has to show is read from the log
//! of changes, so that the layers above decide when, and whether, it arrives.

mod admit;
mod apply;
mod commit;
mod create;
mod delete;
mod lines;
mod list;
mod patch;
mod peek;
mod read;
mod scale;
mod settled;
mod watch;
mod write;

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request};
use serde::Serialize;
use serde_json::{Value, json};

use super::admission::Admission;
use super::answer::Answer;
use super::catalogue::Catalogue;
use super::refusal::Refusal;
use super::request::{Form, Place, Query, Target, refuse_unknown_options};
use super::resource::ResourceType;
use super::seams::Seams;
use super::shape::{Shape, shape};
use super::store::{Kept, Key, Revision, Store, json_text};
use super::{discovery, present};

use lines::Lines;
use settled::Settled;

pub use watch::Watch;

/// What the server says to a request.
#[derive(Debug)]
pub enum Reply {
    /// All of it.
    Answer(Answer),
    /// A watch: its events come one by one, see [`Machine::next_events`].
    Watch(Watch),
}

/// The state of an API server, and the rules by which requests change it.
pub struct Machine {
    store: Store,
    catalogue: Catalogue,
    seams: Arc<dyn Seams>,
    shapes: BTreeMap<Shape, u64>,
    lines: Lines,
    settled: Settled,
    admission: Option<Admission>,
    /// Up to here, there is no garbage that could be collected.
    collected: Revision,
}

/// A request as far as it has been understood.
struct Call<'a> {
    request: &'a Request<Bytes>,
    query: Query,
    kind: Arc<ResourceType>,
    place: Place,
}

impl Machine {
    /// A server with its first namespaces and nothing in them.
    ///
    /// # Panics
    ///
    /// Never: what it makes of itself is sound.
    pub fn new(seams: Arc<dyn Seams>) -> Self {
        let mut machine = Self {
            store: Store::new(),
            catalogue: Catalogue::new(),
            seams,
            shapes: BTreeMap::new(),
            lines: Lines::default(),
            settled: Settled::default(),
            admission: None,
            collected: 0,
        };
        for name in ["default", "kube-node-lease", "kube-public", "kube-system"] {
            let kind = machine.catalogue.find("", "v1", "namespaces").expect("namespaces are built in");
            let namespace = Self::decode(
                &kind,
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
            )
            .expect("a namespace with a name is sound");
            let namespace = machine.prepare_new(&kind, namespace);
            machine.store.put(Self::key(&kind, None, name), namespace);
        }
        machine
    }

    /// What a backup of etcd has: everything as it is now, the counter of resourceVersions with it.
    ///
    /// To put it back, replace the machine by it. Whoever does that ends all watches as well, as API servers are restarted then:
    /// one that is open does not notice.
    #[must_use]
    pub fn backup(&self) -> Self {
        Self {
            store: self.store.clone(),
            catalogue: self.catalogue.clone(),
            seams: Arc::clone(&self.seams),
            shapes: self.shapes.clone(),
            lines: Lines::default(),
            settled: Settled::default(),
            admission: self.admission.clone(),
            collected: self.collected,
        }
    }

    /// Carries out one request.
    pub fn handle(&mut self, request: &Request<Bytes>) -> Reply {
        *self.shapes.entry(shape(request)).or_default() += 1;
        match self.try_handle(request) {
            Ok(reply) => reply,
            Err(refusal) => {
                let (body, content_type) = refusal.rendered();
                Reply::Answer(Answer { status: refusal.code, content_type, body: body.into() })
            }
        }
    }

    /// The shapes of all requests so far, and how many there were of each.
    pub fn shapes(&self) -> &BTreeMap<Shape, u64> {
        &self.shapes
    }

    /// The number of the last write.
    pub fn revision(&self) -> Revision {
        self.store.revision()
    }

    /// Forgets all changes up to a revision: watches and lists that go on from an earlier one get 410 Gone.
    pub fn compact(&mut self, revision: Revision) {
        self.store.compact(revision);
    }

    /// How many objects there are, of all kinds.
    pub fn len(&self) -> usize {
        self.store.len()
    }

    /// Whether there is nothing at all, which is never so: some namespaces always are.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// Takes note that all garbage is collected.
    pub(super) fn mark_collected(&mut self) {
        self.collected = self.revision();
    }

    /// Up to where all garbage is collected.
    pub(super) fn collected(&self) -> Revision {
        self.collected
    }

    pub(super) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Keeps an object as it is.
    pub(super) fn keep(&mut self, key: &Key, object: Value) -> Arc<Kept> {
        self.store.put(key.clone(), object)
    }

    fn try_handle(&mut self, request: &Request<Bytes>) -> Result<Reply, Refusal> {
        let query = Query::of(request.uri().query());
        let place = match Target::of(request.uri().path()) {
            Target::Resource(place) => place,
            Target::Other(parts) => {
                return discovery::answer(&self.catalogue, request, &parts).map(Reply::Answer);
            }
        };
        let kind = self.kind_at(&place)?;
        if kind.namespaced != place.namespace.is_some() && (place.name.is_some() || place.namespace.is_some())
        {
            return Err(Refusal::no_such_resource());
        }
        refuse_unknown_options(request.method(), &query)?;
        let call = Call { request, query, kind, place };
        if let Some(subresource) = call.place.subresource.clone() {
            return self.subresource(&call, &subresource);
        }
        match (request.method(), &call.place.name) {
            (&Method::GET, None) if call.query.is_set("watch") => self.watch(&call).map(Reply::Watch),
            (&Method::GET, None) => self.list(&call).map(|body| Self::answer_text(200, body)),
            (&Method::GET, Some(name)) => {
                let object = self.read(&call, name)?;
                Ok(self.answer_object(&call, 200, &object))
            }
            (&Method::POST, None) => self.create(&call).map(|object| self.answer_object(&call, 201, &object)),
            (&Method::PUT, Some(name)) => {
                let (status, object) = self.replace(&call, name)?;
                Ok(self.answer_object(&call, status, &object))
            }
            (&Method::PATCH, Some(name)) => {
                let (status, object) = self.patch(&call, name)?;
                Ok(self.answer_object(&call, status, &object))
            }
            (&Method::DELETE, Some(name)) => self.delete(&call, name),
            (&Method::DELETE, None) => self.delete_collection(&call),
            _ => Err(Refusal::method_not_allowed()),
        }
    }

    fn subresource(&mut self, call: &Call<'_>, subresource: &str) -> Result<Reply, Refusal> {
        let name = call.place.name.clone().expect("a path with a subresource has a name");
        let served = match subresource {
            "status" => call.kind.status,
            "scale" => call.kind.scale.is_some(),
            _ => false,
        };
        if !served {
            return Err(if call.kind.custom.is_some() {
                Refusal::not_found(&call.kind, &name)
            } else if is_real_subresource(subresource) {
                Refusal::not_supported(&format!("{}/{subresource}", call.kind.qualified()))
            } else {
                Refusal::no_such_resource()
            });
        }
        if subresource == "scale" {
            return self.scale(call, &name);
        }
        let (status, object) = match *call.request.method() {
            Method::GET => (200, self.read(call, &name)?),
            Method::PUT => self.replace(call, &name)?,
            Method::PATCH => self.patch(call, &name)?,
            _ => return Err(Refusal::method_not_allowed()),
        };
        Ok(self.answer_object(call, status, &object))
    }

    fn kind_at(&self, place: &Place) -> Result<Arc<ResourceType>, Refusal> {
        if let Some(kind) = self.catalogue.find(&place.group, &place.version, &place.plural) {
            return Ok(kind);
        }
        if Catalogue::is_real_group(&place.group) {
            return Err(Refusal::not_supported(&format!("the resource {}/{}", place.group, place.plural)));
        }
        Err(Refusal::no_such_path())
    }

    fn key(kind: &ResourceType, namespace: Option<&str>, name: &str) -> Key {
        Key {
            storage: Arc::clone(&kind.storage),
            namespace: namespace.unwrap_or_default().to_owned(),
            name: name.to_owned(),
        }
    }

    fn key_of(call: &Call<'_>, name: &str) -> Key {
        Self::key(&call.kind, call.place.namespace.as_deref(), name)
    }

    fn now(&self) -> String {
        super::seams::wire_time(self.seams.now())
    }

    fn answer_object(&self, call: &Call<'_>, status: u16, object: &Kept) -> Reply {
        match Form::of(call.request.headers()) {
            Form::Whole => Self::answer_text(status, present::whole_text(&call.kind, object)),
            Form::Metadata => Self::answer(status, &present::metadata(object)),
            Form::Table => {
                let (now, metadata) = (self.seams.now(), &object["metadata"]);
                let metadata = json!({"resourceVersion": metadata["resourceVersion"]});
                let objects = std::slice::from_ref(&**object);
                Self::answer(status, &present::table(&call.kind, objects, &metadata, now, "Metadata"))
            }
        }
    }

    fn answer(status: u16, body: &impl Serialize) -> Reply {
        Self::answer_text(status, json_text(body))
    }

    fn answer_text(status: u16, body: Bytes) -> Reply {
        Reply::Answer(Answer { status, content_type: "application/json", body })
    }
}

fn is_real_subresource(name: &str) -> bool {
    const REAL: &str = "scale status finalize approve binding eviction exec log attach portforward proxy token resize \
        ephemeralcontainers";
    REAL.split(' ').any(|known| known == name)
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("revision", &self.revision()).field("objects", &self.len()).finish()
    }
}
