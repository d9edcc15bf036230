//! References by which the API names a function.

use sidestep_core::name::FunctionName;

/// Parses what the Invoke API takes as a function: a name, a partial ARN or a full ARN.
///
/// The qualifier `$LATEST` is accepted; any other version or alias gives `None`, because the
/// host has none. Region and account are not compared: every ARN is looked up here.
///
/// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
pub(super) fn function_of(reference: &str) -> Option<FunctionName> {
    let qualified = match reference.split_once("function:") {
        Some((prefix, rest)) if prefix.is_empty() || prefix.ends_with(':') => rest,
        _ => reference,
    };
    let name = match qualified.split_once(':') {
        Some((name, "$LATEST")) => name,
        Some(_) => return None,
        None => qualified,
    };
    FunctionName::parse(name).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns_refer_to_the_function() {
        for reference in [
            "step",
            "step:$LATEST",
            "function:step",
            "123456789012:function:step",
            "arn:aws:lambda:us-east-1:123456789012:function:step",
            "arn:aws:lambda:us-east-1:123456789012:function:step:$LATEST",
        ] {
            let name = function_of(reference).expect(reference);
            assert_eq!(name.as_str(), "step", "{reference}");
        }
    }

    #[test]
    fn versions_aliases_and_paths_are_not_found() {
        for reference in
            ["step:7", "step:live", "../step", "", "arn:aws:lambda:x:1:function:", "a b"]
        {
            assert_eq!(function_of(reference), None, "{reference}");
        }
    }
}
