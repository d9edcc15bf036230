//! Lengths of files and functions, in lines.

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

use super::sources::{Part, SourceFile};

/// Lengths above which a file or a function is counted.
const FILE_LINES: usize = 300;
const FUNCTION_LINES: [usize; 2] = [60, 100];

#[derive(Debug)]
pub(super) struct Sizes {
    pub(super) files: Spread,
    pub(super) functions: Spread,
    pub(super) files_over_300: usize,
    pub(super) functions_over_60: usize,
    pub(super) functions_over_100: usize,
}

/// How lengths are spread.
#[derive(Debug)]
pub(super) struct Spread {
    pub(super) count: usize,
    pub(super) median: usize,
    pub(super) p90: usize,
    pub(super) max: usize,
}

impl Sizes {
    /// Measures the files of the product, with their unit tests.
    pub(super) fn measure(part: &Part) -> Self {
        let files: Vec<_> = part.files.iter().filter(|file| file.is_product()).collect();
        let lengths: Vec<_> = files.iter().map(|file| file.text.lines().count()).collect();
        let functions: Vec<usize> = files.iter().flat_map(|file| functions(file)).collect();
        let over =
            |lengths: &[usize], limit| lengths.iter().filter(|lines| **lines > limit).count();
        let [functions_over_60, functions_over_100] =
            FUNCTION_LINES.map(|limit| over(&functions, limit));
        Self {
            files_over_300: over(&lengths, FILE_LINES),
            functions_over_60,
            functions_over_100,
            files: Spread::of(lengths),
            functions: Spread::of(functions),
        }
    }
}

impl Spread {
    fn of(mut lengths: Vec<usize>) -> Self {
        lengths.sort_unstable();
        let at = |hundredths: usize| {
            let position = (lengths.len() * hundredths / 100).min(lengths.len().saturating_sub(1));
            lengths.get(position).copied().unwrap_or_default()
        };
        Self { count: lengths.len(), median: at(50), p90: at(90), max: at(100) }
    }
}

/// Returns the lengths of all functions of a file, from the signature to the closing bracket.
fn functions(file: &SourceFile) -> Vec<usize> {
    let mut reader = FunctionReader(Vec::new());
    reader.visit_file(&file.syntax);
    reader.0
}

struct FunctionReader(Vec<usize>);

impl FunctionReader {
    fn note(&mut self, signature: &syn::Signature, block: &syn::Block) {
        self.0.push(block.span().end().line - signature.span().start().line + 1);
    }
}

impl<'ast> Visit<'ast> for FunctionReader {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.note(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.note(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }
}
