//! A panic that is not caught. Only with the feature `mutants`; see [`crate::mutants`].

use std::any::Any;

use crate::mutants::{Mutant, active};

/// Lets the panic of a reconciler go on.
pub(super) fn let_through(panic: Box<dyn Any + Send>) -> Box<dyn Any + Send> {
    if active(Mutant::LetPanicsThrough) { std::panic::resume_unwind(panic) } else { panic }
}
