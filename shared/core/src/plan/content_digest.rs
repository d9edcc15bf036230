//! The digest of a value and of the content that it leads to, for `Changed` conditions.

use serde_json::{Map, Value, json};

use crate::cache::key::{Content, canonical_sha256, replace_content};
use crate::definition::expression::{Expression, Unresolved};
use crate::place::{Certainty, Surroundings, find};
use crate::plan::resolver::{Pending, Resolver};

impl Resolver<'_> {
    /// Returns the digest of a value in which every S3 URI stands for what it holds. What other
    /// places in it hold counts beside it.
    pub(crate) fn content_digest(&self, value: &Expression) -> Result<String, Unresolved<Pending>> {
        let evaluated = value.evaluate(self)?;
        let replaced = replace_content(&evaluated, &mut |uri| self.content(uri))?;
        let mut contents = Map::new();
        for (place, certainty) in find(&evaluated, Surroundings::default()).places {
            match self.content(&place) {
                Ok(Content::Digest(digest)) => {
                    contents.insert(place.to_string(), Value::String(digest));
                }
                Err(Unresolved::Absent(_)) if certainty == Certainty::Possible => {}
                Ok(Content::Nothing) => {}
                Err(why) => return Err(why),
            }
        }
        if contents.is_empty() {
            return Ok(canonical_sha256(&replaced));
        }
        Ok(canonical_sha256(&json!([replaced, contents])))
    }
}
