//! The modules of a crate, and which of them each one imports.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use proc_macro2::TokenStream;

use super::imports::{Import, Items};

/// The names from the crate's root to a module; the root has none.
pub(super) type ModulePath = Vec<String>;

/// How many re-exports lead to where something is defined, at most.
const DEEPEST: usize = 8;

/// All modules of a crate but those of its tests.
#[derive(Debug, Default)]
pub(super) struct Modules(BTreeMap<ModulePath, Items>);

impl Modules {
    /// Reads the files of a folder: `lib.rs` or `main.rs`, and `foo.rs` with `foo/`.
    pub(super) fn read(source: &Path) -> Result<Self> {
        let mut modules = Self::default();
        modules.read_folder(source, &[])?;
        modules.drop_tests();
        Ok(modules)
    }

    fn read_folder(&mut self, folder: &Path, parent: &[String]) -> Result<()> {
        let entries = fs::read_dir(folder).with_context(|| format!("{} is unreadable", folder.display()))?;
        for entry in entries {
            let path = entry?.path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let is_rust = path.extension().is_some_and(|extension| extension == "rs");
            if path.is_dir() && !(parent.is_empty() && stem == "bin") {
                self.read_folder(&path, &[parent, &[stem]].concat())?;
            } else if is_rust {
                let text =
                    fs::read_to_string(&path).with_context(|| format!("{} is unreadable", path.display()))?;
                let is_root = parent.is_empty() && (stem == "lib" || stem == "main");
                let module = if is_root { Vec::new() } else { [parent, &[stem]].concat() };
                self.add(&module, &text).with_context(|| format!("{} is no Rust", path.display()))?;
            }
        }
        Ok(())
    }

    /// Adds a file. A library and a program may share a folder, and then a root.
    pub(super) fn add(&mut self, module: &[String], text: &str) -> Result<()> {
        let tokens: TokenStream = text.parse().map_err(|error| anyhow!("{error}"))?;
        self.insert(module, Items::of(tokens));
        Ok(())
    }

    fn insert(&mut self, module: &[String], mut items: Items) {
        for (name, inner) in std::mem::take(&mut items.inline) {
            self.insert(&[module, &[name]].concat(), inner);
        }
        let there = self.0.entry(module.to_vec()).or_default();
        there.imports.extend(items.imports);
        there.defined.extend(items.defined);
        there.of_tests.extend(items.of_tests);
    }

    pub(super) fn drop_tests(&mut self) {
        let of_tests: Vec<ModulePath> = self
            .0
            .iter()
            .flat_map(|(module, items)| {
                items.of_tests.iter().map(|name| [module.as_slice(), std::slice::from_ref(name)].concat())
            })
            .collect();
        self.0.retain(|module, _| !of_tests.iter().any(|tests| module.starts_with(tests)));
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Each import, as the module that it is in and the module where what it names is defined.
    pub(super) fn imports(&self) -> impl Iterator<Item = (ModulePath, ModulePath)> {
        self.0.iter().flat_map(|(module, items)| {
            let targets = items.imports.iter().filter_map(|import| self.target(module, import));
            targets.map(|target| (module.clone(), target))
        })
    }

    fn target(&self, module: &[String], import: &Import) -> Option<ModulePath> {
        self.resolve(&self.absolute(module, &import.path)?, DEEPEST)
    }

    /// The path from the crate's root; `None` for another crate's.
    fn absolute(&self, module: &[String], path: &[String]) -> Option<ModulePath> {
        let mut base = module.to_vec();
        let mut rest = path;
        match rest.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &rest[1..];
            }
            "self" => rest = &rest[1..],
            "super" => {
                while rest.first().is_some_and(|first| first == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            first => {
                let child = [module, &[first.to_owned()]].concat();
                if !self.0.contains_key(&child) {
                    return None;
                }
            }
        }
        Some([base.as_slice(), rest].concat())
    }

    /// The module where something is defined, through re-exports.
    fn resolve(&self, path: &[String], deepest: usize) -> Option<ModulePath> {
        let known = (0..=path.len()).rev().find(|length| self.0.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(known);
        let (Some(name), Some(deeper)) = (rest.first(), deepest.checked_sub(1)) else {
            return Some(module.to_vec());
        };
        let items = &self.0[module];
        if items.defined.contains(name) {
            return Some(module.to_vec());
        }
        let named = items.imports.iter().find(|import| import.name.as_ref() == Some(name));
        let through = match named {
            Some(import) => {
                self.absolute(module, &import.path).map(|path| [path.as_slice(), &rest[1..]].concat())
            }
            None => items
                .imports
                .iter()
                .filter(|import| import.name.as_deref() == Some("*"))
                .filter_map(|import| self.absolute(module, &import.path))
                .find(|path| self.has(path, name))
                .map(|path| [path.as_slice(), rest].concat()),
        };
        through.map_or_else(|| Some(module.to_vec()), |path| self.resolve(&path, deeper))
    }

    fn has(&self, module: &[String], name: &str) -> bool {
        let Some(items) = self.0.get(module) else { return false };
        items.defined.contains(name)
            || items.imports.iter().any(|import| import.name.as_deref() == Some(name))
            || self.0.contains_key(&[module, &[name.to_owned()]].concat())
    }
}
