//! Objects that do not decode.

use super::*;

/// The same object, as it is when somebody has written what the type does not take.
fn odd(name: &str) -> Lenient<Gadget> {
    let mut object = serde_json::to_value(fit(name)).unwrap();
    object["spec"] = serde_json::Value::Null;
    let odd: Lenient<Gadget> = serde_json::from_value(object).unwrap();
    assert!(matches!(odd, Lenient::Undecodable(_)));
    odd
}

fn told(reports: &mut Changes) -> Vec<(bool, String)> {
    std::iter::from_fn(|| next(reports)).collect()
}

#[test]
fn an_object_that_does_not_decode_is_put_aside_and_the_others_go_on() {
    let (mut reflector, mut repairs, mut reports) = all_of(&[]);
    reflector.apply(0, Event::Init);
    for object in [fit("a").into(), odd("b"), fit("c").into()] {
        reflector.apply(0, Event::InitApply(object));
    }
    assert_eq!(names(&reflector.apply(0, Event::InitDone)), ["a", "c"]);
    assert_eq!(told(&mut reports), [(true, "b".into())]);
    while next(&mut repairs).is_some() {}

    assert_eq!(apply(&mut reflector, 0, Event::Apply(fit("b"))).len(), 1, "it is mended");
    assert_eq!(told(&mut reports), [(false, "ns/b".into())]);
    assert!(reflector.apply(0, Event::Apply(odd("b"))).is_empty());
    assert_eq!(cached(&reflector), ["a", "c"], "a requeue of before must not find it");
    assert!(reflector.apply(0, Event::Delete(odd("b"))).is_empty());
    assert_eq!(told(&mut reports), [(true, "b".into()), (false, "ns/b".into())]);
}

#[test]
fn what_does_not_decode_and_lacks_its_stamp_is_stamped() {
    let (mut reflector, mut repairs, _reports) = all_of(&[]);
    let mut object = serde_json::to_value(gadget("a", "8", Some(7), &["owner"])).unwrap();
    object["spec"] = serde_json::Value::Null;
    list(&mut reflector, 0, &[]);
    reflector.apply(0, Event::Apply(serde_json::from_value(object).unwrap()));
    assert_eq!(next(&mut repairs), Some((true, "a".into())));
}

#[test]
fn what_did_not_decode_and_is_missing_from_a_later_list_is_gone() {
    let (mut reflector, _repairs, mut reports) = all_of(&[]);
    for objects in [vec![odd("a"), odd("b")], vec![odd("b")]] {
        reflector.apply(0, Event::Init);
        for object in objects {
            reflector.apply(0, Event::InitApply(object));
        }
        reflector.apply(0, Event::InitDone);
    }
    let expected = [(true, "a".into()), (true, "b".into()), (true, "b".into()), (false, "ns/a".into())];
    assert_eq!(told(&mut reports), expected);
}
