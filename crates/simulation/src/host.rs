//! The machine that one process of a replica runs on: a runtime of its own, which stands still unless it is told to run.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::{advance, sleep_until};

use crate::clock::MachineClock;
use crate::time::TrueTime;

/// Something that reaches the machine from outside, at its time.
pub(crate) type Delivery = Box<dyn FnOnce()>;

/// A machine.
pub(crate) struct Host {
    runtime: Runtime,
    clock: Arc<MachineClock>,
    /// What is under way to it, by time of arrival and order of sending.
    inbox: BTreeMap<(TrueTime, u64), Delivery>,
    /// Since when it stands still, and how; `None` while it runs.
    still: Option<(TrueTime, Stillness)>,
}

/// Why a machine stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stillness {
    /// The process is stopped; its clocks go on.
    Stopped,
    /// The machine is suspended; CLOCK_MONOTONIC stands still as well.
    Suspended,
}

impl Host {
    /// A machine on which `main` runs.
    ///
    /// # Errors
    /// The operating system refuses a runtime.
    pub(crate) fn boot(
        clock: Arc<MachineClock>,
        main: impl Future<Output = ()> + Send + 'static,
    ) -> std::io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build()?;
        {
            let _inside = runtime.enter();
            clock.begin();
        }
        runtime.spawn(main);
        Ok(Self { runtime, clock, inbox: BTreeMap::new(), still: None })
    }

    /// Whether it runs.
    pub(crate) fn is_running(&self) -> bool {
        self.still.is_none()
    }

    /// Hands it something at an instant that is not in its past. `order` breaks ties.
    pub(crate) fn deliver(&mut self, at: TrueTime, order: u64, delivery: Delivery) {
        self.inbox.insert((at, order), delivery);
    }

    /// Lets it run until `until`.
    pub(crate) fn run_until(&mut self, until: TrueTime) {
        if self.still.is_some() {
            return;
        }
        let later = self.inbox.split_off(&(until, 0));
        let due = std::mem::replace(&mut self.inbox, later);
        let clock = &self.clock;
        self.runtime.block_on(async {
            for ((at, _), delivery) in due {
                sleep_until(clock.instant(at)).await;
                delivery();
            }
            sleep_until(clock.instant(until)).await;
        });
    }

    /// It stands still from now on.
    pub(crate) fn stop(&mut self, now: TrueTime, how: Stillness) {
        self.still.get_or_insert((now, how));
    }

    /// It goes on. Whatever should have happened meanwhile is due at once.
    pub(crate) fn go_on(&mut self, now: TrueTime) {
        let Some((since, how)) = self.still.take() else { return };
        let missed = now.since(since);
        match how {
            Stillness::Suspended => self.clock.slept(missed),
            Stillness::Stopped => self.leap(missed),
        }
    }

    /// The clock jumps; nothing runs in between.
    fn leap(&self, missed: Duration) {
        let missed = missed.mul_f64(self.clock.rate());
        let _inside = self.runtime.enter();
        // Not awaited: what it would wait for is that others get to run, and they do with the next `run_until`.
        let mut leap = std::pin::pin!(advance(missed));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let _ = leap.as_mut().poll(&mut context);
    }

    /// It is gone, and with it whatever ran on it.
    pub(crate) fn destroy(self) {
        self.runtime.shutdown_background();
    }
}
