//! Deliberate faults. Each breaks one rule, so that the tests can prove that they would see it.
//!
//! Without the feature `mutants` (that is: everywhere but in tests) no mutant exists at run time: [`active`] is
//! `false` and the compiler drops the broken branch. The second test hook here is a pause point between the
//! gate's last check and the sending.

/// One rule, broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Mutant {
    /// A shard is released without draining: running reconciles go on, and nothing cuts their validity.
    SkipDrain = 1,
    /// Reconciles start before the cache has reached a list taken after the acquisition, from a list that may be old.
    NoBarrier,
    /// A label is restored from the key as it reads now, and not from the bucket recorded in status.
    StampFromKeyAgain,
    /// An object is reconciled by whoever its label names, whatever bucket is recorded in its status.
    LabelDecides,
    /// An object that leaves a shard's watch is taken for deleted, and its children are deleted, by a client without a gate.
    DeletedIsCleanUp,
    /// The gated client sends whatever it is given, valid or not.
    OpenGate,
    /// A replica works although the committed layout differs from its settings.
    IgnoreLayout,
    /// A reconciler's panic is not caught.
    LetPanicsThrough,
    /// A deleted resource's name is freed before its owner's last reconcile has ended.
    NoOwnerFinalizer,
    /// A new shard Lease is born released unless one of the same name existed, whatever other shards were held.
    NewLeaseGoesByItsName,
    /// The layout on the coordinator Lease stands whoever holds it, also an operator that does not shard.
    LayoutOfPredecessorStands,
    /// A deleted resource's name is freed although a write was given up on that may still land.
    NameFreedBesideUnanswered,
    /// A shard that was won is worked on without another look at the committed layout.
    LayoutNotConfirmed,
    /// Requests are waited for without a limit.
    NoRequestLimit,
    /// A list with one object that does not decode is refused as a whole.
    OneBadObjectStopsTheList,
}

impl Mutant {
    /// Every mutant there is, with its name in `SHARD_ROUTER_MUTANT`.
    pub const ALL: [(Self, &'static str); 15] = [
        (Self::SkipDrain, "skip-drain"),
        (Self::NoBarrier, "no-barrier"),
        (Self::StampFromKeyAgain, "stamp-from-key-again"),
        (Self::LabelDecides, "label-decides"),
        (Self::DeletedIsCleanUp, "deleted-is-clean-up"),
        (Self::OpenGate, "open-gate"),
        (Self::IgnoreLayout, "ignore-layout"),
        (Self::LetPanicsThrough, "let-panics-through"),
        (Self::NoOwnerFinalizer, "no-owner-finalizer"),
        (Self::NewLeaseGoesByItsName, "new-lease-goes-by-its-name"),
        (Self::LayoutOfPredecessorStands, "layout-of-predecessor-stands"),
        (Self::NameFreedBesideUnanswered, "name-freed-beside-unanswered"),
        (Self::LayoutNotConfirmed, "layout-not-confirmed"),
        (Self::NoRequestLimit, "no-request-limit"),
        (Self::OneBadObjectStopsTheList, "one-bad-object-stops-the-list"),
    ];
}

/// Whether this fault is switched on.
#[cfg(not(feature = "mutants"))]
#[inline]
pub const fn active(_: Mutant) -> bool {
    false
}

#[cfg(feature = "mutants")]
pub use switch::{activate, active};

/// The pause point between the gate's last check and the sending, for writes. Does nothing without the feature `mutants`;
/// see [`PausedWrite`] and `SHARD_ROUTER_PAUSE_BEFORE_SEND`.
#[cfg(not(feature = "mutants"))]
#[inline]
pub(crate) fn pause() {}

/// Returns when [`Mutant::DeletedIsCleanUp`] has deleted what it deletes. Without the feature `mutants` that is at once.
#[cfg(not(feature = "mutants"))]
pub fn cleaned_up() -> std::future::Ready<()> {
    std::future::ready(())
}

#[cfg(feature = "mutants")]
pub use switch::{PausedWrite, cleaned_up};
#[cfg(feature = "mutants")]
pub(crate) use switch::{clean_ups, pause};

#[cfg(feature = "mutants")]
mod switch {
    use std::{
        path::PathBuf,
        sync::{
            OnceLock,
            atomic::{AtomicU8, Ordering},
        },
        time::Duration,
    };

