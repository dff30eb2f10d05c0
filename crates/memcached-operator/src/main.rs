//! `memcached-operator [run]` runs a replica; the other commands print something and end. Called `kubectl-shards`, it is the command `status`.

use std::process::ExitCode;

use memcached_operator::cli::{FencingMode, Settings, Stop, Task, parse};
use memcached_operator::{app, crd, fencing, status};

fn main() -> ExitCode {
    match parse(std::env::args_os()) {
        Ok(Task::Run(args)) => app::run(&args),
        Ok(Task::Crd) => {
            print!("{}", crd::to_yaml().expect("the definition is plain data"));
            ExitCode::SUCCESS
        }
        Ok(Task::OwnershipCrd) => {
            print!("{}", fencing::definition_yaml().expect("the definition is plain data"));
            ExitCode::SUCCESS
        }
        Ok(Task::FencingPolicies) => {
            print!("{}", fencing::policies_yaml().expect("the policies are plain data"));
            ExitCode::SUCCESS
        }
        Ok(Task::ShutdownLimit(mut args)) => match Settings::new({
            // It does not depend on where the Leases are, which outside of a Pod nothing tells.
            args.leader_election_namespace.get_or_insert_with(|| "default".to_owned());
            // Nor on the Pod.
            args.fencing = FencingMode::Off;
            &args
        }) {
            Ok(settings) => {
                println!("{}", settings.options.shutdown_limit().as_millis());
                ExitCode::SUCCESS
            }
            Err(error) => Stop::from(error).print(),
        },
        Ok(Task::Status(args)) => status::run(&args),
        Err(stop) => stop.print(),
    }
}
