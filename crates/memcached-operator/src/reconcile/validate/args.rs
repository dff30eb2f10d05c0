//! Extra arguments, read as getopt reads them: bundled short options and abbreviated long ones included.

/// Short options and their long names, from memcached.c (1.6.39): `Value` ones take a word, `Managed` ones belong to
/// the operator.
const OPTIONS: &[(char, &str, Takes, Owner)] = &[
    ('a', "unix-mask", Takes::Value, Owner::Managed),
    ('A', "enable-shutdown", Takes::Nothing, Owner::Managed),
    ('b', "listen-backlog", Takes::Value, Owner::User),
    ('B', "protocol", Takes::Value, Owner::User),
    ('c', "conn-limit", Takes::Value, Owner::Managed),
    ('C', "disable-cas", Takes::Nothing, Owner::User),
    ('d', "daemon", Takes::Nothing, Owner::Managed),
    ('D', "", Takes::Value, Owner::User),
    ('e', "memory-file", Takes::Value, Owner::User),
    ('f', "slab-growth-factor", Takes::Value, Owner::User),
    ('F', "disable-flush-all", Takes::Nothing, Owner::User),
    ('h', "help", Takes::Nothing, Owner::Managed),
    ('i', "license", Takes::Nothing, Owner::Managed),
    ('I', "max-item-size", Takes::Value, Owner::User),
    ('k', "lock-memory", Takes::Nothing, Owner::User),
    ('l', "listen", Takes::Value, Owner::Managed),
    ('L', "enable-largepages", Takes::Nothing, Owner::User),
    ('m', "memory-limit", Takes::Value, Owner::Managed),
    ('M', "disable-evictions", Takes::Nothing, Owner::User),
    ('n', "slab-min-size", Takes::Value, Owner::User),
    ('N', "napi-ids", Takes::Value, Owner::User),
    ('o', "extended", Takes::Value, Owner::User),
    ('p', "port", Takes::Value, Owner::Managed),
    ('P', "pidfile", Takes::Value, Owner::Managed),
    ('r', "enable-coredumps", Takes::Nothing, Owner::User),
    ('R', "max-reqs-per-event", Takes::Value, Owner::User),
    ('s', "unix-socket", Takes::Value, Owner::Managed),
    ('S', "enable-sasl", Takes::Nothing, Owner::User),
    ('t', "threads", Takes::Value, Owner::Managed),
    ('u', "user", Takes::Value, Owner::Managed),
    ('U', "udp-port", Takes::Value, Owner::Managed),
    ('v', "verbose", Takes::Nothing, Owner::User),
    ('V', "version", Takes::Nothing, Owner::Managed),
    ('W', "disable-watch", Takes::Nothing, Owner::User),
    ('X', "disable-dumping", Takes::Nothing, Owner::User),
    ('Y', "auth-file", Takes::Value, Owner::User),
    ('Z', "enable-ssl", Takes::Nothing, Owner::Managed),
];

#[derive(Clone, Copy, PartialEq)]
enum Takes {
    Nothing,
    Value,
}

#[derive(Clone, Copy, PartialEq)]
enum Owner {
    User,
    Managed,
}

/// Why an extra argument is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArgumentProblem {
    /// It would override what the operator sets.
    #[error(
        "spec.extraArgs sets --{option} with {word:?}, which the operator manages; use memoryLimitMegabytes, \
         maxConnections and threads (ports, users and sockets are fixed)"
    )]
    Managed {
        /// As the user wrote it.
        word: String,
        /// The long name of the option.
        option: &'static str,
    },
    /// memcached would silently ignore it, or end.
    #[error(
        "spec.extraArgs has the stray word {0:?}; memcached takes options only, write each as \"-x\" or \"--name\""
    )]
    Stray(String),
    /// memcached would not start.
    #[error("spec.extraArgs ends with {0:?}, which needs a value; add it as the next element")]
    ValueMissing(String),
}

