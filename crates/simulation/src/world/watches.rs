//! The watches that are open, and what they show.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use embedded_apiserver::Watch;
use http::{Request, Response, header};
use serde_json::Value;
use tokio::sync::mpsc;

use super::child::Child;
use super::request::is_of_leases;
use super::{ServerEvent, World};
use crate::schedule::{FaultKind, Slot};
use crate::time::TrueTime;
use crate::transport::{AnswerBody, Broken, stream};

const BOOKMARKS: Duration = Duration::from_secs(60);

/// How long a watch lasts that does not say.
const LONGEST: Duration = Duration::from_mins(45);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct WatchId(u64);

/// What a watch's connection carries.
type Frame = Result<Bytes, Broken>;

#[derive(Default)]
pub(super) struct Watches {
    open: BTreeMap<WatchId, Open>,
    /// Those that are dead. Kept, as their clients would see an end otherwise.
    dead: Vec<mpsc::UnboundedSender<Frame>>,
    opened: u64,
    /// Up to which revision, and to which watch, everything has been shown.
    shown: (u64, u64),
}

struct Open {
    process: usize,
    of: Watched,
    watch: Watch,
    frames: mpsc::UnboundedSender<Frame>,
    /// When what was sent last arrives: a stream keeps its order.
    last: TrueTime,
    /// What it should have shown while it hung.
    held_back: Vec<Bytes>,
}

/// What a watch is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    Leases,
    /// Children of this kind, by its plural.
    Children(&'static str),
    Other,
}

impl Watched {
    pub(super) fn by(request: &Request<Bytes>) -> Self {
        match Child::kind_asked_for(request) {
            Some(plural) => Self::Children(plural),
            None if is_of_leases(request) => Self::Leases,
            None => Self::Other,
        }
    }
}

impl Watches {
    /// The server closes it, as it does when its time is over.
    pub(super) fn end(&mut self, id: WatchId) {
        // What is under way still arrives: it has senders of its own.
        self.open.remove(&id);
    }

    /// Its connection is dead: it shows nothing any more, not even its end.
    pub(super) fn kill(&mut self, id: WatchId) {
        if let Some(open) = self.open.remove(&id) {
            self.dead.retain(|frames| !frames.is_closed());
            self.dead.push(open.frames);
        }
    }

    pub(super) fn is_of_leases(&self, id: WatchId) -> bool {
        self.open.get(&id).is_some_and(|open| open.of == Watched::Leases)
    }

    /// Forgets those whose clients are gone.
    fn sweep(&mut self) {
        self.open.retain(|_, open| !open.frames.is_closed());
    }

    fn of(&self, mut process: impl FnMut(usize) -> bool) -> Vec<WatchId> {
        self.open.iter().filter(|(_, open)| process(open.process)).map(|(id, _)| *id).collect()
    }
}

impl World {
    pub(super) fn open_watch(
        &mut self,
        process: usize,
        at: TrueTime,
        answered: TrueTime,
        watch: Watch,
        of: Watched,
    ) -> Response<AnswerBody> {
        let (frames, body) = stream();
        self.watches.opened += 1;
        let id = WatchId(self.watches.opened);
        let lasts = watch.timeout().unwrap_or(LONGEST);
        let bookmarks = watch.wants_bookmarks();
        let open = Open { process, of, watch, frames, last: answered, held_back: Vec::new() };
        self.watches.open.insert(id, open);
        self.serve_at(at + lasts, ServerEvent::WatchEnds(id));
        if bookmarks {
            self.serve_at(at + BOOKMARKS, ServerEvent::Bookmark(id));
        }
        Response::builder()
            .header(header::CONTENT_TYPE, "application/json")
            .body(body)
            .expect("a plain header makes a response")
    }

    /// Shows all watches what is new, and those that are new what there is.
    pub(super) fn show_changes(&mut self, at: TrueTime) {
        let revision = self.api.machine().revision();
        let seen = (revision, self.watches.opened);
        if std::mem::replace(&mut self.watches.shown, seen) == seen {
            return;
        }
        self.watches.sweep();
        self.update_workloads(at);
        let ids: Vec<WatchId> = self.watches.open.keys().copied().collect();
        for id in ids {
            let Some(open) = self.watches.open.get_mut(&id) else { continue };
            let lines = self.api.machine().next_lines(&mut open.watch);
            let over = open.watch.has_ended();
            for line in lines {
                self.show(at, id, line);
            }
            if over {
                self.watches.end(id);
            }
        }
    }

