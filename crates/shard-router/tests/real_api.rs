//! The router against a real API server, with replicas that live in this process.
#![expect(clippy::unwrap_used, reason = "a test panics with what went wrong")]

#[path = "real_api/fleet.rs"]
mod fleet;
#[path = "real_api/relabel.rs"]
mod relabel;
#[path = "real_api/scenarios.rs"]
mod scenarios;
#[path = "real_api/tenant.rs"]
mod tenant;
#[path = "real_api/widget.rs"]
mod widget;

#[path = "real_api/any_kind.rs"]
mod any_kind;
#[path = "real_api/balance.rs"]
mod balance;
#[path = "real_api/besides.rs"]
mod besides;
#[path = "real_api/dead_connections.rs"]
mod dead_connections;
#[path = "real_api/faults.rs"]
mod faults;
#[path = "real_api/installations.rs"]
mod installations;
#[path = "real_api/layout.rs"]
mod layout;
#[path = "real_api/migration.rs"]
mod migration;
#[path = "real_api/namesakes.rs"]
mod namesakes;
#[path = "real_api/namespaces.rs"]
mod namespaces;
#[path = "real_api/outage.rs"]
mod outage;
#[path = "real_api/predecessor.rs"]
mod predecessor;
#[path = "real_api/rights.rs"]
mod rights;
#[path = "real_api/stamping.rs"]
mod stamping;
#[path = "real_api/successors.rs"]
mod successors;
#[path = "real_api/undecodable.rs"]
mod undecodable;
#[path = "real_api/unsharded_kind.rs"]
mod unsharded_kind;
