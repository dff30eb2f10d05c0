//! A deterministic world of several candidates, one API server and a network, all made from one seed.
//!
//! The electors are the real ones. Time is simulated: the world takes the earliest thing on its agenda, sets the
//! true time to it, lets it happen and checks the promises. First everything that the seed's plan holds goes wrong,
//! then nothing does: safety is checked throughout, liveness from then on.

mod act;
mod annotations;
mod api;
mod checks;
mod clocks;
mod faults;
mod network;
mod node;
mod plan;
mod queue;
mod rewind;
mod serve;
mod state_dirs;
pub(crate) mod stats;
mod writes;

use std::fmt;
use std::time::Duration;

use lease_core::{Event, ReleaseStyle, TimePrecision};

use api::Api;
use clocks::Clocks;
use faults::Fault;
use network::{LATENCY, Network};
use node::{Inward, Node};
use plan::{DRIFT, Plan};
use queue::{Happening, Queue};
use state_dirs::StateDir;
use stats::Stats;

/// A promise that was broken.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) rule: &'static str,
    pub(crate) at: Duration,
    pub(crate) what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at {:?}): {}", self.rule, self.at, self.what)
    }
}

/// The name of the environment variable that replays one seed, and prints what happens.
pub(crate) const SEED: &str = "LEASE_CORE_SEED";

/// Plays the schedule of one seed, with records whose times are so precise.
pub(crate) fn run(seed: u64, precision: TimePrecision) -> Result<Stats, Violation> {
    let mut world = World::new(seed, precision);
    world.play()?;
    Ok(world.stats)
}

/// Everything there is.
#[derive(Debug)]
pub(crate) struct World {
    rng: fastrand::Rng,
    plan: Plan,
    /// The true time.
    now: Duration,
    queue: Queue,
    api: Api,
    network: Network,
    nodes: Vec<Node>,
    dirs: Vec<StateDir>,
    /// Strikes with the next write that is sent.
    ambush: Option<Fault>,
    /// Whether the time of faults is over.
    calm: bool,
    requests: u64,
    works: u64,
    /// No process starts before.
    nobody_starts_before: Duration,
    /// How often etcd was restored.
    rewinds: u64,
    watcher: checks::Watcher,
    stats: Stats,
    tracing: bool,
}

