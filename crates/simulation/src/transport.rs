//! Where a replica's requests leave its machine: the lowest layer of its kube clients.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use kube::client::Body;
use tokio::sync::{mpsc, oneshot};
use tower::BoxError;

use crate::clock::MachineClock;
use crate::time::TrueTime;

/// The body of an answer.
pub(crate) type AnswerBody = UnsyncBoxBody<Bytes, Broken>;

/// What a client sees of a connection that is gone.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum Broken {
    /// Nobody listens.
    #[error("connection refused")]
    Refused,
    /// The other side is gone, or nothing was heard from it for too long.
    #[error("connection reset")]
    Reset,
}

/// How a request is answered: the answer, or what became of the connection.
pub(crate) type Answered = Result<Response<AnswerBody>, Broken>;

/// A request that has left its machine.
#[derive(Debug)]
pub(crate) struct Sent {
    /// When.
    pub at: TrueTime,
    /// How many records its process had written down by then.
    pub recorded: usize,
    /// What.
    pub request: Request<Bytes>,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Answered>,
}

/// The wire out of one machine.
#[derive(Debug)]
pub(crate) struct Wire {
    clock: Arc<MachineClock>,
    sent: Mutex<Vec<Sent>>,
    recorded: AtomicUsize,
    alive: AtomicBool,
}

impl Wire {
    /// A wire with nothing on it.
    pub(crate) fn new(clock: Arc<MachineClock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            sent: Mutex::default(),
            recorded: AtomicUsize::new(0),
            alive: AtomicBool::new(true),
        })
    }

    /// A client whose requests go over this wire.
    pub(crate) fn client(self: &Arc<Self>, namespace: &str) -> kube::Client {
        let wire = Arc::clone(self);
        kube::Client::new(tower::service_fn(move |request| Arc::clone(&wire).send(request)), namespace)
    }

    /// What was sent since the last time, in order.
    pub(crate) fn take(&self) -> Vec<Sent> {
        std::mem::take(&mut *self.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The process is gone: what its destructors still try comes to nothing.
    pub(crate) fn cut(&self) {
        self.alive.store(false, Ordering::Relaxed);
        self.take();
    }

    /// The process has written a record down: what is sent from now on is sent after it, be it in the same instant.
    pub(crate) fn record_written(&self) {
        self.recorded.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether the process is there.
    pub(crate) fn is_alive(&self) -> bool {
        self.alive.load(Ordering::Relaxed)
    }

    fn send(
        self: Arc<Self>,
        request: Request<Body>,
    ) -> BoxFuture<'static, Result<Response<AnswerBody>, BoxError>> {
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await?.to_bytes();
            let (reply, answer) = oneshot::channel();
            if self.is_alive() {
                let sent = Sent {
                    at: self.clock.true_now(),
                    recorded: self.recorded.load(Ordering::Relaxed),
                    request: Request::from_parts(parts, body),
                    reply,
                };
                self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(sent);
            } else {
                // The process is gone, and runs on to the end of its window only because machines are driven in windows. A failure
                // would be answered by another attempt in the same instant, and that by another.
                std::future::pending::<()>().await;
            }
            Ok(answer.await.map_err(|_| Broken::Reset)??)
        }
        .boxed()
    }
}

/// A body that is all there.
pub(crate) fn whole(body: Bytes) -> AnswerBody {
    Full::new(body).map_err(|never| match never {}).boxed_unsync()
}

/// A body that comes bit by bit, and the end where it is put in. Dropping that ends it.
pub(crate) fn stream() -> (mpsc::UnboundedSender<Result<Bytes, Broken>>, AnswerBody) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let frames = futures::stream::poll_fn(move |context| {
        receiver
            .poll_recv(context)
            .map(|item: Option<Result<Bytes, Broken>>| item.map(|item| item.map(http_body::Frame::data)))
    });
    (sender, BodyExt::boxed_unsync(StreamBody::new(frames)))
}
