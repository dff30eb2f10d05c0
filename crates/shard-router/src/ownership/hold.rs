//! The rows of one hold.

use std::sync::Arc;

use lease_core::FencingToken;
use tokio::sync::watch;

use super::state::Shared;
use crate::fencing::RowKey;

/// The rows that one hold is entitled to. They are void when this is dropped.
pub(crate) struct HoldRows(Option<(Arc<Shared>, u64)>);

impl HoldRows {
    /// `None`: without fencing.
    pub(super) fn new(hold: Option<(Arc<Shared>, u64)>) -> Self {
        Self(hold)
    }

    /// These rows are needed, with this token.
    pub(crate) fn want(&self, rows: impl IntoIterator<Item = RowKey>, token: FencingToken) {
        if let Some((shared, hold)) = &self.0 {
            shared.want(*hold, rows, token);
        }
    }

    /// These rows are not needed any more.
    pub(crate) fn void<'a>(&self, rows: impl IntoIterator<Item = &'a RowKey>) {
        if let Some((shared, hold)) = &self.0 {
            shared.void(*hold, rows);
        }
    }

    /// Whether what this row is about may be started: the row is in the table, or could not be written for a while and is not required.
    pub(crate) fn is_ready(&self, row: RowKey) -> bool {
        self.0.as_ref().is_none_or(|(shared, hold)| shared.is_ready(*hold, row))
    }

    /// Resolves when it may.
    pub(crate) async fn ready(&self, row: RowKey) {
        let Some((shared, _)) = &self.0 else { return };
        let mut news = RowNews::new(Some(shared.news.subscribe()));
        loop {
            news.seen();
            if self.is_ready(row) {
                return;
            }
            news.changed().await;
        }
    }
}

impl Drop for HoldRows {
    fn drop(&mut self) {
        if let Some((shared, hold)) = &self.0 {
            shared.end(*hold);
        }
    }
}

/// Tells when a row may have become ready.
pub(crate) struct RowNews(Option<watch::Receiver<u64>>);

impl RowNews {
    pub(super) fn new(news: Option<watch::Receiver<u64>>) -> Self {
        Self(news)
    }

    /// Nothing until now is news.
    pub(crate) fn seen(&mut self) {
        if let Some(news) = &mut self.0 {
            news.mark_unchanged();
        }
    }

    /// Resolves when there is news. Never resolves without fencing.
    pub(crate) async fn changed(&mut self) {
        let changed = match &mut self.0 {
            Some(news) => news.changed().await.is_ok(),
            None => false,
        };
        if !changed {
            std::future::pending::<()>().await;
        }
    }
}
