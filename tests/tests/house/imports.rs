//! Which file of a crate uses which other one, and the circles among them.
//!
//! An edge is a path that begins with `crate`, `super`, `self` or the name of a child module, in a
//! `use` or anywhere in the code, also inside macros. A path is followed through the `use` of the
//! module that it names: `super::Facts` that the parent only passes on from `facts.rs` is an edge
//! to `facts.rs`, and an item that stands in the parent's own file is an edge to the parent.
//! Methods are not seen, because their calls name no path. Code for unit tests does not count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;
use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};

use super::sources::{Part, SourceFile, is_for_tests};

type ModulePath = Vec<String>;

/// How far a path is followed from one `use` to the next.
const FOLLOWED: usize = 8;

/// The imports of one crate.
pub(super) struct Imports {
    /// Files relative to `src`, each with those it uses.
    edges: BTreeMap<String, BTreeSet<String>>,
}

impl Imports {
    /// Reads the imports of the files below `src`.
    pub(super) fn read(part: &Part) -> Self {
        let modules = Modules::read(part);
        let mut edges = BTreeMap::<_, BTreeSet<_>>::new();
        for (module, file) in &modules.files {
            let used = edges.entry(file.name.clone()).or_default();
            for (place, path) in &file.paths {
                let Some(target) = modules.file_of(place, path, FOLLOWED) else { continue };
                if target != module {
                    used.insert(modules.files[target].name.clone());
                }
            }
        }
        Self { edges }
    }

    /// Returns the groups of files that use each other in a circle, each sorted.
    pub(super) fn circles(&self) -> Vec<Vec<String>> {
        let mut graph = DiGraph::<&str, ()>::new();
        let nodes: BTreeMap<_, _> =
            self.edges.keys().map(|name| (name.as_str(), graph.add_node(name))).collect();
        for (from, used) in &self.edges {
            for to in used {
                graph.add_edge(nodes[from.as_str()], nodes[to.as_str()], ());
            }
        }
        let groups = tarjan_scc(&graph).into_iter().filter(|group| group.len() > 1);
        let mut circles: Vec<Vec<String>> = groups
            .map(|group| group.into_iter().map(|node| graph[node].to_owned()).collect())
            .collect();
        for circle in &mut circles {
            circle.sort();
        }
        circles.sort();
        circles
    }

    /// Returns the edges within one circle, as `from -> to`.
    pub(super) fn edges_within(&self, circle: &[String]) -> Vec<String> {
        let within = |from: &String| {
            let used = self.edges[from].iter().filter(|to| circle.contains(to));
            used.map(|to| format!("{from} -> {to}")).collect::<Vec<_>>()
        };
        circle.iter().flat_map(within).collect()
    }

    /// Returns the files outside `folder` that use a file inside it.
    pub(super) fn users_of(&self, folder: &str) -> Vec<&str> {
        let is_inside = |name: &str| Path::new(name).starts_with(folder);
        let uses = |used: &BTreeSet<String>| used.iter().any(|name| is_inside(name));
        let users = self.edges.iter().filter(|(name, used)| !is_inside(name) && uses(used));
        users.map(|(name, _)| name.as_str()).collect()
    }
}

/// The module tree of a crate, by its files.
struct Modules {
    files: BTreeMap<ModulePath, Module>,
}

struct Module {
    /// The file, relative to `src`.
    name: String,
    /// Names that the file's own `use` items bring in, each with the path that they stand for.
    passed_on: BTreeMap<String, ModulePath>,
    /// Every path in the code, with the module in which it stands.
    paths: Vec<(ModulePath, ModulePath)>,
}

impl Modules {
    fn read(part: &Part) -> Self {
        let has_library = part.files.iter().any(|file| file.path == Path::new("src/lib.rs"));
        let mut files = BTreeMap::new();
        for file in &part.files {
            let Ok(path) = file.path.strip_prefix("src") else { continue };
            if !file.is_product() || (has_library && path == Path::new("main.rs")) {
                continue;
            }
            let module = module_of(path);
            files.insert(module.clone(), read_module(path, module, file));
        }
        Self { files }
    }

    /// Returns the module whose file holds what `path` names, seen from the module `place`.
    fn file_of(&self, place: &ModulePath, path: &[String], followed: usize) -> Option<&ModulePath> {
        let (mut at, mut rest) = self.start(place, path)?;
        while let Some((name, after)) = rest.split_first() {
            let child = [at.as_slice(), std::slice::from_ref(name)].concat();
            if self.files.contains_key(&child) {
                (at, rest) = (child, after);
                continue;
            }
            let passed_on = self.files.get(&at).and_then(|module| module.passed_on.get(name));
            if let Some(target) = passed_on.filter(|_| followed > 0) {
                let target = [target.as_slice(), after].concat();
                // A path into another crate ends here: the file passes it on as its own.
                if let Some(found) = self.file_of(&at, &target, followed - 1) {
                    return Some(found);
                }
            }
            break;
        }
        self.holder(&at)
    }

