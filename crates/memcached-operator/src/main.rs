//! `memcached-operator [run]` runs a replica, `memcached-operator crd` prints the custom resource definition.

use std::process::ExitCode;

use memcached_operator::cli::{Task, parse};
use memcached_operator::{app, crd};

fn main() -> ExitCode {
    match parse(std::env::args_os()) {
        Ok(Task::Run(args)) => app::run(&args),
        Ok(Task::Crd) => {
            print!("{}", crd::to_yaml().expect("the definition is plain data"));
            ExitCode::SUCCESS
        }
        Err(stop) => stop.print(),
    }
}
