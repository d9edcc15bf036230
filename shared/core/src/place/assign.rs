//! Members that are written as text: `bucket=b key=k`, `--bucket b --key k`, `bucket: b`.

use serde_json::{Map, Value};

use crate::place::name::{Role, role};

/// Returns the members that a text writes, if a bucket is among them.
pub(super) fn assigned(text: &str) -> Option<Map<String, Value>> {
    let has_bucket = text.to_ascii_lowercase().contains("bucket");
    if !has_bucket || !text.contains(['=', ':', '-']) {
        return None;
    }
    let mut members = Map::new();
    let mut open: Option<String> = None;
    let is_end = |c: char| c.is_whitespace() || matches!(c, ',' | ';' | '&' | '?' | '{' | '}');
    for word in text.split(is_end).filter(|word| !word.is_empty()) {
        let bare = word.trim_matches(is_quote);
        let split = bare.split_once('=').or_else(|| bare.split_once(':'));
        match (split, open.take()) {
            (Some((name, value)), _) if is_name(name) => {
                let (name, value) = (trim(name), value.trim_matches(is_quote));
                if value.is_empty() {
                    open = Some(name);
                } else {
                    members.insert(name, Value::from(value));
                }
            }
            (_, Some(name)) => {
                members.insert(name, Value::from(bare));
            }
            _ if word.starts_with("--") => open = Some(trim(word)),
            _ => {}
        }
    }
    members.keys().any(|name| role(name) == Role::Bucket).then_some(members)
}

/// Returns the members of a list of names and values: `[{"Name": "bucket", "Value": "b"}]`.
pub(super) fn listed(items: &[Value]) -> Option<Map<String, Value>> {
    let member = |item: &Value| {
        let members = item.as_object().filter(|members| members.len() == 2)?;
        let get = |wanted: &[&str]| {
            let is_wanted = |name: &str| wanted.contains(&name.to_ascii_lowercase().as_str());
            members.iter().find(|(name, _)| is_wanted(name)).map(|(_, value)| value)
        };
        let name = get(&["name", "key", "parametername", "parameterkey"])?.as_str()?;
        let value = get(&["value", "parametervalue", "stringvalue"])?;
        Some((name.to_owned(), value.clone()))
    };
    let members: Option<Map<_, _>> = items.iter().map(member).collect();
    members.filter(|members| !members.is_empty())
}

fn is_name(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'');
    !text.is_empty() && text.chars().all(is_part)
}

fn trim(name: &str) -> String {
    name.trim_matches(is_quote).trim_start_matches('-').to_owned()
}

fn is_quote(c: char) -> bool {
    matches!(c, '"' | '\'' | '`')
}
