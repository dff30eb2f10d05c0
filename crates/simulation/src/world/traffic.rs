//! Messages between the replicas and the server.

use std::time::Duration;

use bytes::Bytes;
use embedded_apiserver::{Answer, Reply};
use http::{Method, Request, Response, header};
use tokio::sync::oneshot;

use super::child::Child;
use super::dead_connections::LostAs;
use super::request::{RequestKind, user_agent};
use super::watches::Watched;
use super::{ServerEvent, World};
use crate::api::failed_answer;
use crate::network::Transmission;
use crate::observations::{AnswerFate, ReceivedRequest};
use crate::schedule::{ApiFailure, FaultKind, Listed, Slot};
use crate::time::TrueTime;
use crate::transport::{AnswerBody, Answered, Broken, Sent, whole};

/// A request on its way.
pub(super) struct Arrival {
    pub(super) process: usize,
    pub(super) sent: TrueTime,
    pub(super) recorded: usize,
    pub(super) request: Request<Bytes>,
    pub(super) reply: oneshot::Sender<Answered>,
    /// The faults that have touched it.
    pub(super) touched_by: Vec<usize>,
    /// Its connection is broken or dead, so that the client hears no answer.
    pub(super) abandoned: bool,
}

impl World {
    /// Puts what the machines sent in the last window on the network.
    pub(super) fn collect_sent(&mut self) {
        for process in 0..self.processes.len() {
            for message in self.processes[process].take_sent() {
                self.send(process, message);
            }
        }
    }

    fn send(&mut self, process: usize, message: Sent) {
        let slot = self.processes[process].slot;
        let kind = RequestKind::of(&message.request);
        let Sent { at, recorded, request, reply } = message;
        if kind == RequestKind::LeaseWrite {
            self.processes[process].lease_writes_in_flight += 1;
        }
        if let Some((by, noticed, arrives)) =
            self.network.breaks(slot, at, kind == RequestKind::Reconcile && request.method() != Method::GET)
        {
            let (unheard, _) = oneshot::channel();
            self.answer_at(process, noticed, kind, reply, Err(Broken::Reset));
            if request.method() == Method::GET {
                self.run_log.touch(by, kind);
                return;
            }
            if kind == RequestKind::LeaseWrite {
                self.processes[process].lease_writes_in_flight += 1;
            }
            let touched_by = vec![by];
            let arrival =
                Arrival { process, sent: at, recorded, request, reply: unheard, touched_by, abandoned: true };
            self.serve_at(arrives, ServerEvent::Arrives(Box::new(arrival)));
            return;
        }
        if let Some((by, lost_as)) = self.on_dead_connection(slot, &request) {
            self.run_log.touch(by, kind);
            self.never_answer(process, kind, reply);
            if lost_as == LostAs::Answer {
                self.arrive_unheard(
                    process,
                    kind,
                    Sent { at, recorded, request, reply: oneshot::channel().0 },
                );
            }
            return;
        }
        match self.network.request(slot, at) {
            Transmission::Arrives { at: arrives, delayed_by } => {
                if let Some(child) = Child::named_by(&request).filter(|_| request.method() == Method::PATCH) {
                    self.change_before_write(arrives, &child);
                }
                let touched_by: Vec<usize> = delayed_by.into_iter().collect();
                let arrival =
                    Arrival { process, sent: at, recorded, request, reply, touched_by, abandoned: false };
                self.serve_at(arrives, ServerEvent::Arrives(Box::new(arrival)));
            }
            Transmission::Lost { noticed, by } => {
                self.run_log.touch(by, kind);
                self.answer_at(process, noticed, kind, reply, Err(Broken::Reset));
            }
        }
    }

    /// A request is on its way whose answer nobody will hear.
    fn arrive_unheard(&mut self, process: usize, kind: RequestKind, message: Sent) {
        let Sent { at, recorded, request, reply } = message;
        let slot = self.processes[process].slot;
        let Transmission::Arrives { at: arrives, delayed_by } = self.network.request(slot, at) else {
            return;
        };
        if kind == RequestKind::LeaseWrite {
            self.processes[process].lease_writes_in_flight += 1;
        }
        let touched_by = delayed_by.into_iter().collect();
        let arrival = Arrival { process, sent: at, recorded, request, reply, touched_by, abandoned: true };
        self.serve_at(arrives, ServerEvent::Arrives(Box::new(arrival)));
    }

