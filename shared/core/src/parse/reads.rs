//! Reads `Reads`, and warns of arguments that may name data which the cache cannot see.

use crate::definition::ScalarType;
use crate::definition::expression::Expression;
use crate::definition::property_path::Segment;
use crate::limits;
use crate::parse::problem::Code;
use crate::parse::text::{Finding, Node};
use crate::place::{Surroundings, Unseen, find};
use crate::uri::S3Uri;

use super::dependency::Site;
use super::expression::with_article;
use super::member::cut;
use super::reader::Reader;

impl<'d> Reader<'d> {
    /// Reads the list of what a step reads besides its arguments.
    pub(super) fn reads(&mut self, node: Node<'d>, site: &mut Site<'d>) -> Vec<Expression> {
        if !self.array(node, "entries of `Reads`", limits::READS) {
            return Vec::new();
        }
        node.elements().map(|element| self.reads_entry(element, site)).collect()
    }

    fn reads_entry(&mut self, node: Node<'d>, site: &mut Site<'d>) -> Expression {
        let allowed = "s3://BUCKET/KEY, s3://BUCKET/PREFIX/, s3://BUCKET/PREFIX*";
        let typed = self.scalar(node, site);
        if let Some(found) = typed.scalar_type.filter(|found| *found != ScalarType::String) {
            let message = format!("`Reads` takes S3 URIs, and this is {}", with_article(found));
            self.report(Finding::at(node, Code::TypeMismatch, message).allowed(allowed));
        } else if let Some(text) = node.as_str()
            && S3Uri::parse(text).is_err()
        {
            let message = format!("invalid S3 URI `{}` in `Reads`", cut(text));
            self.report(Finding::at(node, Code::InvalidS3Uri, message).allowed(allowed));
        }
        typed.expression
    }

    /// Warns of each argument of a cached step because of which the step will not be cached.
    pub(super) fn warn_unseen(&mut self, node: Node<'d>, arguments: &Expression) {
        let value = arguments.likely(&self.defaults);
        for unseen in find(&value, Surroundings::default()).unseen {
            let (argument, text) = (unseen.argument(), cut(&unseen.text));
            let message = format!(
                "caching is on, but the argument `{argument}` may name data that is not seen (`{text}`): the step is not cached"
            );
            let hint =
                "list in `Reads` what the step reads besides its arguments, or write `Reads: []`";
            let finding = Finding::at(innermost(node, &unseen), Code::NeverCached, message);
            self.report(finding.hint(Some(hint.to_owned())));
        }
    }
}

/// Returns the node at the path of `unseen`, or the last one before the path enters a text.
fn innermost<'d>(arguments: Node<'d>, unseen: &Unseen) -> Node<'d> {
    let mut node = arguments;
    for segment in &unseen.path {
        let next = match segment {
            Segment::Key(name) => node.get(name),
            Segment::Index(position) => node.elements().nth(*position),
        };
        let Some(next) = next else { break };
        node = next;
    }
    node
}
