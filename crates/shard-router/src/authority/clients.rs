//! The clients of one replica. Each answer is reported to the observers of rights and progress.

use std::sync::Arc;

use http::Request;
use kube::{Client, client::Body};
use lease_core::{ClientPool, Clock, Connection, PoolError, Term};

use super::refused::Resend;
use crate::observability::{
    requests::{Observer, Target, observed},
    rights::Rights,
};

/// Clients with one user agent.
#[derive(Clone)]
pub(crate) struct Clients {
    pool: ClientPool,
    rights: Arc<Rights>,
    /// With fencing.
    resend: Option<Resend>,
}

impl Clients {
    pub(crate) fn new(
        connection: Connection,
        user_agent: &str,
        clock: Arc<dyn Clock>,
        rights: Arc<Rights>,
    ) -> Result<Self, PoolError> {
        Ok(Self { pool: ClientPool::new(connection, user_agent)?.with_clock(clock), rights, resend: None })
    }

    /// The same, where clients of a term send writes again that a fencing policy has refused.
    #[must_use]
    pub(crate) fn with_resend(self, resend: Option<Resend>) -> Self {
        Self { resend, ..self }
    }

    /// For reads, and for writes that need no Lease.
    pub(crate) fn ungated(&self) -> Client {
        observing(self.pool.ungated(), vec![self.rights.clone()], None)
    }

    /// For requests whose refusal does not prevent any work: a missing right is not reported.
    pub(crate) fn unobserved(&self) -> Client {
        self.pool.ungated()
    }

    /// For a watch that is shared by all shards, with an observer of its own.
    pub(crate) fn watching(&self, observer: Arc<dyn Observer>) -> Client {
        observing(self.pool.ungated(), vec![self.rights.clone(), observer], None)
    }

    /// Sends only while the term is valid.
    pub(crate) fn of_term(&self, term: &Term) -> Client {
        observing(term.client(&self.pool), vec![self.rights.clone()], self.resend.clone())
    }

    /// The same, for a shard, with observers of its own.
    pub(crate) fn of_shard(&self, term: &Term, observers: [Arc<dyn Observer>; 2]) -> Client {
        let observers = [self.rights.clone() as Arc<dyn Observer>].into_iter().chain(observers);
        observing(term.client(&self.pool), observers.collect(), self.resend.clone())
    }
}

fn observing(client: Client, observers: Vec<Arc<dyn Observer>>, resend: Option<Resend>) -> Client {
    let namespace = client.default_namespace().to_owned();
    let observers: Arc<[_]> = observers.into();
    let send = move |request: Request<Body>| {
        let (client, observers, resend) = (client.clone(), observers.clone(), resend.clone());
        async move {
            let target = Target::of(&request);
            let answer = async {
                match &resend {
                    Some(resend) => resend.send(request, |request| client.send(request)).await,
                    None => client.send(request).await,
                }
            };
            observed(target, &observers, answer).await
        }
    };
    Client::new(tower::service_fn(send), namespace)
}
