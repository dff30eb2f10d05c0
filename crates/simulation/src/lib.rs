//! Deterministic simulation of a sharded operator: whole replicas, with their production code, under seeded fault
//! schedules in virtual time.

pub mod evidence;
pub mod outcome;
pub mod schedule;
pub mod seed;
pub mod time;
