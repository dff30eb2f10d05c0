//! Looks at all terms of a test all the time: of one Lease, no two may be valid at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use lease_core::{LeaseName, Term};

/// Between two looks.
const EVERY: Duration = Duration::from_micros(500);

#[derive(Default)]
struct Shared {
    terms: Mutex<Vec<Term>>,
    violations: Mutex<Vec<String>>,
    looks: AtomicU64,
    done: AtomicBool,
}

/// Collects every term that begins and samples their validity in a thread of its own, by the clock that they share.
pub(crate) struct Referee {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Referee {
    pub(crate) fn new() -> Self {
        let shared = Arc::new(Shared::default());
        let eyes = Arc::clone(&shared);
        let thread = std::thread::spawn(move || {
            while !eyes.done.load(Ordering::Relaxed) {
                eyes.look();
                std::thread::sleep(EVERY);
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// Work that is known to the referee and otherwise idle.
    pub(crate) fn work(&self) -> impl Fn(Term) -> BoxFuture<'static, ()> + Send + Sync + use<> {
        let shared = Arc::clone(&self.shared);
        move |term: Term| {
            shared.terms.lock().expect("no panic").push(term.clone());
            shared.look();
            async move { term.draining().await }.boxed()
        }
    }

    /// Every term that has begun so far.
    pub(crate) fn terms(&self) -> Vec<Term> {
        self.shared.terms.lock().expect("no panic").clone()
    }

    /// What was wrong so far, a sentence each, and the number of looks.
    pub(crate) fn verdict(&self) -> (Vec<String>, u64) {
        let violations = self.shared.violations.lock().expect("no panic").clone();
        (violations, self.shared.looks.load(Ordering::Relaxed))
    }
}

impl Drop for Referee {
    fn drop(&mut self) {
        self.shared.done.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn look(&self) {
        let terms = self.terms.lock().expect("no panic");
        let mut valid: HashMap<&LeaseName, &Term> = HashMap::new();
        for term in terms.iter().filter(|term| term.is_valid()) {
            // The other one is asked again: between the two looks it may have ended and the other begun.
            if let Some(other) = valid.insert(term.lease(), term)
                && other.is_valid()
                && term.is_valid()
            {
                self.violations.lock().expect("no panic").push(format!(
                    "{}: {} (token {}) and {} (token {}) are both valid",
                    term.lease(),
                    other.identity(),
                    other.token(),
                    term.identity(),
                    term.token()
                ));
            }
        }
        self.looks.fetch_add(1, Ordering::Relaxed);
    }
}
