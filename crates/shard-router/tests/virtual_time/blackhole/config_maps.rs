//! Reads of ConfigMaps that no label selects: which were sent, and watches that hang.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use http::{Method, Request, header::ACCEPT};

#[derive(Clone, Default)]
pub(super) struct ConfigMaps {
    reads: Arc<Mutex<Vec<&'static str>>>,
    /// Of the watches that began since the last time that they hung.
    hung: Arc<Mutex<Arc<AtomicBool>>>,
}

impl ConfigMaps {
    /// Notes a request. For a watch, returns whether it hangs.
    pub(super) fn observe<B>(&self, request: &Request<B>) -> Option<Arc<AtomicBool>> {
        let query = request.uri().query().unwrap_or_default();
        if request.method() != Method::GET
            || !request.uri().path().ends_with("/configmaps")
            || query.contains("labelSelector")
        {
            return None;
        }
        let accept =
            request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        let (watches, metadata) = (query.contains("watch=true"), accept.contains("as=PartialObjectMetadata"));
        self.reads.lock().expect("no panic").push(match (watches, metadata) {
            (false, false) => "list",
            (false, true) => "metadata list",
            (true, false) => "watch",
            (true, true) => "metadata watch",
        });
        watches.then(|| self.hung.lock().expect("no panic").clone())
    }

    pub(super) fn reads(&self) -> Vec<&'static str> {
        self.reads.lock().expect("no panic").clone()
    }

    pub(super) fn hang(&self) {
        std::mem::take(&mut *self.hung.lock().expect("no panic")).store(true, Ordering::Relaxed);
    }
}
