"""URIs of S3 objects. Each is a text, so that it can be an output as it is."""

from __future__ import annotations


class S3Uri(str):
    """The URI of an object, or of all objects below a prefix if it ends with `/`."""

    bucket: str
    key: str

    def __new__(cls, text: str) -> S3Uri:
        scheme, _, rest = text.partition("://")
        bucket, _, key = rest.partition("/")
        if scheme != "s3" or not bucket:
            raise ValueError(f"`{text}` is not an S3 URI: expected s3://BUCKET/KEY")
        uri = super().__new__(cls, text)
        uri.bucket, uri.key = bucket, key
        return uri

    def join(self, name: str) -> S3Uri:  # type: ignore[override]
        """Returns the URI of `name` below this prefix."""
        return S3Uri(f"{self}{name}")