    use tokio_util::task::TaskTracker;

    use super::Mutant;

    static ACTIVE: AtomicU8 = AtomicU8::new(0);
    static FROM_ENVIRONMENT: OnceLock<Option<Mutant>> = OnceLock::new();
    const OFF: u8 = 0;
    const ARMED: u8 = 1;
    const REACHED: u8 = 2;
    static PAUSE: AtomicU8 = AtomicU8::new(OFF);
    static PAUSE_FILE: OnceLock<Option<PathBuf>> = OnceLock::new();

    /// The clean-ups of [`Mutant::DeletedIsCleanUp`].
    pub(crate) fn clean_ups() -> &'static TaskTracker {
        static RUNNING: OnceLock<TaskTracker> = OnceLock::new();
        RUNNING.get_or_init(|| {
            let tracker = TaskTracker::new();
            // So that it can be waited for; tasks are taken all the same.
            tracker.close();
            tracker
        })
    }

    /// See the stand-in of the same name.
    pub async fn cleaned_up() {
        clean_ups().wait().await;
    }

    /// Switches one fault on, or all off, for the whole process.
    pub fn activate(mutant: Option<Mutant>) {
        ACTIVE.store(mutant.map_or(0, |mutant| mutant as u8), Ordering::SeqCst);
    }

    /// Whether this fault is switched on, by [`activate`] or by `SHARD_ROUTER_MUTANT=<name>`.
    pub fn active(mutant: Mutant) -> bool {
        ACTIVE.load(Ordering::Relaxed) == mutant as u8
            || *FROM_ENVIRONMENT.get_or_init(from_environment) == Some(mutant)
    }

    /// Stops the next write of this process between the gate's last check and its sending, where nothing looks at the
    /// clock any more. It goes on when this is dropped.
    #[derive(Debug)]
    pub struct PausedWrite(());

    impl PausedWrite {
        /// Waits for the next write. At most one of these at a time.
        pub fn next() -> Self {
            PAUSE.store(ARMED, Ordering::SeqCst);
            Self(())
        }

        /// Whether the write is there.
        pub fn is_reached(&self) -> bool {
            PAUSE.load(Ordering::SeqCst) == REACHED
        }
    }

    impl Drop for PausedWrite {
        fn drop(&mut self) {
            PAUSE.store(OFF, Ordering::SeqCst);
        }
    }

    /// See the stand-in of the same name. Blocks the thread: a stopped process does no more than that.
    ///
    /// With `SHARD_ROUTER_PAUSE_BEFORE_SEND=<file>` every write waits here while the file exists, and `<file>.reached` says
    /// that one does: for processes that a test stops from outside.
    pub(crate) fn pause() {
        if PAUSE.compare_exchange(ARMED, REACHED, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            while PAUSE.load(Ordering::SeqCst) == REACHED {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        let file =
            PAUSE_FILE.get_or_init(|| std::env::var_os("SHARD_ROUTER_PAUSE_BEFORE_SEND").map(PathBuf::from));
        let Some(file) = file.as_ref().filter(|file| file.exists()) else { return };
        let mut reached = file.clone().into_os_string();
        reached.push(".reached");
        if let Err(error) = std::fs::write(&reached, std::process::id().to_string()) {
            tracing::error!(%error, "the pause point before sending could not be announced");
        }
        while file.exists() {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn from_environment() -> Option<Mutant> {
        let name = std::env::var("SHARD_ROUTER_MUTANT").ok()?;
        let mutant = Mutant::ALL.into_iter().find(|(_, known)| *known == name);
        assert!(
            mutant.is_some(),
            "SHARD_ROUTER_MUTANT={name} names no mutant; there are {:?}",
            Mutant::ALL.map(|(_, name)| name)
        );
        mutant.map(|(mutant, _)| mutant)
    }
}