    pub(super) fn bookmark(&mut self, at: TrueTime, id: WatchId) {
        let Some(open) = self.watches.open.get_mut(&id) else { return };
        if let Some(bookmark) = self.api.machine().bookmark(&mut open.watch) {
            self.show(at, id, Bytes::from(format!("{bookmark}\n")));
        }
        self.serve_at(at + BOOKMARKS, ServerEvent::Bookmark(id));
    }

    fn show(&mut self, at: TrueTime, id: WatchId, line: Bytes) {
        let Some(open) = self.watches.open.get_mut(&id) else { return };
        let slot = self.processes[open.process].slot;
        if let Some(fault) = self.network.hung(slot) {
            open.held_back.push(line);
            self.run_log.touch_message(fault);
            return;
        }
        self.carry(at, id, Ok(line));
    }

    /// Puts something on a watch's connection.
    fn carry(&mut self, at: TrueTime, id: WatchId, frame: Frame) {
        let Some(open) = self.watches.open.get(&id) else { return };
        let (process, of, frames, last) = (open.process, open.of, open.frames.clone(), open.last);
        let lag = self.lag(process, id);
        let arrives = (at + self.latency_to(process) + lag).max(last);
        if let (Watched::Children(plural), Ok(line)) = (of, &frame)
            && let Ok(event) = serde_json::from_slice::<Value>(line)
        {
            self.note_shown(process, at, arrives, plural, &event["object"]);
            if let Some(child) = Child::of_kind(plural, &event["object"]) {
                self.change_after_read(arrives, &child);
            }
        }
        self.deliver(process, arrives, move || drop(frames.send(frame)));
        if let Some(open) = self.watches.open.get_mut(&id) {
            open.last = arrives;
        }
    }

    /// How much this watch lags, if watches do: always the same for one watch, and another for each.
    fn lag(&mut self, process: usize, id: WatchId) -> Duration {
        let slot = self.processes[process].slot;
        let lagging = self.network.faults().find_map(|(number, fault)| match fault {
            FaultKind::LagWatches { slot: whose, by } if *whose == slot => Some((number, *by)),
            _ => None,
        });
        let Some((fault, by)) = lagging else { return Duration::ZERO };
        self.run_log.touch_message(fault);
        by.mul_f64(fastrand::Rng::with_seed(id.0 ^ self.schedule.seed).f64())
    }

    /// Watches that hung go on, late, or break. To be called after the fault has ended.
    pub(super) fn release_watches(&mut self, slot: Slot) {
        if self.network.hung(slot).is_some() {
            return;
        }
        for id in self.watches_of(slot) {
            let Some(open) = self.watches.open.get_mut(&id) else { continue };
            let held_back = std::mem::take(&mut open.held_back);
            if held_back.is_empty() || self.rng.bool() {
                for line in held_back {
                    self.carry(self.now, id, Ok(line));
                }
            } else {
                self.carry(self.now, id, Err(Broken::Reset));
                self.watches.end(id);
            }
        }
    }

    /// Breaks some of a slot's watches, each in one of the ways in which connections break.
    pub(super) fn tear_watches(&mut self, slot: Slot, fault: usize) {
        for id in self.watches_of(slot) {
            let kind = self.rng.u8(..4);
            if kind == 0 {
                continue;
            }
            self.run_log.touch_message(fault);
            match kind {
                1 => {}
                2 => self.carry(self.now, id, Ok(Bytes::from_static(b"{\"type\":\"MODIFIED\",\"obj"))),
                _ => self.carry(self.now, id, Err(Broken::Reset)),
            }
            self.watches.end(id);
        }
    }

    /// Breaks all watches of these slots, as a restart of the server does.
    pub(super) fn cut_watches(&mut self, whose: impl Fn(Slot) -> bool) {
        for id in self.watches.of(|process| whose(self.processes[process].slot)) {
            self.carry(self.now, id, Err(Broken::Reset));
            self.watches.end(id);
        }
    }

    /// A process is gone, and its connections with it.
    pub(super) fn forget_watches(&mut self, process: usize) {
        for id in self.watches.of(|other| other == process) {
            self.watches.end(id);
        }
    }

    pub(super) fn watches_of(&self, slot: Slot) -> Vec<WatchId> {
        self.watches.of(|process| self.processes[process].slot == slot)
    }
}
