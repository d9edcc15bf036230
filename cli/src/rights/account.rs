//! The names of the embedded cloud's resources in an account.

use sidestep_deploy::iam::Request;
use sidestep_deploy::{Place, StackName};
use sidestep_local::cloud::{ACCOUNT_ID, REGION};
use sidestep_local::deployment::{ARTIFACT_BUCKET, PLANNER, REPORTS, TABLE, TIMERS, TRIGGER};
use sidestep_local::guard::Asked;

/// A short name, so that functions with long ones still fit.
const STACK: &str = "s";

/// Returns the name of the stack whose roles decide.
pub(super) fn stack() -> StackName {
    StackName::parse(STACK).expect("it is legal")
}

/// Returns where that stack is.
pub(super) fn place() -> Place {
    Place { account_id: ACCOUNT_ID.to_owned(), region: REGION.to_owned() }
}

/// Returns the requests of which AWS has to allow one, as it would see what is asked for here.
pub(super) fn requests(asked: &Asked) -> Vec<Request> {
    let request = |resource: String| {
        // The embedded services are reached on loopback, those of AWS by TLS.
        let request = Request::new(&asked.action, resource).with("aws:SecureTransport", &["true"]);
        asked.context.iter().fold(request, |request, (key, values)| {
            request.with(key, &values.iter().map(String::as_str).collect::<Vec<_>>())
        })
    };
    let own = in_account(asked);
    // A function that is named by its whole ARN may be one of another stack.
    let is_function = asked.action.starts_with("lambda:") && own != asked.resource;
    let foreign = is_function.then(|| asked.resource.clone());
    std::iter::once(own).chain(foreign).map(request).collect()
}

fn in_account(asked: &Asked) -> String {
    let arn = &asked.resource;
    if let Some(named) = arn.strip_prefix("arn:aws:s3:::") {
        let (bucket, key) = named.split_at(named.find('/').unwrap_or(named.len()));
        return if bucket == ARTIFACT_BUCKET {
            format!("arn:aws:s3:::{STACK}-artifacts-{ACCOUNT_ID}-{REGION}{key}")
        } else {
            arn.clone()
        };
    }
    let Some((place, resource)) = arn.rsplit_once(&format!(":{ACCOUNT_ID}:")) else {
        return arn.clone();
    };
    let kept = |resource: String| format!("{place}:{ACCOUNT_ID}:{resource}");
    if let Some(function) = resource.strip_prefix("function:") {
        let (name, version) = function.split_at(function.find(':').unwrap_or(function.len()));
        // The planner describes what the alias means, and here a function has no alias.
        let is_described = version.is_empty() && asked.action != "lambda:InvokeFunction";
        let version = if is_described { ":live" } else { version };
        return match name {
            PLANNER => kept(format!("function:{STACK}-planner{version}")),
            TRIGGER => kept(format!("function:{STACK}-trigger{version}")),
            name => kept(format!("function:{STACK}-{name}{version}")),
        };
    }
    let table = resource.strip_prefix("table/").and_then(|named| named.strip_prefix(TABLE));
    match (resource, table) {
        (_, Some(rest)) if rest.is_empty() || rest.starts_with('/') => {
            kept(format!("table/{STACK}{rest}"))
        }
        (TIMERS, _) => kept(format!("{STACK}-timers")),
        (REPORTS, _) => kept(format!("{STACK}-reports")),
        _ => arn.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_stack_makes_has_the_stacks_name_and_all_else_keeps_its_own() {
        let of = |service: &str, resource: &str| {
            format!("arn:aws:{service}:us-east-1:000000000000:{resource}")
        };
        let cases = [
            (
                "s3:GetObject",
                "arn:aws:s3:::sidestep-artifacts/runs/p".to_owned(),
                "arn:aws:s3:::s-artifacts-000000000000-us-east-1/runs/p".to_owned(),
            ),
            ("s3:GetObject", "arn:aws:s3:::inbox/a".to_owned(), "arn:aws:s3:::inbox/a".to_owned()),
            (
                "dynamodb:Query",
                of("dynamodb", "table/sidestep/index/Live"),
                of("dynamodb", "table/s/index/Live"),
            ),
            (
                "dynamodb:Query",
                of("dynamodb", "table/sidesteps"),
                of("dynamodb", "table/sidesteps"),
            ),
            ("sqs:SendMessage", of("sqs", "sidestep-reports"), of("sqs", "s-reports")),
            ("sqs:SendMessage", of("sqs", "orders"), of("sqs", "orders")),
            (
                "lambda:InvokeFunction",
                of("lambda", "function:fit:7"),
                of("lambda", "function:s-fit:7"),
            ),
            ("lambda:InvokeFunction", of("lambda", "function:fit"), of("lambda", "function:s-fit")),
            (
                "lambda:GetFunctionConfiguration",
                of("lambda", "function:fit"),
                of("lambda", "function:s-fit:live"),
            ),
            (
                "lambda:InvokeFunction",
                of("lambda", "function:sidestep-planner"),
                of("lambda", "function:s-planner"),
            ),
        ];
        for (action, here, there) in cases {
            assert_eq!(requests(&Asked::new(action, here))[0].resource, there);
        }
    }
}
