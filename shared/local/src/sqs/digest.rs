//! The MD5 digests by which SDKs check what they sent and received.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-metadata.html>

use md5::{Digest as _, Md5};

use super::attribute::Attributes;

/// Returns the digest of a message's body.
pub(super) fn of_body(body: &str) -> String {
    hex::encode(Md5::digest(body))
}

/// Returns the digest of message attributes, sorted by name, or `None` if there are none.
pub(super) fn of_attributes(attributes: &Attributes) -> Option<String> {
    if attributes.is_empty() {
        return None;
    }
    let mut md5 = Md5::new();
    for (name, attribute) in attributes {
        part(&mut md5, name.as_bytes());
        part(&mut md5, attribute.data_type.as_bytes());
        let (kind, bytes) = attribute.transported();
        md5.update([kind]);
        part(&mut md5, &bytes);
    }
    Some(hex::encode(md5.finalize()))
}

/// Adds a length in four bytes, then as many bytes.
fn part(md5: &mut Md5, bytes: &[u8]) {
    md5.update(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes());
    md5.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqs::attribute::MessageAttribute;

    #[test]
    fn a_body_has_the_digest_that_md5sum_prints() {
        assert_eq!(of_body("hello"), "5d41402abc4b2a76b9719d911017c592");
    }

    #[test]
    fn attributes_have_the_digest_that_an_sdk_computes() {
        let attribute = MessageAttribute {
            data_type: "String".to_owned(),
            string_value: Some("b".to_owned()),
            binary_value: None,
        };
        let attributes = Attributes::from([("a".to_owned(), attribute)]);
        // printf '\0\0\0\1a\0\0\0\6String\1\0\0\0\1b' | md5sum
        let expected = "bef8bf215374a0a228d67533b1a488be";
        assert_eq!(of_attributes(&attributes).as_deref(), Some(expected));
        assert_eq!(of_attributes(&Attributes::new()), None);
    }
}
