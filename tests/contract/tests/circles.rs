//! Imports lead down: of the modules beside each other in a folder, none leads back to itself. What a module takes from
//! its parent is no circle, for the parent owns it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "this is a test")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use reveille_contract_tests::{files, root, rust_below};

/// `["interpreter", "machine"]`; the crate itself is the empty path.
type Module = Vec<String>;

/// The sources of one crate.
struct Sources {
    modules: BTreeMap<Module, String>,
    /// What a module brings into its own names, and with `pub use` into others', and where that comes from.
    uses: BTreeMap<Module, BTreeMap<String, Module>>,
}

impl Sources {
    fn of(folder: &str) -> Self {
        let base = root().join(folder);
        let read = |path: &Path| {
            let module = module_of(path.strip_prefix(&base).unwrap());
            let text = std::fs::read_to_string(path).unwrap();
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap().lines();
            let code: Vec<&str> = code.filter(|line| !line.trim_start().starts_with("//")).collect();
            (module, code.join("\n"))
        };
        let mut modules: BTreeMap<Module, String> = BTreeMap::new();
        for (module, text) in rust_below(folder).iter().map(|path| read(path)) {
            if !module.iter().any(|part| part.ends_with("tests") || part == "bin") {
                modules.entry(module).or_default().push_str(&text);
            }
        }
        Self::from(modules)
    }

    fn from(modules: BTreeMap<Module, String>) -> Self {
        let mut sources = Self { modules, uses: BTreeMap::new() };
        for (module, text) in &sources.modules {
            let mut names = BTreeMap::new();
            for tree in text.split("use ").skip(1) {
                for path in paths(tree.split(';').next().unwrap()) {
                    let Some(target) = sources.absolute(module, &path) else { continue };
                    names.insert(target.last().unwrap().clone(), target);
                }
            }
            sources.uses.insert(module.clone(), names);
        }
        sources
    }

    /// The path from the crate's root, of a path as a module writes it; none of another crate's.
    fn absolute(&self, module: &Module, path: &[String]) -> Option<Module> {
        let (first, rest) = path.split_first()?;
        let start = match first.as_str() {
            "crate" => Module::new(),
            "self" => module.clone(),
            "super" => module[..module.len().checked_sub(1)?].to_vec(),
            child => {
                let child: Module = module.iter().cloned().chain([child.to_owned()]).collect();
                self.modules.contains_key(&child).then_some(child)?
            }
        };
        let whole: Module = start.into_iter().chain(rest.iter().cloned()).collect();
        (!whole.is_empty()).then_some(whole)
    }

    /// The module that a path leads to, through what the modules on the way only pass on.
    fn resolve(&self, path: &[String], depth: usize) -> Module {
        let mut at = Module::new();
        for (index, part) in path.iter().enumerate() {
            let mut next = at.clone();
            next.push(part.clone());
            if self.modules.contains_key(&next) {
                at = next;
                continue;
            }
            return match self.uses.get(&at).and_then(|names| names.get(part)) {
                Some(target) if depth > 0 && target[..] != path[..=index] => self.resolve(target, depth - 1),
                Some(_) | None => at,
            };
        }
        at
    }

    /// Which module of each folder needs which others beside it.
    fn siblings(&self) -> BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> {
        let mut found: BTreeMap<Module, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
        for (module, text) in &self.modules {
            for (at, _) in text.match_indices("crate::").chain(text.match_indices("super::")) {
                for path in paths(&text[at..]) {
                    let Some(path) = self.absolute(module, &path) else { continue };
                    let target = self.resolve(&path, 8);
                    let shared = module.iter().zip(&target).take_while(|(one, other)| one == other).count();
                    if let (Some(from), Some(to)) = (module.get(shared), target.get(shared)) {
                        let folder = found.entry(module[..shared].to_vec()).or_default();
                        folder.entry(from.clone()).or_default().insert(to.clone());
                    }
                }
            }
        }
        found
    }

    /// The modules of each folder that lead back to themselves, and what each needs.
    fn circles(&self) -> Vec<String> {
        let mut circles = Vec::new();
        for (folder, needs) in self.siblings() {
            let mut left = needs;
            loop {
                let above: BTreeSet<String> = left.keys().cloned().collect();
                let before = left.len();
                for under in left.values_mut() {
                    under.retain(|name| above.contains(name));
                }
                let needed: BTreeSet<String> = left.values().flatten().cloned().collect();
                left.retain(|name, under| !under.is_empty() && needed.contains(name));
                if left.len() == before {
                    break;
                }
            }
            if !left.is_empty() {
                circles.push(format!("in {:?}: {left:?}", folder.join("::")));
            }
        }
        circles
    }
}

