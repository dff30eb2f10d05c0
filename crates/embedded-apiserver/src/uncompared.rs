//! Notes on requests that no conformance case is like.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::shape::{Shape, conformance_shapes};

/// A file to which shapes are appended that the conformance suite does not have.
pub(crate) struct Uncompared {
    file: PathBuf,
    compared: BTreeSet<Shape>,
}

impl Uncompared {
    pub(crate) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), compared: conformance_shapes() }
    }

    /// Notes the shape unless the suite has it. Called once for each shape that the server meets.
    pub(crate) fn note(&self, shape: &Shape) {
        if self.compared.contains(shape) {
            return;
        }
        let file = OpenOptions::new().create(true).append(true).open(&self.file);
        // In one piece, as several processes may write.
        let noted = file.and_then(|mut file| file.write_all(format!("{shape}\n").as_bytes()));
        if let Err(error) = noted {
            tracing::error!(%error, file = %self.file.display(), "a shape could not be noted");
        }
    }
}
