//! The API server's side: requests arrive and are carried out, watches show what changed.

use lease_core::{Event, Refusal};

use super::api::Change;
use super::network::{Fate, Problem};
use super::node::Inward;
use super::queue::{Answer, Happening, Request};
use super::{Violation, World};

impl World {
    /// A request reaches the API server.
    pub(crate) fn arrive(&mut self, request: &Request) -> Result<(), Violation> {
        let problem = self.network.problem(request.node, self.now, &mut self.rng);
        let answer = match &request.write {
            None => match problem {
                None => Answer::Read(self.api.version(), self.api.read().cloned()),
                Some(Problem::TooMany(retry_after)) => Answer::ReadFailed { retry_after },
                Some(_) => Answer::ReadFailed { retry_after: None },
            },
            Some(write) => match problem {
                None if self.refuses(&request.carries)? => {
                    self.stats.count("annotation refused");
                    Answer::Refused(write.attempt, Refusal::Rejected { retry_after: None })
                }
                None => match self.carry_out(request)? {
                    Ok(lease) => Answer::Landed(write.attempt, lease),
                    Err(()) => Answer::Refused(write.attempt, Refusal::Conflict),
                },
                Some(Problem::Conflict) => {
                    self.stats.count("409 on a write");
                    Answer::Refused(write.attempt, Refusal::Conflict)
                }
                Some(Problem::TooMany(retry_after)) => {
                    self.stats.count("429 on a write");
                    Answer::Refused(write.attempt, Refusal::Rejected { retry_after })
                }
                Some(Problem::Forbidden) => {
                    self.stats.count("403 on a write");
                    Answer::Refused(write.attempt, Refusal::Rejected { retry_after: None })
                }
                Some(Problem::Internal { done }) => {
                    if done {
                        self.stats.count("500 on a write that was carried out");
                        let _landed = self.carry_out(request)?;
                    } else {
                        self.stats.count("500 on a write that was not");
                    }
                    Answer::Unknown(write.attempt)
                }
            },
        };
        let is_write = request.write.is_some();
        match self.network.answer(request.node, self.now, &mut self.rng) {
            Fate::Lost if is_write => self.stats.count("answer to a write lost"),
            Fate::Delayed(_) if is_write => self.stats.count("answer to a write held up"),
            Fate::Lost => {}
            Fate::Delayed(latency) | Fate::Usual(latency) => {
                let (node, request) = (request.node, request.id);
                self.queue.push(self.now + latency, Happening::Answer { node, request, answer });
                return Ok(());
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, request: &Request) -> Result<Landing, Violation> {
        let Some(write) = &request.write else { return Ok(Err(())) };
        let before = self.api.read().cloned();
        let landing = self.api.write(write);
        self.trace(|| {
            let outcome = if landing.is_ok() { "landed" } else { "conflict" };
            format!("{outcome}: {:?} of {} at version {}", write.kind, request.writer, self.api.version())
        });
        if landing.is_ok() {
            let process = self.nodes[request.node].process.as_ref();
            let pending = process.and_then(|process| process.request.as_ref());
            if pending.is_none_or(|pending| pending.id != request.id) {
                self.stats.count("write landed when nobody waited for it any more");
            }
            self.check_landed(request, before.as_ref())?;
            self.stir_watches();
        }
        Ok(landing)
    }

    /// Lets the watches that show nothing at present, and could, show their next entry.
    pub(crate) fn stir_watches(&mut self) {
        for (node, at) in self.nodes.iter_mut().enumerate() {
            let behind = at.watch.cursor < self.api.log().len();
            if at.process.is_some() && behind && !at.watch.showing && at.watch.hung_until.is_none() {
                at.watch.showing = true;
                let latency = self.network.watch(&mut self.rng);
                self.queue.push(self.now + latency, Happening::Watch { node });
            }
        }
    }

    /// A watch shows its next entry.
    pub(crate) fn show(&mut self, node: usize) -> Result<(), Violation> {
        let watch = &mut self.nodes[node].watch;
        watch.showing = false;
        if watch.hung_until.is_some() {
            return Ok(());
        }
        let Some(change) = self.api.log().get(watch.cursor).cloned() else { return Ok(()) };
        watch.cursor += 1;
        self.stir_watches();
        let event = match change {
            Change::State(lease) => Event::Watched(lease),
            Change::Gone(uid) => Event::Vanished(uid),
            Change::Elsewhere => return Ok(()),
        };
        self.receive(node, Inward::Told(event))
    }
}

type Landing = Result<Option<lease_core::ObservedLease>, ()>;
