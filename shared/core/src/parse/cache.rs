//! `CacheConfig`, of a step or of the whole pipeline.

use crate::definition::CacheConfig;
use crate::definition::extension::CacheScope;
use crate::parse::duration::{self, parse_expire_after};
use crate::parse::problem::Code;
use crate::parse::text::{Finding, Node};

use super::reader::Reader;

impl<'d> Reader<'d> {
    /// Reads a `CacheConfig`. `None` if caching is off, or if a mistake was reported.
    pub(super) fn cache_config(&mut self, node: Node<'d>) -> Option<CacheConfig> {
        if !self.object(node, &["Enabled", "ExpireAfter", "Scope"]) {
            return None;
        }
        let enabled = self.required(node, "Enabled").and_then(|node| self.boolean(node));
        let mut expire_after = None;
        if let Some(member) = node.get("ExpireAfter") {
            let text = self.string(member)?;
            match parse_expire_after(text) {
                Ok(duration) => expire_after = Some(duration),
                Err(error) => {
                    let finding = Finding::at(member, Code::InvalidDuration, error.to_string())
                        .allowed(duration::ALLOWED);
                    // SageMaker does not check it when caching is off.
                    self.report(if enabled == Some(false) { finding.warning() } else { finding });
                }
            }
        }
        let scope =
            node.get("Scope").and_then(|member| self.word(member, "cache scope", &CacheScope::ALL));
        enabled?.then_some(CacheConfig { expire_after, scope: scope.unwrap_or_default() })
    }
}
