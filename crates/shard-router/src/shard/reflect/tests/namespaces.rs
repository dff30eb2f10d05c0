//! A watch for each namespace: the barrier waits for all of them.

use super::*;

fn fit_in(namespace: &str, name: &str) -> Gadget {
    let mut gadget = fit(name);
    gadget.metadata.namespace = Some(namespace.to_owned());
    gadget
}

#[test]
fn the_barrier_waits_for_every_namespace() {
    let (mut reflector, mut repairs) = waiting(&["x", "y"]);
    assert!(list(&mut reflector, 0, &[fit_in("x", "a"), fit_in("x", "b"), fit_in("x", "c")]).is_empty());
    // Meanwhile the watch of the first one goes on.
    assert!(apply(&mut reflector, 0, Event::Delete(fit_in("x", "b"))).is_empty());
    let mut unfit = gadget("c", "8", Some(7), &["owner"]);
    unfit.metadata.namespace = Some("x".to_owned());
    assert!(apply(&mut reflector, 0, Event::Apply(unfit)).is_empty());
    assert!(apply(&mut reflector, 0, Event::Apply(fit_in("x", "d"))).is_empty());
    assert!(
        apply(&mut reflector, 0, Event::Apply(fit_in("x", "d"))).is_empty(),
        "a second state of it is no second one"
    );
    assert_eq!((cached(&reflector).len(), observed(&reflector)), (0, vec!["left b".to_owned()]));
    assert_eq!(list(&mut reflector, 1, &[fit_in("y", "a")]), ["a", "a", "d"]);
    assert_eq!(cached(&reflector), ["a", "a", "d"]);
    assert_eq!(observed(&reflector).last().unwrap(), "listed 3");
    let repaired: Vec<_> = std::iter::from_fn(|| next(&mut repairs)).filter(|(seen, _)| *seen).collect();
    assert_eq!(repaired, [(true, "c".to_owned())]);
}

#[test]
fn a_list_anew_before_the_barrier_counts_from_its_end() {
    let (mut reflector, _repairs) = waiting(&["x", "y"]);
    list(&mut reflector, 0, &[fit_in("x", "a"), fit_in("x", "gone")]);
    apply(&mut reflector, 0, Event::Init);
    assert!(list(&mut reflector, 1, &[fit_in("y", "b")]).is_empty(), "that list is not complete yet");
    apply(&mut reflector, 0, Event::InitApply(fit_in("x", "a")));
    assert_eq!(names(&apply(&mut reflector, 0, Event::InitDone)), ["a", "b"]);
}

#[test]
fn a_list_of_one_namespace_says_nothing_about_another() {
    let (mut reflector, _repairs) = waiting(&["x", "y"]);
    list(&mut reflector, 0, &[fit_in("x", "a"), fit_in("x", "b")]);
    list(&mut reflector, 1, &[fit_in("y", "c")]);
    assert_eq!(list(&mut reflector, 0, &[fit_in("x", "a")]), ["a"]);
    assert_eq!(cached(&reflector), ["a", "c"]);
}

#[test]
fn a_namespace_that_is_refused_holds_up_no_other() {
    let (mut reflector, _repairs) = waiting(&["x", "y"]);
    assert!(reflector.failed(0).is_empty(), "nothing is listed yet");
    assert_eq!(list(&mut reflector, 1, &[fit_in("y", "b")]), ["b"]);
    // The right to look there is granted later.
    assert_eq!(list(&mut reflector, 0, &[fit_in("x", "a")]), ["a"]);

    let (mut reflector, _repairs) = waiting(&["x", "y"]);
    assert!(list(&mut reflector, 1, &[fit_in("y", "b")]).is_empty());
    apply(&mut reflector, 0, Event::Init);
    assert_eq!(names(&reflector.failed(0)), ["b"]);
    assert!(reflector.failed(0).is_empty() && reflector.failed(1).is_empty(), "they are at work already");
}

#[test]
fn a_failed_list_of_all_there_is_opens_nothing() {
    let (mut reflector, _repairs) = waiting(&[]);
    apply(&mut reflector, 0, Event::Init);
    apply(&mut reflector, 0, Event::InitApply(fit("a")));
    assert!(reflector.failed(0).is_empty());
    assert_eq!(observed(&reflector), ["list failed"], "its turn to list is somebody else's for now");
    assert_eq!(list(&mut reflector, 0, &[fit("b")]), ["b"]);
    reflector.failed(0);
    assert_eq!(observed(&reflector), ["list failed", "listed 1"], "a cache that is there needs no turn");
}
