//! The machine as a `tower` service.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt as _, Stream, stream};
use http::{Request, Response, header};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use parking_lot::{Mutex, MutexGuard};
use tokio::sync::watch;

use super::audit::{Audit, Stages};
use super::machine::{Machine, Reply, Watch};
use super::seams::Seams;
use super::shape::{Shape, shape};
use super::store::Revision;
use super::uncompared::Uncompared;

/// How often a watch gets a bookmark, as on the real server.
const BOOKMARK_EVERY: Duration = Duration::from_secs(60);

/// How long before its end a watch gets its last bookmark.
const BEFORE_END: Duration = Duration::from_secs(2);

/// How long a watch lasts that does not say; the real server draws between 30 and 60 minutes.
const LONGEST_WATCH: Duration = Duration::from_secs(45 * 60);

/// The body of an answer. A watch's sends one frame for each event.
pub type AnswerBody = UnsyncBoxBody<Bytes, Infallible>;

/// A running server: clones share its state, which goes with the last of them.
#[derive(Clone)]
pub struct EmbeddedServer {
    shared: Arc<Shared>,
    collect: bool,
    audit: Option<Arc<Audit>>,
    uncompared: Option<Arc<Uncompared>>,
}

struct Shared {
    machine: Mutex<Machine>,
    seams: Arc<dyn Seams>,
    /// Says that there is something new.
    revision: watch::Sender<Revision>,
}

impl EmbeddedServer {
    /// An empty server, which takes time and uids from `seams`.
    pub fn new(seams: impl Seams) -> Self {
        let seams: Arc<dyn Seams> = Arc::new(seams);
        let machine = Machine::new(Arc::clone(&seams));
        let revision = watch::Sender::new(machine.revision());
        let shared = Arc::new(Shared { machine: Mutex::new(machine), seams, revision });
        Self { shared, collect: false, audit: None, uncompared: None }
    }

    /// The same server, collecting garbage after each write that comes through this handle and its clones.
    #[must_use]
    pub fn with_garbage_collection(mut self) -> Self {
        self.collect = true;
        self
    }

    /// The same server, writing a line of `audit.k8s.io/v1` into `log` for each write that is asked for through this handle
    /// and its clones, and answered. The lines stand in the order in which the writes took effect.
    #[must_use]
    pub fn with_audit_log(mut self, log: impl std::io::Write + Send + 'static) -> Self {
        self.audit = Some(Arc::new(Audit::new(log)));
        self
    }

    /// The same server, which appends to a file each [`Shape`] of requests through this handle that the conformance suite
    /// does not have.
    #[must_use]
    pub fn noting_uncompared(mut self, file: &Path) -> Self {
        self.uncompared = Some(Arc::new(Uncompared::new(file)));
        self
    }

    /// The service, to put layers around.
    pub fn service(&self) -> EmbeddedService {
        EmbeddedService { server: self.clone() }
    }

    /// A client without anything between it and the server.
    pub fn client(&self, default_namespace: &str) -> kube::Client {
        kube::Client::new(self.service(), default_namespace)
    }

    /// The shapes of all requests so far, and how many there were of each.
    pub fn shapes(&self) -> BTreeMap<Shape, u64> {
        self.shared.lock().shapes().clone()
    }

    /// Looks at the machine, or does to it what no request can. Watches see changes afterwards.
    pub fn with_machine<T>(&self, act: impl FnOnce(&mut Machine) -> T) -> T {
        let mut machine = self.shared.lock();
        let result = act(&mut machine);
        self.shared.announce(&machine);
        result
    }

    /// Forgets all changes up to now: watches and pages that go on from an earlier state get 410 Gone.
    ///
    /// As on a real server that has been restarted since etcd was compacted. One that runs on still answers watches from what
    /// its watch cache remembers, and pages for some seconds.
    pub fn compact(&self) {
        self.with_machine(|machine| machine.compact(machine.revision()));
    }

