//! Status and tables of fixed Leases.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use lease_core::{LeaderElectionId, NOBODY};
use serde_json::json;

use super::{
    assess::{Counts, Leases},
    counts::KindCounts,
    report::{HoldState, MemberState, Status, Verdict},
};
use crate::{
    names::Names,
    routing::{
        bucket::{Bucket, ShardId},
        layout::Layout,
    },
};

const ID: &str = "web.example.com";
const KIND: &str = "Site.example.com";

fn now() -> Timestamp {
    "2026-05-01T12:00:00Z".parse().unwrap()
}

fn names() -> Names {
    Names::new(LeaderElectionId::new(ID).unwrap(), "example.com")
}

/// Renewed so many seconds ago, and acquired ten minutes ago.
fn lease(name: &str, holder: &str, renewed: i64, annotations: &[(&str, &str)]) -> Lease {
    let at = |ago: i64| Some(MicroTime(now() - SignedDuration::from_secs(ago)));
    let annotations =
        annotations.iter().map(|(key, value)| (format!("example.com/{key}"), (*value).to_owned()));
    Lease {
        metadata: ObjectMeta {
            name: Some(format!("{ID}{name}")),
            annotations: Some(annotations.collect()),
            ..ObjectMeta::default()
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(holder.to_owned()),
            lease_duration_seconds: Some(15),
            acquire_time: at(600),
            renew_time: at(renewed),
            lease_transitions: Some(2),
            ..LeaseSpec::default()
        }),
    }
}

fn layout(generation: u64, more: &str) -> String {
    format!(
        r#"{{"generation":{generation},"kind":"{KIND},Zone.example.com=unsharded","hashVersion":1,{more}}}"#
    )
}

