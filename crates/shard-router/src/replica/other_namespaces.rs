//! Reports replicas that watch other namespaces than this one; see [`crate::membership::watched_namespaces`] for why nothing else follows.

use std::{collections::BTreeSet, time::Duration};

use lease_core::{Identity, Monotonic};

use crate::membership::{cluster_view::ClusterView, watched_namespaces::WatchedNamespaces};

/// How often it is logged that the difference is still there.
const REMINDER: Duration = Duration::from_hours(1);

/// How many replicas a sentence names.
const NAMED: usize = 3;

/// What this replica has said about the namespaces of others.
#[derive(Debug)]
pub(super) struct OtherNamespaces {
    me: Identity,
    own: WatchedNamespaces,
    reported: Option<Reported>,
}

#[derive(Debug)]
struct Reported {
    at: Monotonic,
    /// Not by replica: a rolling update replaces one after the other, and the sentence is the same for all of them.
    settings: BTreeSet<WatchedNamespaces>,
}

/// What to log.
#[derive(Debug, PartialEq, Eq)]
enum News {
    Differ(String),
    Agree,
}

impl OtherNamespaces {
    pub(super) fn new(me: Identity, own: WatchedNamespaces) -> Self {
        Self { me, own, reported: None }
    }

    /// Takes in what the living replicas say, and logs what is new. Returns how many differ from this one.
    ///
    /// A replica of a version that does not say what it watches counts as one that agrees.
    pub(super) fn observe(&mut self, view: &ClusterView, now: Monotonic) -> usize {
        let living = view.membership.watched_namespaces();
        let others: Vec<_> = living.filter(|(who, what)| **who != self.me && **what != self.own).collect();
        match self.news(&others, view.coordinator.as_ref(), now) {
            Some(News::Differ(sentence)) => tracing::warn!("{sentence}"),
            Some(News::Agree) => tracing::info!("all replicas watch the same namespaces again"),
            None => {}
        }
        others.len()
    }

    fn news(
        &mut self,
        others: &[(&Identity, &WatchedNamespaces)],
        coordinator: Option<&Identity>,
        now: Monotonic,
    ) -> Option<News> {
        if others.is_empty() {
            return self.reported.take().map(|_| News::Agree);
        }
        let settings: BTreeSet<_> = others.iter().map(|(_, what)| (*what).clone()).collect();
        let is_known = self.reported.as_ref().is_some_and(|reported| {
            settings.is_subset(&reported.settings) && now.duration_since(reported.at) < REMINDER
        });
        if is_known {
            return None;
        }
        self.reported = Some(Reported { at: now, settings });
        Some(News::Differ(self.sentence(others, coordinator)))
    }

    fn sentence(&self, others: &[(&Identity, &WatchedNamespaces)], coordinator: Option<&Identity>) -> String {
        let name = |(who, what): &(&Identity, &WatchedNamespaces)| {
            let role = if coordinator == Some(*who) { " (the coordinator)" } else { "" };
            format!("{who}{role} watches {what}")
        };
        let mut named: Vec<String> = others.iter().take(NAMED).map(name).collect();
        if others.len() > NAMED {
            named.push(format!("{} more differ", others.len() - NAMED));
        }
        format!(
            "replicas of this installation watch different namespaces: this one watches {}, {}; resources in a namespace that the owner of \
             their shard does not watch are reconciled by nobody; if this is not a rolling update, configure the same namespaces for all replicas",
            self.own,
            named.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    fn watched(names: &[&str]) -> WatchedNamespaces {
        WatchedNamespaces::of(&names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn identity(name: &str) -> Identity {
        Identity::new(name).unwrap()
    }

    struct Others {
        observed: OtherNamespaces,
        coordinator: Identity,
    }

    impl Others {
        fn new() -> Self {
            let observed = OtherNamespaces::new(identity("me_1"), watched(&["team-a"]));
            Self { observed, coordinator: identity("b_1") }
        }

        fn news(&mut self, second: u64, others: &[(&str, &[&str])]) -> Option<News> {
            let others: Vec<_> = others.iter().map(|(who, names)| (identity(who), watched(names))).collect();
            let others: Vec<_> = others.iter().map(|(who, what)| (who, what)).collect();
            self.observed.news(&others, Some(&self.coordinator), at(second))
        }
    }

    #[test]
    fn the_sentence_says_what_is_wrong_where_and_what_to_do() {
        let others: &[(&str, &[&str])] = &[("b_1", &["team-a", "team-b"]), ("c_1", &[])];
        let sentence = "replicas of this installation watch different namespaces: this one watches namespaces team-a, b_1 (the coordinator) \
                        watches namespaces team-a,team-b, c_1 watches all namespaces; resources in a namespace that the owner of their shard \
                        does not watch are reconciled by nobody; if this is not a rolling update, configure the same namespaces for all replicas";
        assert_eq!(Others::new().news(0, others), Some(News::Differ(sentence.to_owned())));
        let many: Vec<(&str, &[&str])> =
            ["b_1", "c_1", "d_1", "e_1", "f_1"].into_iter().map(|who| (who, &["team-b"][..])).collect();
        let Some(News::Differ(sentence)) = Others::new().news(0, &many) else { panic!("it is said") };
        assert!(sentence.contains("d_1 watches namespaces team-b, 2 more differ;"), "{sentence}");
    }

    #[test]
    fn a_rolling_update_is_reported_once_and_its_end_too() {
        let mut others = Others::new();
        let old: (&str, &[&str]) = ("b_1", &["team-b"]);
        assert!(matches!(others.news(0, &[old]), Some(News::Differ(_))));
        assert_eq!(others.news(1, &[old, ("c_1", &["team-b"])]), None, "another replica of the same setting");
        assert_eq!(others.news(2, &[("c_1", &["team-b"])]), None);
        assert_eq!(others.news(3, &[]), Some(News::Agree));
        assert_eq!(others.news(4, &[]), None);
        assert!(matches!(others.news(5, &[old]), Some(News::Differ(_))), "the next one");
    }

    #[test]
    fn another_setting_is_reported_at_once_and_one_that_stays_every_hour() {
        let mut others = Others::new();
        let reported: Vec<u64> = (0..=7_300)
            .filter(|second| {
                let setting: &[&str] = if *second < 100 { &["team-b"] } else { &["team-c"] };
                others.news(*second, &[("b_1", setting)]).is_some()
            })
            .collect();
        assert_eq!(reported, [0, 100, 3_700, 7_300]);
    }
}
