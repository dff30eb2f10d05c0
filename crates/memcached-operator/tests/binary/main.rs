//! The operator as a process, most of it on a real API server, with the rights of `deploy/rbac.yaml` and no others.

mod cluster;
mod key_label;
mod namespaces;
mod other_namespaces;
mod replica;
mod restart_in_place;
mod rights;
mod status;
mod waiting;
mod webhook;
mod webhooks;
mod work;
