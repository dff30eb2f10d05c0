use super::*;

fn circles(files: &[(&str, &str)]) -> Vec<String> {
    let mut modules = Modules::default();
    for (path, text) in files {
        let path: ModulePath = path.split("::").filter(|name| !name.is_empty()).map(str::to_owned).collect();
        modules.add(&path, text).expect("it is Rust");
    }
    modules.drop_tests();
    find(&modules)
}

#[test]
fn two_modules_that_import_each_other_are_named() {
    let found = circles(&[
        ("", "mod pods; mod status;"),
        ("pods", "use std::fmt; use crate::status::{self, Condition};"),
        ("status", "mod conditions;"),
        ("status::conditions", "use super::super::pods::Finding as Found;"),
    ]);
    assert_eq!(found, ["pods imports status, status::conditions imports pods"]);
}

#[test]
fn a_circle_of_three_is_found_in_paths_macros_and_inline_modules() {
    let found = circles(&[
        ("a", "fn f() { vec![crate::b::g()]; }"),
        ("b", "mod inner { fn g() -> super::super::c::C { todo!() } }"),
        ("c", "impl From<crate::a::A> for C {}"),
    ]);
    assert_eq!(found, ["a imports b, b::inner imports c, c imports a"]);
}

#[test]
fn a_re_export_does_not_hide_a_circle() {
    let found = circles(&[
        ("", "mod a; mod b; pub use a::*; pub use b::inner::B as Other;"),
        ("a", "pub use self::deep::A; use crate::Other;"),
        ("a::deep", "pub struct A;"),
        ("b", "pub mod inner;"),
        ("b::inner", "use crate::A; pub struct B;"),
    ]);
    assert_eq!(found, ["a imports b::inner, b::inner imports a::deep"]);
}

#[test]
fn parents_children_tests_comments_and_other_crates_make_no_circle() {
    let found = circles(&[
        ("", "mod a; mod b; use a::A; struct Root;"),
        (
            "a",
            "//! See [`crate::b`].\nmod child; use crate::Root; use child::Child; #[cfg(test)] mod tests { use crate::b::B; }",
        ),
        ("a::child", "use super::A; use b::NotOurs; /* crate::b::B */ const S: &str = \"crate::b::B\";"),
        ("b", "use crate::a::A; #[cfg(test)] mod tests;"),
        ("b::tests", "use crate::c::C;"),
        ("c", "use crate::b::B;"),
    ]);
    assert_eq!(found, [""; 0]);
}

#[test]
fn nothing_in_this_workspace_is_in_a_circle() {
    run(&mut StepContext::default()).expect("no circle");
}
