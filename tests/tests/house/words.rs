//! What a machine can see of the rules for words: `STYLE.md` has all of them.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use super::sources::{SourceFile, is_for_tests};

/// Columns of a comment line.
const COLUMNS: usize = 100;

/// Actors without a name. In two halves, or this file would count itself.
const UNNAMED: [&str; 4] = [
    concat!("who", "ever"),
    concat!("some", "body"),
    concat!("some", "one"),
    concat!("no", "body"),
];

/// Words that STYLE.md replaces by others: the one for *fixed*.
const BANNED: [&str; 2] = [concat!("mend", "ed"), concat!("mend", "s")];

/// First words that end like a verb in the third person and are none.
const NOT_VERBS: [&str; 62] = [
    "Across",
    "Actions",
    "Always",
    "Arguments",
    "As",
    "Attempts",
    "Bodies",
    "Bytes",
    "Chains",
    "Characters",
    "Chances",
    "Clients",
    "Columns",
    "Conditions",
    "Days",
    "Decisions",
    "Delimiters",
    "Events",
    "Executions",
    "Facts",
    "Features",
    "Fields",
    "Flights",
    "Functions",
    "Hours",
    "Ids",
    "Inputs",
    "Integers",
    "Items",
    "Its",
    "Keys",
    "Kinds",
    "Less",
    "Lines",
    "Mailboxes",
    "Milliseconds",
    "Minutes",
    "Objects",
    "Outputs",
    "Parameters",
    "Parts",
    "Paths",
    "Pipelines",
    "Places",
    "Problems",
    "Reasons",
    "Requests",
    "Results",
    "Rows",
    "Rules",
    "Seconds",
    "Seeds",
    "Sizes",
    "States",
    "Status",
    "Texts",
    "This",
    "Those",
    "URLs",
    "Values",
    "Versions",
    "Words",
];

/// What is counted in the words of one file or several.
#[derive(Debug, Default)]
pub(super) struct Words {
    pub(super) unnamed_actors: usize,
    pub(super) banned: usize,
    /// Functions that have one.
    pub(super) summaries: usize,
    /// Places, like the two below: a reader wants to know which ones.
    pub(super) long_comments: Vec<String>,
    pub(super) summaries_without_verb: Vec<String>,
    pub(super) rebound_names: Vec<String>,
}

impl Words {
    /// Counts words in a text that is not Rust.
    pub(super) fn read_text(&mut self, text: &str) {
        let text = text.to_lowercase();
        self.unnamed_actors += UNNAMED.iter().map(|word| count(&text, word)).sum::<usize>();
        self.banned += BANNED.iter().map(|word| count(&text, word)).sum::<usize>();
    }

    /// Counts words, comments, summaries and names in a Rust file, whose place is told by `place`.
    pub(super) fn read_file(&mut self, file: &SourceFile, place: &str) {
        self.read_text(&file.text);
        let lines = (1..).zip(file.text.lines()).filter(|(_, line)| is_too_long(line));
        self.long_comments.extend(lines.map(|(number, _)| format!("{place}:{number}")));
        let mut reader = SyntaxReader { place, words: self };
        reader.visit_file(&file.syntax);
    }
}

/// Counts `word` as a whole word.
fn count(text: &str, word: &str) -> usize {
    let is_word = |char: char| char.is_alphanumeric();
    let is_whole = |(at, found): &(usize, &str)| {
        let after = &text[at + found.len()..];
        !text[..*at].ends_with(is_word) && !after.starts_with(is_word)
    };
    text.match_indices(word).filter(is_whole).count()
}

/// Returns true if a line is a comment over the limit that could be wrapped. A row of a table and
/// a single long word cannot.
fn is_too_long(line: &str) -> bool {
    let Some(comment) = line.trim_start().strip_prefix("//") else { return false };
    let comment = comment.trim_start_matches(['/', '!']).trim();
    let can_be_wrapped = !comment.starts_with('|') && comment.contains(' ');
    line.chars().count() > COLUMNS && can_be_wrapped
}

/// Returns true if a function's summary begins like "Returns".
fn has_verb(summary: &str) -> bool {
    let word = summary.split_whitespace().next().unwrap_or_default();
    let is_plain = word.chars().all(char::is_alphabetic) && word.starts_with(char::is_uppercase);
    is_plain && word.ends_with('s') && !NOT_VERBS.contains(&word)
}

struct SyntaxReader<'a> {
    place: &'a str,
    words: &'a mut Words,
}

impl SyntaxReader<'_> {
    fn read_summary(&mut self, attributes: &[syn::Attribute], name: &syn::Ident) {
        let Some(summary) = attributes.iter().find_map(doc_line) else { return };
        if is_for_tests(attributes) {
            return;
        }
        self.words.summaries += 1;
        if !has_verb(summary.trim()) {
            let line = name.span().start().line;
            self.words.summaries_without_verb.push(format!(
                "{}:{line} {}",
                self.place,
                summary.trim()
            ));
        }
    }
}

/// Returns the text of a doc attribute.
fn doc_line(attribute: &syn::Attribute) -> Option<String> {
    let syn::Meta::NameValue(pair) = &attribute.meta else { return None };
    match &pair.value {
        syn::Expr::Lit(literal) if pair.path.is_ident("doc") => match &literal.lit {
            syn::Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// Returns the one name that a statement binds by `let`.
fn bound_name(statement: &syn::Stmt) -> Option<&syn::Ident> {
    let syn::Stmt::Local(local) = statement else { return None };
    let pattern = match &local.pat {
        syn::Pat::Type(typed) => &*typed.pat,
        pattern => pattern,
    };
    match pattern {
        syn::Pat::Ident(bound) => Some(&bound.ident),
        _ => None,
    }
}

impl<'ast> Visit<'ast> for SyntaxReader<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.read_summary(&function.attrs, &function.sig.ident);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.read_summary(&function.attrs, &function.sig.ident);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        self.read_summary(&function.attrs, &function.sig.ident);
        visit::visit_trait_item_fn(self, function);
    }

    fn visit_block(&mut self, block: &'ast syn::Block) {
        for pair in block.stmts.windows(2) {
            let names = (bound_name(&pair[0]), bound_name(&pair[1]));
            if let (Some(first), Some(second)) = names
                && first == second
            {
                let line = pair[1].span().start().line;
                self.words.rebound_names.push(format!("{}:{line} `{second}`", self.place));
            }
        }
        visit::visit_block(self, block);
    }
}