/// `interpreter/machine.rs` to `["interpreter", "machine"]`.
fn module_of(path: &Path) -> Module {
    let parts = path.with_extension("");
    let parts = parts.iter().map(|part| part.to_str().unwrap().to_owned());
    parts.filter(|part| !["lib", "main", "mod"].contains(&part.as_str())).collect()
}

/// The paths of a `use` tree, or of one path where the text goes on: `crate::a::{b, c::D}` is two.
fn paths(text: &str) -> Vec<Module> {
    let mut found = Vec::new();
    tree(text.trim_start(), &mut Module::new(), &mut found);
    found
}

/// Reads one tree; answers what follows it.
fn tree<'a>(mut text: &'a str, path: &mut Module, found: &mut Vec<Module>) -> &'a str {
    let depth = path.len();
    loop {
        text = text.trim_start();
        if let Some(mut inner) = text.strip_prefix('{') {
            while !inner.trim_start().starts_with('}') && !inner.trim().is_empty() {
                let rest = tree(inner, path, found).trim_start();
                let rest = rest.strip_prefix(',').unwrap_or(rest);
                if rest.len() == inner.len() {
                    break;
                }
                inner = rest;
            }
            path.truncate(depth);
            return inner.trim_start().strip_prefix('}').unwrap_or(inner);
        }
        let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(text.len());
        path.push(text[..end].to_owned());
        match text[end..].strip_prefix("::") {
            Some(rest) => text = rest,
            None => break,
        }
    }
    if path.last().is_some_and(|name| name.is_empty() || name == "self") {
        path.pop();
    }
    found.push(path.clone());
    let name = path.last().map_or(0, String::len);
    path.truncate(depth);
    let rest = text.get(name.min(text.len())..).unwrap_or_default();
    rest.strip_prefix(" as ").map_or(rest, |alias| alias.trim_start_matches(|letter: char| letter.is_alphanumeric()))
}

#[test]
fn no_module_leads_back_to_itself() {
    let mut crates: Vec<String> = files("crates").iter().map(|name| format!("crates/{name}/src")).collect();
    crates.extend(["functions/src", "tests/contract/src", "tests/e2e/src"].map(str::to_owned));
    let mut circles = Vec::new();
    for folder in crates.iter().filter(|folder| root().join(folder).is_dir()) {
        circles.extend(Sources::of(folder).circles().into_iter().map(|circle| format!("{folder} {circle}")));
    }
    assert!(
        circles.is_empty(),
        "these modules lead in a circle; move what both need into one of its own:\n{}",
        circles.join("\n")
    );
}

/// What the check above has to see, in small.
#[test]
fn a_circle_is_found_however_it_is_written() {
    let crate_of = |files: &[(&str, &str)]| {
        let module = |path: &str| path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
        Sources::from(files.iter().map(|(path, text)| (module(path), (*text).to_owned())).collect())
    };
    for circle in [
        &[("a", "use crate::b::B;"), ("b", "use crate::a::A;")][..],
        &[("a", "use crate::b::B;"), ("b", "fn f() -> crate::a::A {}")],
        &[("a", "use super::b::B;"), ("b", "use super::{c::D, a};"), ("c", "")],
        &[("a", "use crate::{b::{B, C}, d};"), ("b", "use crate::c;"), ("c", "use crate::a::{self, E};"), ("d", "")],
        &[("", "mod a; pub use a::A;"), ("a", "use crate::b::B;"), ("b", "use crate::A;")],
        &[("x", ""), ("x::a", "use super::b::B;"), ("x::b", "use crate::x::a::A;")],
        &[("a", ""), ("a::inner", "use crate::b::B;"), ("b", "use crate::a::A;")],
    ] {
        assert_eq!(crate_of(circle).circles().len(), 1, "{circle:?}");
    }
    for none in [
        &[("a", "use crate::b::B;"), ("b", "use other::a::A;")][..],
        &[("a", "use crate::b::B;"), ("b", "use crate::c::C;"), ("c", "")],
        &[("a", "mod b; use b::B;"), ("a::b", "use super::A;")],
        &[("", "mod a; pub use a::A; struct Z;"), ("a", "use crate::Z;")],
    ] {
        assert!(crate_of(none).circles().is_empty(), "{none:?}");
    }
}
