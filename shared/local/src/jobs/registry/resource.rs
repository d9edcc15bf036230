//! Resources without a process: models, groups of model packages, and model packages.

use parking_lot::MutexGuard;
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde_json::{Map, Number, Value, json};

use crate::account::{ACCOUNT_ID, REGION};
use crate::jobs::error::JobsError;

/// A kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResourceKind {
    Model,
    Group,
    Package,
}

impl ResourceKind {
    /// All kinds.
    pub(crate) const ALL: [Self; 3] = [Self::Model, Self::Group, Self::Package];

    /// Returns the part of ARNs that names the kind, which is its word in the store too.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Group => "model-package-group",
            Self::Package => "model-package",
        }
    }

    /// Returns the ARN of a resource.
    pub(crate) fn arn(self, name: &str) -> String {
        format!("arn:aws:sagemaker:{REGION}:{ACCOUNT_ID}:{}/{name}", self.word())
    }

    /// Returns the name in an ARN of this kind, or the text itself.
    pub(crate) fn name(self, text: &str) -> &str {
        let part = format!(":{}/", self.word());
        text.split_once(part.as_str()).map_or(text, |(_, name)| name)
    }
}

/// A resource as the store keeps it.
#[derive(Debug, Clone)]
pub(crate) struct Resource {
    pub(crate) kind: ResourceKind,
    pub(crate) name: String,
    /// The members of Describe that do not change by themselves.
    pub(crate) members: Map<String, Value>,
    pub(crate) created_ms: i64,
    pub(crate) modified_ms: i64,
}

impl Resource {
    /// Returns the resource's ARN.
    pub(crate) fn arn(&self) -> String {
        self.kind.arn(&self.name)
    }

    /// Returns a text member, or an empty one.
    pub(crate) fn text(&self, member: &str) -> &str {
        self.members.get(member).and_then(Value::as_str).unwrap_or_default()
    }
}

/// Writes a time in seconds since 1970.
pub(crate) fn seconds(ms: i64) -> Value {
    let text = format!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000));
    // A number of this form always parses.
    text.parse::<Number>().map_or(Value::Null, Value::Number)
}

/// The resources of a store, while it is locked.
#[derive(Debug)]
pub(crate) struct Resources<'a>(pub(crate) MutexGuard<'a, Connection>);

impl Resources<'_> {
    /// Returns a resource.
    pub(crate) fn get(
        &self,
        kind: ResourceKind,
        name: &str,
    ) -> Result<Option<Resource>, JobsError> {
        let sql = "SELECT name, members, created_ms, modified_ms FROM resource
             WHERE kind = ?1 AND name = ?2";
        let mut statement = self.0.prepare_cached(sql)?;
        let found = statement.query_row((kind.word(), name), raw).optional()?;
        found.map(|found| parse(kind, found)).transpose()
    }

    /// Creates or replaces a resource.
    pub(crate) fn put(&self, resource: &Resource) -> Result<(), JobsError> {
        self.0.execute(
            "INSERT INTO resource (kind, name, created_ms, modified_ms, members)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (kind, name) DO UPDATE SET
             modified_ms = excluded.modified_ms, members = excluded.members",
            (
                resource.kind.word(),
                &resource.name,
                resource.created_ms,
                resource.modified_ms,
                serde_json::to_string(&resource.members)?,
            ),
        )?;
        Ok(())
    }

    /// Removes a resource and its tags.
    pub(crate) fn delete(&self, kind: ResourceKind, name: &str) -> Result<(), JobsError> {
        self.0
            .execute("DELETE FROM resource WHERE kind = ?1 AND name = ?2", (kind.word(), name))?;
        self.0.execute("DELETE FROM tag WHERE arn = ?1", [kind.arn(name)])?;
        Ok(())
    }

    /// Returns all resources of a kind.
    pub(crate) fn all(&self, kind: ResourceKind) -> Result<Vec<Resource>, JobsError> {
        let sql = "SELECT name, members, created_ms, modified_ms FROM resource WHERE kind = ?1";
        let mut statement = self.0.prepare_cached(sql)?;
        let rows = statement.query_map([kind.word()], raw)?;
        rows.map(|row| parse(kind, row?)).collect()
    }
}

type Raw = (String, String, i64, i64);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
}

fn parse(kind: ResourceKind, raw: Raw) -> Result<Resource, JobsError> {
    let (name, members, created_ms, modified_ms) = raw;
    Ok(Resource { kind, name, members: serde_json::from_str(&members)?, created_ms, modified_ms })
}

/// Returns a page of resources, which a filter chose, in the request's order.
pub(crate) fn page(
    mut found: Vec<Resource>,
    request: &Value,
    member: &str,
    is_descending: bool,
    row: impl Fn(&Resource) -> Value,
) -> Result<Value, JobsError> {
    let text = |name: &str| request[name].as_str().unwrap_or_default();
    #[expect(clippy::cast_possible_truncation, reason = "far beyond any calendar it saturates")]
    let time = |name: &str| request[name].as_f64().map(|seconds| (seconds * 1000.0) as i64);
    let contains = text("NameContains").to_lowercase();
    found.retain(|one| {
        one.name.to_lowercase().contains(&contains)
            && time("CreationTimeAfter").is_none_or(|ms| one.created_ms > ms)
            && time("CreationTimeBefore").is_none_or(|ms| one.created_ms < ms)
    });
    let by_name = text("SortBy") == "Name";
    found.sort_by(|one, other| {
        let times = one.created_ms.cmp(&other.created_ms);
        let names = version(&one.name).cmp(&version(&other.name));
        if by_name { names } else { times.then(names) }
    });
    let order = text("SortOrder");
    if order == "Descending" || (order.is_empty() && is_descending) {
        found.reverse();
    }
    let start = match text("NextToken") {
        "" => 0,
        token => {
            let place = found.iter().position(|one| hex::encode(&one.name) == token);
            let invalid = || JobsError::Validation("The token 'NextToken' is not valid.".into());
            place.ok_or_else(invalid)? + 1
        }
    };
    let limit = usize::try_from(request["MaxResults"].as_u64().unwrap_or(10)).unwrap_or(10);
    let shown: Vec<_> = found.iter().skip(start).take(limit).collect();
    let mut answer = json!({ member: shown.iter().map(|one| row(one)).collect::<Value>() });
    if let Some(last) = shown.last().filter(|_| start + limit < found.len()) {
        answer["NextToken"] = hex::encode(&last.name).into();
    }
    Ok(answer)
}

/// Returns a name with its version as a number, so that 10 comes after 9.
fn version(name: &str) -> (&str, u64) {
    match name.rsplit_once('/') {
        Some((group, version)) => (group, version.parse().unwrap_or_default()),
        None => (name, 0),
    }
}
