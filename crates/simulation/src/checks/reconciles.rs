//! kube-testkit's checker, on exact clocks and with the truth about what was carried out.
//!
//! Nothing is allowed for clocks. A request may have been on its way for LeaseDuration − RenewDeadline when validity ended,
//! as the promise assumes; once another holds the shard, it may not. A 504 counts as accepted if it was carried out, and
//! not at all otherwise. Which shards go unowned is judged by [`super::unowned`], which knows what was wrong when.

use std::time::Duration;

use overlap_checker::records::{BootId, BootTime, CrKey, Record, RecordLog, Stamp, Uid};
use overlap_checker::{
    AuditEvent, AuditLog, CreatedCr, Fault, JudgedResource, Moment, Observations as Told, Owner, Rules,
    Timeline, WriteRules, judge_timeline,
};

use super::Check;
use super::bounds::Bounds;
use crate::observations::{Observations, ReceivedRequest};
use crate::profile;
use crate::time::TrueTime;

/// The namespace of all resources.
pub(super) const NAMESPACE: &str = "default";

/// The records on one clock, which is true time: a moment is so many nanoseconds after the start of the schedule. Whoever was killed holds nothing from
/// then on: the next process in its Pod may know.
pub(super) fn timeline(observations: &Observations) -> Timeline {
    let on_true_time: Vec<Record> = observations.records.iter().map(on_true_time).collect();
    let restores: Vec<Moment> = observations.restores.iter().map(|at| moment(*at)).collect();
    let mut timeline = Timeline::across_restores(&on_true_time, &restores);
    timeline.clock = timeline.clock.with_zero(Some(Moment(0)));
    let ended = observations.processes.iter().filter_map(|process| {
        let (at, _) = process.ended?;
        Some(Fault { replica: process.identity.clone(), at: stamp(at) })
    });
    timeline.of_ended(&ended.collect::<Vec<_>>())
}

/// True time of a moment of [`timeline`].
pub(super) fn true_time(at: Moment) -> TrueTime {
    TrueTime::after_start(at.since(Moment(0)))
}

fn moment(at: TrueTime) -> Moment {
    Moment(i64::try_from(at.nanos()).unwrap_or(i64::MAX))
}

/// The violations that kube-testkit's checker sees, a check each.
pub(super) fn checks(observations: &Observations, timeline: &Timeline, bounds: &Bounds) -> Vec<Check> {
    let rules = Rules {
        writes: WriteRules { judged: judged(), ..WriteRules::default() },
        clock_slack: Duration::ZERO,
        transit: observations.schedule.timings.margin(),
        unowned_bound: None,
        waiting_bound: Some(bounds.converged()),
    };
    let told = Told {
        records: RecordLog::default(),
        audit: Some(AuditLog {
            events: observations.requests.iter().filter_map(audited).collect(),
            malformed: 0,
        }),
        crs: created(observations),
        until: Some(stamp(observations.ended)),
        ..Told::default()
    };
    let verdict = judge_timeline(timeline, &told, &rules);
    // Missing records do not contradict anything; `liveness` says whether there should be some.
    let complete = verdict.coverage.reconciles > 0 && verdict.coverage.writes > 0;
    let mut records = Check::new("records");
    records.judged = observations.records.len() as u64;
    for problem in verdict.data_problems.into_iter().filter(|_| complete) {
        records.violated(None, problem);
    }
    let checks = verdict.checks.into_iter().filter(|check| check.not_run.is_none()).map(|seen| {
        let mut check = Check::new(seen.name);
        check.judged = seen.examined - seen.undecided.min(seen.examined);
        for violation in seen.violations {
            let at = violation.second.or(violation.first).map(|interval| true_time(interval.from));
            check.violated(at, violation.sentence);
        }
        check
    });
    checks.chain([records]).collect()
}