/// Refuses what would override the operator's own arguments, or could not be understood by memcached. Unknown options
/// pass: a newer memcached may know them.
pub(super) fn check(args: &[String]) -> Result<(), ArgumentProblem> {
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let awaits_value = match (word.strip_prefix("--"), word.strip_prefix('-')) {
            (Some(""), _) | (None, Some("") | None) => return Err(ArgumentProblem::Stray(word.clone())),
            (Some(long), _) => {
                // What follows an option that this version does not know may be its value.
                check_long(word, long)?.unwrap_or_else(|| next_is_value(&words))
            }
            (None, Some(short)) => check_short(word, short)?,
        };
        if awaits_value && words.next().is_none() {
            return Err(ArgumentProblem::ValueMissing(word.clone()));
        }
    }
    Ok(())
}

/// Whether the option takes the next word; `None` where it isn't known.
fn check_long(word: &str, long: &str) -> Result<Option<bool>, ArgumentProblem> {
    let (name, has_value) = long.split_once('=').map_or((long, false), |(name, _)| (name, true));
    let exact = OPTIONS.iter().find(|option| option.1 == name);
    // getopt accepts any unambiguous beginning. An ambiguous one is refused by memcached, so it may be refused here.
    let matching = exact.or_else(|| {
        let mut starting = OPTIONS.iter().filter(|option| option.1.starts_with(name));
        let first = starting.clone().next();
        starting.find(|option| option.3 == Owner::Managed).or(first)
    });
    match matching {
        Some((_, option, _, Owner::Managed)) => {
            Err(ArgumentProblem::Managed { word: word.to_owned(), option })
        }
        Some((_, _, takes, Owner::User)) => Ok(Some(*takes == Takes::Value && !has_value)),
        None if has_value => Ok(Some(false)),
        None => Ok(None),
    }
}

fn check_short(word: &str, letters: &str) -> Result<bool, ArgumentProblem> {
    for (position, letter) in letters.char_indices() {
        match OPTIONS.iter().find(|option| option.0 == letter) {
            Some((_, option, _, Owner::Managed)) => {
                return Err(ArgumentProblem::Managed { word: word.to_owned(), option });
            }
            // The rest of the word is the value, or else the next word.
            Some((_, _, Takes::Value, _)) => return Ok(position + letter.len_utf8() == letters.len()),
            Some((_, _, Takes::Nothing, _)) | None => {}
        }
    }
    Ok(false)
}

fn next_is_value(words: &std::slice::Iter<'_, String>) -> bool {
    words.as_slice().first().is_some_and(|next| !next.starts_with('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(args: &[&str]) -> Result<(), ArgumentProblem> {
        check(&args.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn a_users_own_options_pass() {
        for args in [
            &["-I", "4m", "-vv"][..],
            &["-I4m", "-o", "modern,no_lru_crawler"],
            &["--max-item-size=4m", "--extended", "ext_path=/x:5G"],
            // The value of an option is no option.
            &["-o", "-m"],
            &["--from-the-future", "5", "--another"],
        ] {
            assert_eq!(checked(args), Ok(()), "{args:?}");
        }
    }

    #[test]
    fn managed_options_are_found_however_they_are_spelt() {
        for (args, option) in [
            (&["-m", "5"][..], "memory-limit"),
            (&["-vm512"], "memory-limit"),
            (&["-I", "4m", "-t8"], "threads"),
            (&["--thr=8"], "threads"),
            (&["--po", "1"], "port"),
            (&["--memory-l=1"], "memory-limit"),
            (&["-vvd"], "daemon"),
        ] {
            let problem = checked(args).expect_err(option);
            let ArgumentProblem::Managed { option: found, .. } = problem else { panic!("{problem}") };
            assert_eq!(found, option, "{args:?}");
        }
    }

    #[test]
    fn what_memcached_would_not_understand_is_refused() {
        assert_eq!(checked(&["verbose"]), Err(ArgumentProblem::Stray("verbose".into())));
        assert_eq!(checked(&["--"]), Err(ArgumentProblem::Stray("--".into())));
        assert_eq!(checked(&["-vI"]), Err(ArgumentProblem::ValueMissing("-vI".into())));
    }
}
