//! The rules that `--mutant` breaks: those of all crates that an operator is made of.

use clap::builder::TypedValueParser;

/// A deliberate fault, as a replica's environment names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mutant {
    pub(super) variable: &'static str,
    pub(super) name: &'static str,
}

#[cfg(feature = "mutants")]
impl Mutant {
    fn all() -> impl Iterator<Item = Self> {
        let of = |variable| move |name| Self { variable, name };
        let lease_core = lease_core::mutants::Mutant::ALL.map(|(_, name)| name);
        let shard_router = shard_router::mutants::Mutant::ALL.map(|(_, name)| name);
        let lease_core = lease_core.into_iter().map(of("LEASE_CORE_MUTANT"));
        let shard_router = shard_router.into_iter().map(of("SHARD_ROUTER_MUTANT"));
        lease_core.chain(shard_router)
    }

    /// Refuses an unknown name with the list of those that there are.
    pub(super) fn parser() -> impl TypedValueParser<Value = Self> {
        let names = clap::builder::PossibleValuesParser::new(Self::all().map(|mutant| mutant.name));
        names.try_map(|name| {
            Self::all().find(|mutant| mutant.name == name).ok_or("there is no mutant of this name")
        })
    }
}

#[cfg(not(feature = "mutants"))]
impl Mutant {
    /// Refuses every name: none of them is in this program.
    pub(super) fn parser() -> impl TypedValueParser<Value = Self> {
        clap::builder::StringValueParser::new().try_map(|_| {
            Err("this program was built without the deliberate faults; run `cargo xtask demo --mutant NAME`, or \
                 build it with `--features mutants`")
        })
    }
}

#[cfg(all(test, feature = "mutants"))]
mod tests {
    use std::collections::BTreeSet;

    use clap::Parser;

    use super::*;
    use crate::DemoOptions;

    #[derive(Parser)]
    struct Args {
        #[command(flatten)]
        demo: DemoOptions,
    }

    fn chosen(name: &str) -> Result<Option<Mutant>, clap::Error> {
        Args::try_parse_from(["demo", "--mutant", name]).map(|args| args.demo.mutant)
    }

    #[test]
    fn mutants_of_each_crate_are_taken_and_no_name_stands_for_two() {
        let variables = ["LEASE_CORE_MUTANT", "SHARD_ROUTER_MUTANT", "SHARD_ROUTER_MUTANT"];
        for (variable, name) in variables.into_iter().zip(["open-gate", "skip-drain", "create-overwrites"]) {
            assert_eq!(chosen(name).expect("it is taken"), Some(Mutant { variable, name }));
        }
        let names: Vec<_> = Mutant::all().map(|mutant| mutant.name).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    }

    #[test]
    fn an_unknown_name_is_refused_with_those_that_there_are() {
        let refused = chosen("skip-drian").expect_err("a slip").to_string();
        for name in ["skip-drian", "open-gate", "no-barrier", "create-overwrites"] {
            assert!(refused.contains(name), "{name} is not in: {refused}");
        }
    }
}
