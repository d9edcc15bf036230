//! References by which the API names a function.

use sidestep_core::name::FunctionName;

/// A function as a request names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: FunctionName,
    /// The number of a version; absent for the newest code.
    pub(super) version: Option<String>,
}

/// Parses what the Invoke API takes as a function: a name, a partial ARN or a full ARN.
///
/// The qualifier may be `$LATEST` or the number of a version. An alias gives `None`, because the
/// host has none. Region and account are not compared: every ARN is looked up here.
///
/// <https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html>
pub(super) fn function_of(reference: &str) -> Option<Named> {
    let qualified = match reference.split_once("function:") {
        Some((prefix, rest)) if prefix.is_empty() || prefix.ends_with(':') => rest,
        _ => reference,
    };
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    let (name, version) = match qualified.split_once(':') {
        Some((name, "$LATEST")) => (name, None),
        Some((name, version)) if is_number(version) => (name, Some(version.to_owned())),
        Some(_) => return None,
        None => (qualified, None),
    };
    Some(Named { name: FunctionName::parse(name).ok()?, version })
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
            let named = function_of(reference).expect(reference);
            assert_eq!((named.name.as_str(), named.version), ("step", None), "{reference}");
        }
        let named = function_of("arn:aws:lambda:us-east-1:1:function:step:7").expect("a version");
        assert_eq!((named.name.as_str(), named.version.as_deref()), ("step", Some("7")));
    }

    #[test]
    fn aliases_and_paths_are_not_found() {
        for reference in
            ["step:7a", "step:live", "../step", "", "arn:aws:lambda:x:1:function:", "a b"]
        {
            assert_eq!(function_of(reference), None, "{reference}");
        }
    }
}