    /// A request reaches the server.
    pub(super) fn arrive(&mut self, at: TrueTime, arrival: Arrival) {
        let Arrival { process, sent, recorded, request, reply, touched_by, abandoned } = arrival;
        let slot = self.processes[process].slot;
        let kind = RequestKind::of(&request);
        for fault in touched_by {
            self.run_log.touch(fault, kind);
        }
        if self.api.down {
            if let Some(fault) = self.run_log.down_by() {
                self.run_log.touch(fault, kind);
            }
            let back = at + self.network.latency(slot);
            self.answer_at(process, back, kind, reply, Err(Broken::Refused));
            return;
        }
        let failure = self.failure(process, &request);
        let landed = !matches!(
            failure,
            Some((
                _,
                ApiFailure::Conflict
                    | ApiFailure::TooManyRequests
                    | ApiFailure::InternalError
                    | ApiFailure::Forbidden
                    | ApiFailure::TimeoutBefore
            ))
        );
        if let Some((fault, _)) = failure {
            self.run_log.touch(fault, kind);
        }
        let child = Child::named_by(&request);
        let before = child.as_ref().and_then(|child| self.state_of(child));
        let carried_out = landed.then(|| self.api.handle(at, &request));
        let succeeded = match &carried_out {
            Some(Reply::Answer(answer)) => answer.status < 300,
            Some(Reply::Watch(_)) => true,
            None => false,
        };
        let (answer, watch) = match (failure, carried_out) {
            (Some((_, failure)), _) => (failed_answer(failure), None),
            (None, Some(Reply::Answer(answer))) => ((answer, None), None),
            (None, Some(Reply::Watch(watch))) => ((opened(), None), Some(watch)),
            (None, None) => unreachable!("without a failure a request is carried out"),
        };
        let mut received = ReceivedRequest {
            by: Some(self.processes[process].identity.clone()),
            user_agent: user_agent(&request),
            sent,
            recorded,
            arrived: at,
            method: request.method().to_string(),
            uri: request.uri().to_string(),
            code: answer.0.status,
            landed: succeeded,
            answer: AnswerFate::Lost,
        };
        let transmission = self.network.answer(slot, at);
        if let (Transmission::Arrives { at: back, .. }, true) =
            (transmission, self.processes[process].is_there() && !abandoned)
        {
            received.answer = AnswerFate::Delivered(back.since(at));
        }
        if let Some(child) = child {
            self.note_child(&child, before, &received);
        }
        if let (AnswerFate::Delivered(after), Some(plural)) =
            (received.answer, Child::kind_asked_for(&request))
        {
            self.note_listed(process, at, at + after, plural, &answer.0);
        }
        self.note_request(received, &request);
        match transmission {
            Transmission::Arrives { at: back, delayed_by } => {
                if let Some(fault) = delayed_by {
                    self.run_log.touch(fault, kind);
                }
                let response = if let Some(watch) = watch {
                    self.open_watch(process, at, back, watch, Watched::by(&request))
                } else {
                    response(answer)
                };
                self.answer_at(process, back, kind, reply, Ok(response));
            }
            Transmission::Lost { noticed, by } => {
                self.run_log.touch(by, kind);
                self.answer_at(process, noticed, kind, reply, Err(Broken::Reset));
            }
        }
        self.show_changes(at);
    }

    fn answer_at(
        &mut self,
        process: usize,
        at: TrueTime,
        kind: RequestKind,
        reply: oneshot::Sender<Answered>,
        answered: Answered,
    ) {
        if kind == RequestKind::LeaseWrite {
            let in_flight = &mut self.processes[process].lease_writes_in_flight;
            *in_flight = in_flight.saturating_sub(1);
        }
        // A client that has stopped waiting has dropped the other end.
        self.deliver(process, at, move || drop(reply.send(answered)));
    }

    /// How the server fails this request, if it does.
    fn failure(&mut self, process: usize, request: &Request<Bytes>) -> Option<(usize, ApiFailure)> {
        let slot = self.processes[process].slot;
        if let Some(refused) = self.refused_list(slot, request) {
            return Some(refused);
        }
        let failures: Vec<(usize, ApiFailure, u8)> = self
            .network
            .faults()
            .filter_map(|(number, fault)| match fault {
                FaultKind::Api { failure, percent } => Some((number, *failure, *percent)),
                _ => None,
            })
            .collect();
        let rng = self.network.rng(slot);
        let updates = [Method::PUT, Method::PATCH].contains(request.method());
        failures
            .into_iter()
            .filter(|(_, failure, _)| *failure != ApiFailure::Conflict || updates)
            .find(|(_, _, percent)| rng.u8(..100) < *percent)
            .map(|(number, failure, _)| (number, failure))
    }

    /// The fault by which this slot may not list what it asks for.
    fn refused_list(&self, slot: Slot, request: &Request<Bytes>) -> Option<(usize, ApiFailure)> {
        if request.method() != Method::GET {
            return None;
        }
        // Whoever cannot list what it reconciles, can list none of it: with one kind it would keep its shards.
        let listed = |of: Listed| match of {
            Listed::Resources => ["/memcacheds", "/profiles"].as_slice(),
            Listed::Children => &["/statefulsets"],
            Listed::Leases => &["/leases"],
        };
        let path = request.uri().path();
        self.network.faults().find_map(|(number, fault)| match fault {
            FaultKind::FailingList { slot: whose, of, forbidden }
                if *whose == slot && listed(*of).iter().any(|end| path.ends_with(end)) =>
            {
                Some((number, if *forbidden { ApiFailure::Forbidden } else { ApiFailure::InternalError }))
            }
            _ => None,
        })
    }

    /// How long the next message to this slot takes.
    pub(super) fn latency_to(&mut self, process: usize) -> Duration {
        let slot = self.processes[process].slot;
        self.network.latency(slot)
    }
}

/// What the ledger sees of a watch's answer.
fn opened() -> Answer {
    Answer { status: 200, content_type: "application/json", body: Bytes::new() }
}

fn response((answer, retry_after): (Answer, Option<&'static str>)) -> Response<AnswerBody> {
    let mut response =
        Response::builder().status(answer.status).header(header::CONTENT_TYPE, answer.content_type);
    if let Some(seconds) = retry_after {
        response = response.header(header::RETRY_AFTER, seconds);
    }
    response.body(whole(answer.body)).expect("a status and plain headers make a response")
}
