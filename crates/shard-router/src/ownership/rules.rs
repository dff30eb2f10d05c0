//! The rules of rows, each a pure function with its deliberate fault beside it.

use lease_core::broken;

use crate::fencing::Row;

/// What the table says about a row that this replica is entitled to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing<'a> {
    /// It names this Pod.
    Written,
    /// It is not there, or it is that of an earlier owner.
    Missing,
    /// It names another Pod, with a token that is not smaller. Either this replica has lost the bucket and does not know it yet, or somebody has edited the row.
    Contested(&'a Row),
}

/// What `row` says to the Pod of this name and uid, which is entitled to it by this token.
///
/// An earlier process of the same Pod is the same owner to the API server, and its token is smaller.
pub(crate) fn standing<'a>((pod, uid): (&str, &str), token: u64, row: Option<&'a Row>) -> Standing<'a> {
    match row {
        Some(row) if row.token < token => Standing::Missing,
        Some(row) if row.pod == pod && row.uid == uid => Standing::Written,
        Some(row) => Standing::Contested(row),
        None => Standing::Missing,
    }
}

/// Whether a bucket may be started, as far as its row is concerned. `goes_without`: the table could not be written for a while, and rows are not required.
pub(crate) fn may_start(standing: Standing<'_>, goes_without: bool) -> bool {
    broken!(RowNotAwaited => true);
    match standing {
        Standing::Written => true,
        Standing::Missing => goes_without,
        Standing::Contested(_) => {
            broken!(LaterOwnerIsIgnored => true);
            false
        }
    }
}

/// Whether the rows of a hold are still to be written.
pub(crate) fn is_entitled(term_is_valid: bool) -> bool {
    broken!(RowsOutliveTheHold => true);
    term_is_valid
}

/// Whether a replica that is not the coordinator stamps what stays without a bucket. With fencing, the row for stamping names the coordinator.
pub(crate) fn others_stamp(fencing: bool) -> bool {
    broken!(OthersStampBesideTheRow => true);
    !fencing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(pod: &str, token: u64) -> Row {
        Row { pod: pod.to_owned(), uid: format!("uid of {pod}"), shard: None, token }
    }

    #[test]
    fn a_row_stands_for_the_pod_that_it_names_and_yields_to_a_larger_token() {
        let me = ("a", "uid of a");
        assert_eq!(standing(me, 5, None), Standing::Missing);
        assert_eq!(standing(me, 5, Some(&row("a", 5))), Standing::Written);
        assert_eq!(standing(me, 5, Some(&row("a", 4))), Standing::Missing, "of an earlier process");
        assert_eq!(standing(me, 5, Some(&row("b", 4))), Standing::Missing);
        for token in [5, 6] {
            let other = row("b", token);
            assert_eq!(standing(me, 5, Some(&other)), Standing::Contested(&other));
        }
        let namesake = Row { uid: "another".to_owned(), ..row("a", 5) };
        assert_eq!(standing(me, 5, Some(&namesake)), Standing::Contested(&namesake));
    }

    #[test]
    fn a_later_owner_is_an_obstacle_even_where_rows_are_not_required() {
        let other = row("b", 5);
        for goes_without in [false, true] {
            assert!(may_start(Standing::Written, goes_without));
            assert_eq!(may_start(Standing::Missing, goes_without), goes_without);
            assert!(!may_start(Standing::Contested(&other), goes_without));
        }
    }
}
