//! Every transition of the state machine, one by one, at instants chosen by hand.
//!
//! What follows from many of them in a row, in any order, is the matter of `schedules.rs`.

#[path = "transitions/acquiring.rs"]
mod acquiring;
#[path = "transitions/dsl.rs"]
mod dsl;
#[path = "transitions/ended.rs"]
mod ended;
#[path = "transitions/honouring.rs"]
mod honouring;
#[path = "transitions/leading.rs"]
mod leading;
#[path = "transitions/losing.rs"]
mod losing;
#[path = "transitions/releasing.rs"]
mod releasing;
#[path = "transitions/requests.rs"]
mod requests;
#[path = "transitions/rewinding.rs"]
mod rewinding;
#[path = "transitions/watching.rs"]
mod watching;