    /// Returns the module where `path` begins and what is left of the path, or `None` for a path
    /// into another crate.
    fn start<'a>(
        &self,
        place: &ModulePath,
        path: &'a [String],
    ) -> Option<(ModulePath, &'a [String])> {
        let (first, mut rest) = path.split_first()?;
        let mut at = place.clone();
        match first.as_str() {
            "crate" => at.clear(),
            "self" => {}
            "super" => {
                at.pop();
                while let Some(("super", after)) =
                    rest.split_first().map(|(name, after)| (name.as_str(), after))
                {
                    at.pop();
                    rest = after;
                }
            }
            name => {
                at.clone_from(self.holder(place)?);
                at.push(name.to_owned());
                if !self.files.contains_key(&at) {
                    return None;
                }
            }
        }
        Some((at, rest))
    }

    /// Returns the module that has a file, of `module` and those around it.
    fn holder(&self, module: &[String]) -> Option<&ModulePath> {
        let longest = (0..=module.len()).rev();
        longest
            .filter_map(|length| self.files.get_key_value(&module[..length]))
            .map(|(key, _)| key)
            .next()
    }
}

/// Returns the path of the module in a file: `plan/cache.rs` and `plan/cache/mod.rs` are
/// `plan::cache`.
fn module_of(path: &Path) -> ModulePath {
    let path = path.with_extension("");
    let mut module: ModulePath =
        path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if module.last().is_some_and(|last| ["mod", "lib", "main"].contains(&last.as_str())) {
        module.pop();
    }
    module
}

fn read_module(path: &Path, module: ModulePath, file: &SourceFile) -> Module {
    let mut passed_on = BTreeMap::new();
    for item in &file.syntax.items {
        let syn::Item::Use(item) = item else { continue };
        if !is_for_tests(&item.attrs) {
            leaves(&item.tree, &mut Vec::new(), &mut |path, name| {
                passed_on.insert(name.to_owned(), path.to_vec());
            });
        }
    }
    let mut reader = PathReader { module, paths: Vec::new() };
    reader.visit_file(&file.syntax);
    Module { name: path.to_string_lossy().replace('\\', "/"), passed_on, paths: reader.paths }
}

/// Calls `found` with the path of each leaf of a `use`, and the name it has here. A glob has the
/// name `*`.
fn leaves(tree: &syn::UseTree, path: &mut ModulePath, found: &mut impl FnMut(&[String], &str)) {
    match tree {
        syn::UseTree::Path(inner) => {
            path.push(inner.ident.to_string());
            leaves(&inner.tree, path, found);
            path.pop();
        }
        syn::UseTree::Group(group) => {
            for tree in &group.items {
                leaves(tree, path, found);
            }
        }
        syn::UseTree::Glob(_) => found(path, "*"),
        syn::UseTree::Name(name) if name.ident == "self" => {
            found(path, path.last().map_or("self", String::as_str));
        }
        syn::UseTree::Name(name) => leaf(&name.ident, &name.ident, path, found),
        syn::UseTree::Rename(renamed) => leaf(&renamed.ident, &renamed.rename, path, found),
    }
}

fn leaf(
    name: &syn::Ident,
    here: &syn::Ident,
    path: &mut ModulePath,
    found: &mut impl FnMut(&[String], &str),
) {
    if name != "self" {
        path.push(name.to_string());
    }
    found(path, &here.to_string());
    if name != "self" {
        path.pop();
    }
}

/// Collects every path of a file that may lead to another file of its crate.
struct PathReader {
    module: ModulePath,
    paths: Vec<(ModulePath, ModulePath)>,
}

impl PathReader {
    fn note(&mut self, path: ModulePath) {
        self.paths.push((self.module.clone(), path));
    }

    /// Reads the paths in a macro's input, which is only tokens: those that begin with a keyword.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let mut path = ModulePath::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Ident(name) if colons == 2 && !path.is_empty() => {
                    path.push(name.to_string());
                    colons = 0;
                }
                other => {
                    self.end(&mut path);
                    colons = 0;
                    match other {
                        TokenTree::Group(group) => self.read_tokens(group.stream()),
                        TokenTree::Ident(name) => path.push(name.to_string()),
                        _ => {}
                    }
                }
            }
        }
        self.end(&mut path);
    }

    fn end(&mut self, path: &mut ModulePath) {
        let path = std::mem::take(path);
        let is_ours = |first: &String| ["crate", "super", "self"].contains(&first.as_str());
        if path.len() > 1 && path.first().is_some_and(is_ours) {
            self.note(path);
        }
    }
}

impl<'ast> Visit<'ast> for PathReader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if !is_for_tests(attributes(item)) {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !is_for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        let mut paths = Vec::new();
        leaves(&item.tree, &mut Vec::new(), &mut |path, _| paths.push(path.to_vec()));
        for path in paths {
            self.note(path);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let names: ModulePath =
            path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        if names.len() > 1 && path.leading_colon.is_none() {
            self.note(names);
        }
        visit::visit_path(self, path);
    }

    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {
        // `pub(in crate::plan)` uses nothing.
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.read_tokens(call.tokens.clone());
    }
}

fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    use syn::Item;
    match item {
        Item::Const(item) => &item.attrs,
        Item::Enum(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Macro(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Static(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        Item::Trait(item) => &item.attrs,
        Item::Type(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        _ => &[],
    }
}