    fn handle(&self, request: &Request<Bytes>) -> Response<AnswerBody> {
        let seams = &self.shared.seams;
        let received = seams.now();
        let mut machine = self.shared.lock();
        let shapes_before = machine.shapes().len();
        let reply = machine.handle(request);
        if let Some(notes) = self.uncompared.as_ref().filter(|_| machine.shapes().len() > shapes_before) {
            notes.note(&shape(request));
        }
        if let (Some(audit), Reply::Answer(answer)) = (&self.audit, &reply) {
            audit.note(request, answer, &Stages { received, answered: seams.now() }, seams.bits());
        }
        if self.collect {
            machine.collect_garbage();
        }
        self.shared.announce(&machine);
        match reply {
            Reply::Answer(answer) => {
                respond(answer.status, answer.content_type, Full::new(answer.body).boxed_unsync())
            }
            Reply::Watch(watch) => {
                let news = self.shared.revision.subscribe();
                let frames = frames(Arc::clone(&self.shared), watch, news);
                respond(200, "application/json", BodyExt::boxed_unsync(StreamBody::new(frames)))
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock()
    }

    fn announce(&self, machine: &Machine) {
        let revision = machine.revision();
        self.revision.send_if_modified(|known| std::mem::replace(known, revision) != revision);
    }
}

fn respond(status: u16, content_type: &'static str, body: AnswerBody) -> Response<AnswerBody> {
    let response = Response::builder().status(status).header(header::CONTENT_TYPE, content_type).body(body);
    response.expect("a status and a content type make a response")
}

/// What a watch waits with.
struct Following {
    shared: Arc<Shared>,
    watch: Watch,
    news: watch::Receiver<Revision>,
    end: BoxFuture<'static, ()>,
    bookmark: BoxFuture<'static, ()>,
    ready: VecDeque<Bytes>,
    over: bool,
}

fn frames(
    shared: Arc<Shared>,
    watch: Watch,
    news: watch::Receiver<Revision>,
) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> {
    let end = shared.seams.sleep(watch.timeout().unwrap_or(LONGEST_WATCH));
    // One shortly before the end, so that the client goes on from there.
    let before_end = watch.timeout().map(|timeout| timeout.saturating_sub(BEFORE_END));
    let bookmark = shared.seams.sleep(before_end.map_or(BOOKMARK_EVERY, |at| at.min(BOOKMARK_EVERY)));
    let following = Following { shared, watch, news, end, bookmark, ready: VecDeque::new(), over: false };
    stream::unfold(following, |mut following| async {
        let line = following.next().await?;
        Some((Ok(Frame::data(line)), following))
    })
}

impl Following {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.over {
                return None;
            }
            self.news.mark_unchanged();
            self.ready.extend(self.shared.lock().next_lines(&mut self.watch));
            self.over = self.watch.has_ended();
            if !self.ready.is_empty() || self.over {
                continue;
            }
            tokio::select! {
                biased;
                changed = self.news.changed() => self.over = changed.is_err(),
                () = &mut self.end => self.over = true,
                () = &mut self.bookmark => {
                    self.bookmark = self.shared.seams.sleep(BOOKMARK_EVERY);
                    if self.watch.wants_bookmarks() {
                        let machine = self.shared.lock();
                        self.ready.extend(machine.next_lines(&mut self.watch));
                        let bookmark = machine.bookmark(&mut self.watch);
                        self.ready.extend(bookmark.map(|bookmark| format!("{bookmark}\n").into()));
                    }
                }
            }
        }
    }
}

/// The server as a service for requests of any body.
#[derive(Clone)]
pub struct EmbeddedService {
    server: EmbeddedServer,
}

impl<B> tower::Service<Request<B>> for EmbeddedService
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: fmt::Display,
{
    type Response = Response<AnswerBody>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let server = self.server.clone();
        async move {
            let (parts, body) = request.into_parts();
            Ok(match body.collect().await {
                Ok(body) => server.handle(&Request::from_parts(parts, body.to_bytes())),
                Err(error) => {
                    let said = Bytes::from(format!("the request's body broke off: {error}\n"));
                    respond(400, "text/plain; charset=utf-8", Full::new(said).boxed_unsync())
                }
            })
        }
        .boxed()
    }
}

impl fmt::Debug for EmbeddedServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedServer").field("machine", &*self.shared.lock()).finish_non_exhaustive()
    }
}

impl fmt::Debug for EmbeddedService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedService").finish_non_exhaustive()
    }
}
