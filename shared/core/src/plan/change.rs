//! Changes of what a cached result needs: its artifacts, its outputs and what its step read.

use std::collections::BTreeSet;

use crate::cache::key::Content;
use crate::execution::result::{CacheEntry, Outputs, Produced};
use crate::execution::witness::{View, Witness};
use crate::plan::facts::{Facts, Need};
use crate::uri::S3Uri;

/// Returns a place that a cached result needs and that is not as it was, and how. Fails with the
/// facts that have to be looked up first.
pub fn change(
    entry: &CacheEntry,
    facts: &Facts,
) -> Result<Option<(S3Uri, String)>, BTreeSet<Need>> {
    let (mut changed, mut needs) = match damage(&entry.produced, facts) {
        Ok(damage) => {
            (damage.map(|(uri, how)| (uri, format!("of the cached result {how}"))), BTreeSet::new())
        }
        Err(needs) => (None, needs),
    };
    if let Outputs::Stored(uri) = &entry.produced.outputs {
        match facts.objects.get(uri) {
            None => drop(needs.insert(Need::Object(uri.clone()))),
            Some(Ok(Some(_))) => {}
            Some(Ok(None)) => {
                let how = "of the cached result is gone".to_owned();
                changed.get_or_insert((uri.clone(), how));
            }
            Some(Err(why)) => drop(changed.get_or_insert((uri.clone(), why.clone()))),
        }
    }
    for witness in &entry.witnesses {
        let how = match now(witness, facts) {
            Err(need) => {
                needs.insert(need);
                None
            }
            Ok(Err(why)) => Some(why),
            Ok(Ok(digest)) => witness.change(digest.as_deref()).map(str::to_owned),
        };
        if let Some(how) = how {
            changed.get_or_insert((witness.uri.clone(), how));
        }
    }
    if needs.is_empty() { Ok(changed) } else { Err(needs) }
}

/// Returns what is at a witness's place now, or why that cannot be told. Fails with the fact that
/// has to be looked up first.
fn now(witness: &Witness, facts: &Facts) -> Result<Result<Option<String>, String>, Need> {
    let uri = &witness.uri;
    let (known, need) = match witness.view {
        View::Content => {
            let known = facts.contents.get(uri).cloned();
            (known.map(|content| content.map(Content::into_digest)), Need::Content(uri.clone()))
        }
        View::Object => (facts.objects.get(uri).cloned(), Need::Object(uri.clone())),
        View::Listing => (facts.listings.get(uri).cloned(), Need::Listing(uri.clone())),
    };
    known.ok_or(need)
}

/// Returns an artifact of a result that is gone or overwritten, and how. Fails with the contents
/// that have to be looked at first.
pub fn damage(
    produced: &Produced,
    facts: &Facts,
) -> Result<Option<(S3Uri, String)>, BTreeSet<Need>> {
    let mut needs = BTreeSet::new();
    let mut damaged = None;
    for artifact in &produced.artifacts {
        let how = match facts.contents.get(&artifact.uri) {
            None => {
                needs.insert(Need::Content(artifact.uri.clone()));
                continue;
            }
            Some(Err(why)) => why.clone(),
            Some(Ok(Content::Nothing)) => "is gone".to_owned(),
            // A digest of another kind (the ETag of a large upload) cannot be compared, but the
            // object is there.
            Some(Ok(Content::Digest(digest))) => match digest.strip_prefix("sha256:") {
                Some(found) if found != artifact.sha256 => "was overwritten".to_owned(),
                _ => continue,
            },
        };
        damaged = Some((artifact.uri.clone(), how));
    }
    if needs.is_empty() { Ok(damaged) } else { Err(needs) }
}