/// What reconciles write to: group, resource, how it leads to its CR, and the kind of that, as records have it.
const WRITTEN: [(&str, &str, Owner, &str); 5] = [
    (memcached_operator::crd::DOMAIN, "memcacheds", Owner::Itself, ""),
    ("apps", "statefulsets", Owner::SameName, ""),
    ("", "services", Owner::SameName, ""),
    ("policy", "poddisruptionbudgets", Owner::SameName, ""),
    (profile::GROUP, profile::PLURAL, Owner::Itself, profile::KIND),
];

fn judged() -> Vec<JudgedResource> {
    WRITTEN
        .iter()
        .map(|(group, resource, owner, kind)| {
            JudgedResource::new(group, resource, owner.clone()).of_kind(kind)
        })
        .collect()
}

/// The resource to whose reconciles a write to this place belongs, if it is a place that reconciles write to.
pub(super) fn written_for(place: &Place<'_>) -> Option<CrKey> {
    let (.., kind) =
        WRITTEN.iter().find(|(group, resource, ..)| (place.group, place.resource) == (*group, *resource))?;
    (!place.name.is_empty()).then(|| CrKey::new(NAMESPACE, place.name).of_kind(*kind))
}

/// What users have not deleted has to be stamped and reconciled within the bound of the quiet phase.
fn created(observations: &Observations) -> Vec<CreatedCr> {
    let waiting = |cr: CrKey, uid: &str, created: TrueTime| CreatedCr {
        cr,
        uid: Some(Uid(uid.to_owned())),
        created: stamp(created.max(observations.quiet_from)),
        deleted: None,
    };
    let memcacheds = observations.desired.iter().map(|(name, wish)| (name, "", &wish.uid, wish.created));
    let profiles =
        observations.profiles.iter().map(|(name, wish)| (name, profile::KIND, &wish.uid, wish.created));
    memcacheds
        .chain(profiles)
        .map(|(name, kind, uid, created)| {
            waiting(CrKey::new(NAMESPACE, name.as_str()).of_kind(kind), uid, created)
        })
        .collect()
}

/// The boot clock is true time already; with the wall clock on the same axis, audit log and records are too.
fn on_true_time(record: &Record) -> Record {
    let wall = jiff::Timestamp::from_nanosecond(i128::from(record.boot.0)).unwrap_or(jiff::Timestamp::MAX);
    Record { wall, boot_id: boot_id(), ..record.clone() }
}

fn stamp(at: TrueTime) -> Stamp {
    Stamp { boot: BootTime(at.nanos()), boot_id: boot_id() }
}

fn boot_id() -> BootId {
    BootId(String::new())
}

/// The audit log's line of a request that was carried out, if it was a write to a resource.
fn audited(request: &ReceivedRequest) -> Option<AuditEvent> {
    if !request.landed {
        return None;
    }
    let verb = verb(&request.method)?;
    let path = request.uri.split('?').next().unwrap_or_default();
    let place = Place::of(path)?;
    let at = moment(request.arrived);
    Some(AuditEvent {
        verb: if verb == "delete" && place.name.is_empty() { "deletecollection" } else { verb }.to_owned(),
        user: String::new(),
        user_agent: request.user_agent.clone(),
        uri: request.uri.clone(),
        group: place.group.to_owned(),
        resource: place.resource.to_owned(),
        subresource: place.subresource.to_owned(),
        namespace: place.namespace.to_owned(),
        name: place.name.to_owned(),
        received: at,
        answered: at,
        // What was answered matters to its client; here it matters that it was carried out.
        code: 200,
    })
}

fn verb(method: &str) -> Option<&'static str> {
    match method {
        "POST" => Some("create"),
        "PUT" => Some("update"),
        "PATCH" => Some("patch"),
        "DELETE" => Some("delete"),
        _ => None,
    }
}

/// What a path names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) group: &'a str,
    pub(super) namespace: &'a str,
    pub(super) resource: &'a str,
    pub(super) name: &'a str,
    pub(super) subresource: &'a str,
}

