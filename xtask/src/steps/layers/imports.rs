//! What a file names of its crate: `use` declarations, and paths that begin with `crate`, `self` or `super`.
//!
//! Read off the tokens, so that comments and strings do not count and the arguments of macros do.

use std::collections::BTreeSet;
use std::iter::Peekable;

use proc_macro2::token_stream::IntoIter;
use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One name that a module uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    pub(super) path: Vec<String>,
    /// What it is called in this module, if a `use` brings it there: `*` for everything in the path.
    pub(super) name: Option<String>,
}

/// What is in a module, without the modules in it.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub(super) imports: Vec<Import>,
    /// What is defined here, by name.
    pub(super) defined: BTreeSet<String>,
    /// Modules that are built for the tests only.
    pub(super) of_tests: BTreeSet<String>,
    /// Modules within the file.
    pub(super) inline: Vec<(String, Items)>,
}

const DEFINE: [&str; 8] = ["struct", "enum", "union", "trait", "type", "fn", "const", "static"];

impl Items {
    pub(super) fn of(tokens: TokenStream) -> Self {
        let mut items = Self::default();
        items.read(tokens);
        items
    }

    fn read(&mut self, tokens: TokenStream) {
        let mut tokens = tokens.into_iter().peekable();
        let mut for_tests = false;
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Group(group) => {
                    if group.delimiter() == Delimiter::Bracket {
                        let attribute = group.stream().to_string().replace(' ', "");
                        for_tests |= attribute == "cfg(test)";
                    }
                    self.read(group.stream());
                }
                TokenTree::Ident(word) => match word.to_string().as_str() {
                    "use" => {
                        for_tests = false;
                        self.read_use(&[], &mut tokens);
                    }
                    "mod" => self.read_module(&mut tokens, std::mem::take(&mut for_tests)),
                    root @ ("crate" | "self" | "super") => {
                        let path = rest_of_path(root, &mut tokens);
                        if path.len() > 1 {
                            self.imports.push(Import { path, name: None });
                        }
                    }
                    word if DEFINE.contains(&word) => {
                        for_tests = false;
                        if let Some(TokenTree::Ident(name)) = tokens.peek() {
                            self.defined.insert(name.to_string());
                        }
                    }
                    _ => {}
                },
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
        }
    }

    fn read_module(&mut self, tokens: &mut Peekable<IntoIter>, for_tests: bool) {
        let Some(TokenTree::Ident(name)) = tokens.next() else { return };
        if for_tests {
            self.of_tests.insert(name.to_string());
        }
        if let Some(TokenTree::Group(group)) = tokens.peek() {
            let content = group.stream();
            tokens.next();
            if !for_tests {
                self.inline.push((name.to_string(), Self::of(content)));
            }
        }
    }

    /// One tree of a `use`, up to the comma or semicolon that ends it.
    fn read_use(&mut self, prefix: &[String], tokens: &mut Peekable<IntoIter>) {
        let mut path = prefix.to_vec();
        let mut name = None;
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(punct) if ";,".contains(punct.as_char()) => break,
                TokenTree::Punct(punct) if punct.as_char() == '*' => name = Some("*".to_owned()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                TokenTree::Ident(word) if word == "as" => {
                    if let Some(TokenTree::Ident(alias)) = tokens.next() {
                        name = Some(alias.to_string());
                    }
                }
                TokenTree::Ident(word) if word == "self" && path.len() > 1 => {}
                TokenTree::Ident(word) => path.push(word.to_string()),
                TokenTree::Group(group) => {
                    let mut inner = group.stream().into_iter().peekable();
                    while inner.peek().is_some() {
                        self.read_use(&path, &mut inner);
                    }
                    // Nothing but what is in the braces.
                    path.clear();
                }
            }
        }
        if let Some(last) = path.last().cloned() {
            self.imports.push(Import { path, name: name.or(Some(last)) });
        }
    }
}

/// The names that follow, each after `::`.
fn rest_of_path(root: &str, tokens: &mut Peekable<IntoIter>) -> Vec<String> {
    let is_colon =
        |token: Option<&TokenTree>| matches!(token, Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
    let mut path = vec![root.to_owned()];
    while is_colon(tokens.peek()) {
        tokens.next();
        if !is_colon(tokens.peek()) {
            break;
        }
        tokens.next();
        let Some(TokenTree::Ident(name)) = tokens.peek() else { break };
        path.push(name.to_string());
        tokens.next();
    }
    path
}
