//! STS: who calls, and credentials of a role for a while.
//!
//! There are no roles here, so every one may be assumed. Its credentials are derived from the
//! folder's key and may do the same.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::Request;
use sha2::{Digest as _, Sha256};
use sidestep_admission::{Answer, Caller, Credentials, RoleSession};
use sidestep_core::view::description::timestamp;

use super::query::{Call, Refusal, answered, element, is_name};
use crate::account::ACCOUNT_ID;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// The role, and its session, of who has the folder's key or one of a function.
pub(super) const ROLE: &str = "sidestep";

/// Returns the service. `root` is the key of the state folder.
pub(super) fn service(root: Credentials) -> Answer {
    let root = Arc::new(root);
    Arc::new(move |request| {
        let root = Arc::clone(&root);
        Box::pin(async move {
            let caller = request.extensions().get::<Caller>().cloned();
            let signer = caller.map_or_else(String::new, |caller| caller.access_key_id);
            let (action, result) = perform(&root, &signer, request).await;
            answered((&action, NAMESPACE), result)
        })
    })
}

async fn perform(
    root: &Credentials,
    signer: &str,
    request: Request<Body>,
) -> (String, Result<String, Refusal>) {
    let call = match Call::read(request).await {
        Ok(call) => call,
        Err(refusal) => return (String::new(), Err(refusal)),
    };
    let result = match call.action.as_str() {
        "GetCallerIdentity" => Ok(caller(root, signer, call.token.as_deref())),
        "AssumeRole" => assume(root, &call),
        other => {
            let known = "AssumeRole and GetCallerIdentity";
            let text = format!("The embedded STS has no action `{other}`; it has {known}.");
            Err(Refusal("InvalidAction", text))
        }
    };
    (call.action, result)
}

/// Says whose the key is.
fn caller(root: &Credentials, signer: &str, token: Option<&str>) -> String {
    let assumed = token.and_then(|token| RoleSession::read(root, signer, token));
    let (role, name) = match &assumed {
        Some(session) => (session.role.as_str(), session.name.as_str()),
        None => (ROLE, ROLE),
    };
    let parts = [
        element("Arn", &session_arn(role, name)),
        element("UserId", &format!("{}:{name}", role_id(role))),
        element("Account", ACCOUNT_ID),
    ];
    parts.concat()
}

fn assume(root: &Credentials, call: &Call) -> Result<String, Refusal> {
    let (arn, name) = (call.need("RoleArn")?, call.need("RoleSessionName")?);
    let invalid = |text: String| Refusal("ValidationError", text);
    let role = role_of(arn).ok_or_else(|| invalid(format!("{arn} is invalid")))?;
    if !is_name(name, 2..=64) {
        let expected = "2 to 64 letters, digits and `_+=,.@-`";
        return Err(invalid(format!("'{name}' at 'roleSessionName' is not {expected}")));
    }
    let seconds = call.number("DurationSeconds", (900, 43_200), 3_600)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let expires_at_ms = (now + seconds) * 1_000;
    let session = RoleSession { role: role.to_owned(), name: name.to_owned(), expires_at_ms };
    let (key, token) = session.credentials(root);
    let credentials = [
        element("AccessKeyId", &key.access_key_id),
        element("SecretAccessKey", &key.secret_access_key),
        element("SessionToken", &token),
        element("Expiration", &timestamp(expires_at_ms)),
    ];
    let user = [
        element("AssumedRoleId", &format!("{}:{name}", role_id(role))),
        element("Arn", &session_arn(role, name)),
    ];
    Ok(format!(
        "<Credentials>{}</Credentials><AssumedRoleUser>{}</AssumedRoleUser>",
        credentials.concat(),
        user.concat()
    ))
}

/// Returns the name at the end of a role's ARN.
pub(super) fn role_of(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(6, ':');
    let head = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    let (account, resource) = (parts.next()?, parts.next()?);
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let is_role = head[0] == "arn" && head[1].starts_with("aws") && head[2] == "iam" && is_account;
    let name = resource.strip_prefix("role/")?.rsplit('/').next()?;
    Some(name).filter(|name| is_role && head[3].is_empty() && is_name(name, 1..=64))
}

/// Returns the id of a role: the same for the same name.
pub(super) fn role_id(role: &str) -> String {
    let digest = hex::encode_upper(Sha256::digest(role));
    format!("AROA{}", &digest[..17])
}

fn session_arn(role: &str, name: &str) -> String {
    format!("arn:aws:sts::{ACCOUNT_ID}:assumed-role/{role}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arn_of_a_role_is_told_from_others() {
        for (arn, expected) in [
            ("arn:aws:iam::000000000000:role/r", Some("r")),
            ("arn:aws-cn:iam::123456789012:role/service-role/a/b-c", Some("b-c")),
            ("arn:aws:iam::000000000000:user/u", None),
            ("arn:aws:iam::0:role/r", None),
            ("arn:aws:sts::000000000000:assumed-role/r/s", None),
            ("arn:aws:iam::000000000000:role/", None),
            ("arn:aws:iam::000000000000:role/a b", None),
            ("r", None),
        ] {
            assert_eq!(role_of(arn), expected, "{arn}");
        }
    }
}