impl<'a> Place<'a> {
    pub(super) fn of(path: &'a str) -> Option<Self> {
        let mut parts = path.trim_matches('/').split('/');
        let mut place = Self::default();
        match parts.next()? {
            "api" => {}
            "apis" => place.group = parts.next()?,
            _ => return None,
        }
        let _version = parts.next()?;
        place.resource = parts.next()?;
        let rest: Vec<&str> = parts.collect();
        let rest = match (place.resource, rest.as_slice()) {
            ("namespaces", [namespace, resource, rest @ ..]) => {
                (place.namespace, place.resource) = (namespace, resource);
                rest
            }
            (_, rest) => rest,
        };
        place.name = rest.first().copied().unwrap_or_default();
        place.subresource = rest.get(1).copied().unwrap_or_default();
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::super::run_builder::{RunBuilder, only, only_of, passes};
    use super::*;

    #[test]
    fn paths_are_read() {
        let place = Place::of("/apis/apps/v1/namespaces/default/statefulsets/m/status").expect("a resource");
        let Place { group, namespace, resource, name, subresource } = place;
        assert_eq!(
            (group, namespace, resource, name, subresource),
            ("apps", "default", "statefulsets", "m", "status")
        );
        let core = Place::of("/api/v1/namespaces/default/services").expect("a resource");
        assert_eq!((core.group, core.resource, core.name), ("", "services", ""));
        let all = Place::of("/apis/cache.example.com/v1alpha1/memcacheds").expect("a resource");
        assert_eq!((all.resource, all.namespace), ("memcacheds", ""));
        assert_eq!(Place::of("/healthz"), None);
    }

    const SERVICE: &str = "/api/v1/namespaces/default/services/m-0?fieldManager=x";

    /// A holds shard 0 until 60 s, though it reconciled only until 50 s; then B.
    fn handed_over() -> RunBuilder {
        let mut run = RunBuilder::settled();
        run.runs("a", 0, 0).runs("b", 1, 0);
        run.holds("a", 0, 20_000, 50_000).reconciled("a", 0, "m-0", 40_000, 41_000);
        run.holds("b", 0, 66_000, 80_000).reconciled("b", 0, "m-0", 67_000, 68_000);
        run.request("a", "PATCH", SERVICE, 40_500, 200);
        run
    }

    /// A's write, sent in time.
    fn arrives(run: &mut RunBuilder, when: u64) {
        run.request("a", "PATCH", SERVICE, when, 200);
        run.observations.requests.last_mut().expect("told").sent = super::super::run_builder::at(59_000);
    }

    #[test]
    fn a_write_is_judged_at_its_arrival() {
        passes(&handed_over());
        let mut late = handed_over();
        arrives(&mut late, 66_500);
        let sentences = only(&late, "writes");
        assert!(
            sentences[0].contains("patch of services default/m-0 from a_1 at +66.500000 s"),
            "{sentences:?}"
        );
    }

    #[test]
    fn a_request_may_be_on_its_way_for_the_margin_while_nobody_else_holds_the_shard() {
        let mut run = handed_over();
        arrives(&mut run, 64_900);
        passes(&run);
        let mut run = handed_over();
        arrives(&mut run, 65_100);
        only(&run, "writes");
    }

    #[test]
    fn of_a_504_counts_whether_it_was_carried_out() {
        for landed in [true, false] {
            let mut run = handed_over();
            run.request("a", "PATCH", SERVICE, 66_500, 504);
            run.observations.requests.last_mut().expect("told").landed = landed;
            only_of(&run, "writes", usize::from(landed));
        }
    }

    #[test]
    fn an_overlap_is_caught() {
        let mut run = handed_over();
        run.reconciled("b", 0, "m-0", 40_600, 40_700);
        assert!(!only_of(&run, "overlap", 1).is_empty());
    }

    #[test]
    fn records_that_contradict_each_other_are_a_violation() {
        let mut run = handed_over();
        run.record(
            "a",
            59_000,
            serde_json::json!({"record": "end", "cr": "default/m-0", "reconcile": 99, "outcome": "ok"}),
        );
        only(&run, "records");
    }
}