fn settled() -> String {
    layout(1, r#""shards":3,"settled":true"#)
}

/// Three shards: one is held, one has expired, and one is free. `b` drains.
fn leases() -> Vec<Lease> {
    let expired = r#"{"reason":"expired","from":"c_9","to":"a_1","transitions":2}"#;
    let handed_over = r#"{"reason":"handed-over","from":"a_1","to":"b_2","transitions":2}"#;
    let plan = r#"{"generation":4,"layout":1,"members":["a_1"],"shards":[0,0,0]}"#;
    let version = ("version", "web/1.2.3");
    vec![
        lease(
            "",
            "a_1",
            1,
            &[("layout", &settled()), ("plan", plan), ("coordinator", "a_1"), ("installation", "ops/web")],
        ),
        lease("-shard-0", "a_1", 1, &[("takeover", expired), ("layout", &settled())]),
        lease("-shard-1", "b_2", 20, &[("takeover", handed_over), ("layout", &settled())]),
        lease("-shard-2", "", 1, &[]),
        lease("-member-0a", "a_1", 1, &[("watched-namespaces", "*"), version]),
        lease(
            "-member-0b",
            "b_2",
            2,
            &[("watched-namespaces", "team-a,team-b"), ("draining", "true"), version],
        ),
        lease("-member-0c", "c_9", 300, &[]),
        lease("x", "somebody_else", 1, &[]),
    ]
}

/// Two sites in shard 0 and one in shard 1; two more belong to no bucket.
fn counts() -> Counts {
    let layout: Layout = serde_json::from_str(&settled()).unwrap();
    let [first, second] = [0, 1].map(|shard| layout.buckets_of(ShardId(shard))[0].to_string());
    let mut sites = KindCounts::default();
    for label in [Some(first.as_str()), Some(&first), Some(&second), None, Some("seven")] {
        sites.add(label);
    }
    let mut zones = KindCounts::default();
    zones.add(None);
    Counts::from([(KIND.to_owned(), Ok(sites)), ("Zone.example.com".to_owned(), Ok(zones))])
}

fn status_of(leases: &[Lease], counts: &Counts) -> Status {
    Leases::of(&names(), leases, now()).status("ops", counts)
}

#[test]
fn the_tables_read_like_those_of_kubectl() {
    let status = status_of(&leases(), &counts());
    let expected = "\
LAYOUT   SHARDS   KEY              HASH   COORDINATOR   CHANGE
1        3        namespace/name   1      a             settled

SHARD       STATE     HOLDER   AGE   REASON        FROM     TRANSITIONS   RESOURCES
0           Held      a        10m   expired       c        2             2
1           Expired   b        10m   handed-over   a        2             1
2           Free      <none>   10m   <none>        <none>   2             0
unsharded   Held      a        10m   <none>        <none>   2             1

MEMBER   STATE      SHARDS   COORDINATOR   VERSION     NAMESPACES
a        Alive      1        yes           web/1.2.3   <all>
b        Draining   1        no            web/1.2.3   team-a,team-b
c        Expired    0        no            <none>      <none>
";
    let table = status.table(false);
    assert_eq!(table, expected, "\n{table}");
    let wide = status.table(true);
    assert!(wide.contains("b_2      10m   handed-over   a_1"), "{wide}");
    assert!(wide.contains("Site.example.com=1   a_1       1              20s\n"), "{wide}");
    assert_eq!(status.verdict(), Verdict::NotHeld);
}

/// Programs read it. A change of what is here needs another `SCHEMA_VERSION`.
#[test]
fn the_json_is_stable() {
    let some = ["", "-shard-0", "-shard-2", "-member-0b"].map(|name| format!("{ID}{name}"));
    let leases: Vec<_> = leases()
        .into_iter()
        .filter(|lease| lease.metadata.name.as_ref().is_some_and(|name| some.contains(name)))
        .collect();
    let expected = json!({
        "schemaVersion": 1,
        "observedAt": "2026-05-01T12:00:00Z",
        "leaderElectionId": ID,
        "namespace": "ops",
        "installation": "ops/web",
        "layout": {"generation": 1, "shards": 3, "hashVersion": 1, "settled": true, "waitsFor": []},
        "coordinator": {
            "state": "held", "holder": "a_1", "acquireTime": "2026-05-01T11:50:00Z", "renewTime": "2026-05-01T11:59:59Z",
            "leaseDurationSeconds": 15, "transitions": 2,
        },
        "shards": [
            {
                "shard": 0, "state": "held", "holder": "a_1", "acquireTime": "2026-05-01T11:50:00Z",
                "renewTime": "2026-05-01T11:59:59Z", "leaseDurationSeconds": 15, "transitions": 2,
                "takeover": {"reason": "expired", "from": "c_9"}, "acknowledgedGeneration": 1,
                "resources": {"Site.example.com": 2},
            },
            {
                "shard": 1, "state": "missing", "transitions": 0, "plannedHolder": "a_1",
                "resources": {"Site.example.com": 1},
            },
            {
                "shard": 2, "state": "free", "acquireTime": "2026-05-01T11:50:00Z", "renewTime": "2026-05-01T11:59:59Z",
                "leaseDurationSeconds": 15, "transitions": 2, "plannedHolder": "a_1", "resources": {"Site.example.com": 0},
            },
        ],
        "members": [{
            "identity": "b_2", "state": "draining", "version": "web/1.2.3", "watchedNamespaces": "team-a,team-b",
            "renewTime": "2026-05-01T11:59:58Z", "shards": 0, "coordinator": false,
        }],
        "kinds": [
            {"kind": "Site.example.com", "sharded": true, "total": 5, "unstamped": 2},
            {"kind": "Zone.example.com", "sharded": false, "total": 1},
        ],
        "problems": [],
    });
    let json = serde_json::to_value(status_of(&leases, &counts())).unwrap();
    assert_eq!(json, expected, "{json:#}");
}

#[test]
fn a_change_under_way_names_the_shards_that_it_waits_for() {
    let (old, new) =
        (layout(6, r#""shards":2,"settled":true"#), layout(7, r#""shards":3,"previous":2,"settled":false"#));
    let leases = [
        lease("", "a_1", 1, &[("layout", &new), ("coordinator", "a_1")]),
        lease("-shard-0", "a_1", 1, &[("layout", &new)]),
        lease("-shard-1", "a_1", 1, &[("layout", &old)]),
        lease("-shard-2", NOBODY, 1, &[]),
    ];
    let status = status_of(&leases, &Counts::new());
    let layout = status.layout.as_ref().unwrap();
    assert_eq!((layout.previous_shards, layout.settled), (Some(2), false));
    assert_eq!(layout.waits_for, [1, 2]);
    assert!(status.table(false).contains("from 2 shards, waits for 1,2"), "{}", status.table(false));
    assert_eq!(status.shards[2].hold.state, HoldState::Reserved);
    assert_eq!(status.shards[2].hold.holder, None, "the placeholder is nobody");
    assert_eq!(status.verdict(), Verdict::NotHeld);
}

#[test]
fn all_is_well_if_each_shard_has_a_holder_and_what_is_not_sharded_too() {
    let mut leases = leases();
    leases[2] = lease("-shard-1", "a_1", 14, &[]);
    leases[3] = lease("-shard-2", "a_1", 1, &[]);
    assert_eq!(status_of(&leases, &Counts::new()).verdict(), Verdict::Held);
    leases[2] = lease("-shard-1", "a_1", 15, &[]);
    assert_eq!(status_of(&leases, &Counts::new()).verdict(), Verdict::NotHeld, "LeaseDuration has passed");
    leases[2] = lease("-shard-1", "a_1", 1, &[]);
    leases.remove(1);
    assert_eq!(status_of(&leases, &Counts::new()).verdict(), Verdict::NotHeld, "a Lease is missing");
    let mut alone = self::leases();
    alone.truncate(1);
    alone[0].spec.as_mut().unwrap().holder_identity = None;
    let only_unsharded = layout(1, r#""shards":1,"settled":true"#).replace(&format!("{KIND},"), "");
    alone[0].metadata.annotations.as_mut().unwrap().insert("example.com/layout".into(), only_unsharded);
    alone.push(lease("-shard-0", "a_1", 1, &[]));
    assert_eq!(status_of(&alone, &Counts::new()).verdict(), Verdict::NotHeld, "nobody reconciles the zones");
}

#[test]
fn where_there_is_no_layout_a_sentence_says_so() {
    let told = |leases: &[Lease]| {
        let status = status_of(leases, &Counts::new());
        assert_eq!((status.verdict(), status.layout.is_none()), (Verdict::Unknown, true));
        assert!(status.table(true).contains("<none>"));
        status.problems.join("\n")
    };
    let shard = lease("-shard-0", "a_1", 1, &[]);
    assert!(
        told(std::slice::from_ref(&shard))
            .starts_with("lease web.example.com does not exist, so it is not known")
    );
    let bare = lease("", "a_1", 1, &[("coordinator", "a_1")]);
    assert!(told(&[bare, shard.clone()]).starts_with("lease web.example.com records no layout"));
    let odd = lease("", "a_1", 1, &[("coordinator", "a_1"), ("layout", "{}")]);
    assert!(
        told(&[odd]).contains("the annotation example.com/layout of lease web.example.com cannot be read")
    );
    let former = lease("", "old_1", 1, &[("coordinator", "a_1"), ("layout", &settled())]);
    assert!(
        told(&[former, shard]).contains("is held by old_1, an operator of a version that does not shard")
    );
}

#[test]
fn what_could_not_be_counted_is_told_and_left_out() {
    let counts = Counts::from([(KIND.to_owned(), Err("jane may not list sites".to_owned()))]);
    let status = status_of(&leases(), &counts);
    assert_eq!(status.problems, ["jane may not list sites"]);
    assert_eq!(status.kinds[0].total, None);
    assert!(status.shards.iter().all(|shard| shard.resources.is_empty()));
    assert!(status.table(false).contains("2             <none>\n"), "{}", status.table(false));
}

#[test]
fn only_renewals_make_no_difference() {
    let status = |renewed| {
        let mut leases = leases();
        leases[1].spec.as_mut().unwrap().renew_time = lease("", "a_1", renewed, &[]).spec.unwrap().renew_time;
        status_of(&leases, &counts())
    };
    assert!(!status(1).differs_from(&status(5)));
    assert!(status(1).differs_from(&status(50)), "it has expired");
}

#[test]
fn each_bucket_counts_for_its_shard() {
    let layout: Layout = serde_json::from_str(&settled()).unwrap();
    let mut counts = KindCounts::default();
    for bucket in Bucket::all() {
        counts.add(Some(&bucket.to_string()));
    }
    let by_shard = counts.by_shard(&layout);
    assert_eq!((by_shard.len(), counts.total()), (3, 256));
    for (shard, count) in by_shard {
        assert_eq!(count, layout.buckets_of(shard).len() as u64);
    }
}

#[test]
fn a_member_that_cannot_work_says_so() {
    let mut leases = leases();
    leases[4].metadata.annotations.as_mut().unwrap().insert("example.com/unable".into(), "true".into());
    assert_eq!(status_of(&leases, &counts()).members[0].state, MemberState::Unable);
}