impl World {
    fn new(seed: u64, precision: TimePrecision) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut plan = Plan::new(&mut rng);
        plan.nodes.iter_mut().for_each(|node| node.time_precision = precision);
        let nodes = plan.nodes.iter().map(|node| Node::new(Clocks::new(&mut rng, DRIFT), node.clone()));
        let nodes: Vec<_> = nodes.collect();
        let dirs = nodes.iter().map(|_| StateDir::default()).collect();
        let mut api = Api::new(precision);
        if let Some(record) = &plan.first {
            api.put(record.clone(), None);
        }
        Self {
            network: Network::new(plan.weather),
            rng,
            plan,
            now: Duration::ZERO,
            queue: Queue::default(),
            api,
            nodes,
            dirs,
            ambush: None,
            calm: false,
            requests: 0,
            works: 0,
            nobody_starts_before: Duration::ZERO,
            rewinds: 0,
            watcher: checks::Watcher::default(),
            stats: Stats::default(),
            tracing: std::env::var_os(SEED).is_some(),
        }
    }

    fn play(&mut self) -> Result<(), Violation> {
        self.trace(|| String::from("start"));
        self.queue.push(self.plan.calm_at, Happening::Calm);
        self.queue.push(self.plan.every, Happening::NextFault);
        for node in 0..self.nodes.len() {
            // They need not start together.
            self.nodes[node].down_until = Some(Duration::ZERO);
            let at = if self.rng.bool() { Duration::ZERO } else { self.plan.every.mul_f64(self.rng.f64()) };
            self.queue.push(at, Happening::Remedy { node });
        }
        self.pass_to(self.plan.calm_at + self.plan.recovery_bound() + self.plan.quiet())?;
        self.check_quiet()?;
        let bound = self.depose()?;
        self.pass_to(self.now + bound)?;
        self.check_succession(bound)
    }

    fn pass_to(&mut self, end: Duration) -> Result<(), Violation> {
        while let Some((at, happening)) = self.queue.pop_until(end) {
            self.now = at.max(self.now);
            self.happen(happening)?;
            self.check()?;
        }
        self.now = end;
        self.check()
    }

    /// In quiet times, the leader dies, restarts in place or steps down. Says how long it may take until somebody else leads.
    fn depose(&mut self) -> Result<Duration, Violation> {
        let Some(leader) = (0..self.nodes.len()).find(|&node| self.nodes[node].is_valid(self.now)) else {
            return Err(self.violation("somebody leads", String::from("nobody is valid at the end")));
        };
        self.watcher = checks::Watcher::default();
        let settings = self.nodes[leader].settings.clone();
        if settings.release == ReleaseStyle::Vacate && self.rng.bool() {
            self.receive(leader, Inward::Told(Event::StepDown { successor: None }))?;
            return Ok(self.plan.handover_bound());
        }
        self.nodes[leader].process = None;
        if self.proves_its_end(leader) && self.rng.bool() {
            self.stats.count("leader restarted in place");
            self.start(leader)?;
            return Ok(Plan::restart_bound(&settings));
        }
        Ok(self.plan.takeover_bound(&settings))
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::Alarm { node, number } => self.alarm(node, number),
            Happening::Arrival(request) => self.arrive(&request),
            Happening::Answer { node, request, answer } => {
                self.receive(node, Inward::Answer { request, answer })
            }
            Happening::Watch { node } => self.show(node),
            Happening::WorkEnd { node, work } => self.receive(node, Inward::WorkEnded(work)),
            Happening::WorkWrites { node, work } => {
                self.work_writes(node, work);
                Ok(())
            }
            Happening::WorkWriteLands { writer } => self.check_work_write(&writer),
            Happening::NextFault => self.next_fault(),
            Happening::Strike { node, fault } => self.strike(node, fault),
            Happening::Remedy { node } => self.remedy(node),
            Happening::Restored { after_outage } => {
                self.restore(after_outage);
                Ok(())
            }
            Happening::StrangerReleases => {
                self.stranger_releases();
                Ok(())
            }
            Happening::Calm => self.become_calm(),
        }
    }

    /// From here on nothing goes wrong: whoever was stopped goes on, whatever was held up arrives.
    fn become_calm(&mut self) -> Result<(), Violation> {
        self.trace(|| String::from("calm"));
        self.calm = true;
        self.network.calm();
        self.queue.hasten_messages(self.now + LATENCY);
        for node in 0..self.nodes.len() {
            self.remedy(node)?;
            let work = self.nodes[node].process.as_ref().and_then(|process| process.work.as_ref());
            if let Some(work) = work.filter(|work| work.ending) {
                let work = work.number;
                self.queue.push(self.now + LATENCY, Happening::WorkEnd { node, work });
            }
        }
        self.watcher.become_calm(self.now);
        Ok(())
    }

    fn start(&mut self, node: usize) -> Result<(), Violation> {
        let log = self.api.log().len();
        let identity = self.nodes[node].next_identity(node);
        let ended = self.open_state_dir(node, &identity);
        let at = &mut self.nodes[node];
        at.start(identity, ended, self.now);
        // The first list shows the last state only.
        at.watch = node::Watch { cursor: log.saturating_sub(1), ..node::Watch::default() };
        self.stir_watches();
        self.tell(node, Event::Timeout)
    }

    fn violation(&self, rule: &'static str, what: String) -> Violation {
        Violation { rule, at: self.now, what }
    }

    fn trace(&self, what: impl FnOnce() -> String) {
        if self.tracing {
            println!("{:>12.6} {}", self.now.as_secs_f64(), what());
        }
    }
}
