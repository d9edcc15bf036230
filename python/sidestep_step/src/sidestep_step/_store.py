"""S3 as a step needs it.

boto3 is imported when it is first used, so that a step that only computes does not wait for it.
"""

from __future__ import annotations

import base64
from typing import Any, BinaryIO

from . import _error
from ._artifact import BYTES, Artifact, measure
from ._error import StepError
from ._uri import S3Uri


class Store:
    """The objects of S3, reached by boto3's `client` or by one that answers like it."""

    def __init__(self, client: Any = None) -> None:
        self._client = client

    @property
    def client(self) -> Any:
        """The client, made at its first use."""
        if self._client is None:
            import boto3

            self._client = boto3.client("s3")
        return self._client

    def open(self, uri: S3Uri) -> Any:
        """Returns the object's body, to be read."""
        try:
            return self.client.get_object(Bucket=uri.bucket, Key=uri.key)["Body"]
        except Exception as error:
            if _code(error) in ("NoSuchKey", "404"):
                raise StepError(_error.INPUT_NOT_FOUND, f"there is no object `{uri}`") from error
            raise _failed(f"could not read `{uri}`", error) from error

    def upload(self, uri: S3Uri, file: BinaryIO) -> Artifact:
        """Writes the rest of the file. Fails if there is an object with other content."""
        size, digest = measure(file)
        if size > BYTES:
            raise StepError(_error.ARTIFACT, f"`{uri}` has {size} bytes, over S3's limit of {BYTES} for one request")
        artifact = Artifact(uri, size, digest.hex())
        metadata = {"sidestep-sha256": artifact.sha256}
        if not self._create(uri, file, digest, Metadata=metadata) and self._sha256(uri) != artifact.sha256:
            raise StepError(_error.ARTIFACT_CONFLICT, f"`{uri}` was written before, with other content")
        return artifact

    def create(self, uri: S3Uri, text: bytes) -> bool:
        """Writes a small object; returns False if there is one already."""
        import hashlib

        return self._create(uri, text, hashlib.sha256(text).digest(), ContentType="application/json")

    def _create(self, uri: S3Uri, body: Any, digest: bytes, **more: Any) -> bool:
        try:
            self.client.put_object(
                Bucket=uri.bucket,
                Key=uri.key,
                Body=body,
                ChecksumSHA256=base64.b64encode(digest).decode(),
                IfNoneMatch="*",
                **more,
            )
        except Exception as error:
            # The second is status 409: another upload of the object is about to complete.
            if _code(error) in ("PreconditionFailed", "ConditionalRequestConflict"):
                return False
            raise _failed(f"could not write `{uri}`", error) from error
        return True

    def _sha256(self, uri: S3Uri) -> str:
        """Returns the digest of an object: as S3 keeps it, or else computed from the content."""
        try:
            head = self.client.head_object(Bucket=uri.bucket, Key=uri.key, ChecksumMode="ENABLED")
            checksum = head.get("ChecksumSHA256")
            if checksum and "-" not in checksum:
                return base64.b64decode(checksum).hex()
        except Exception as error:
            raise _failed(f"could not read `{uri}`", error) from error
        import hashlib

        digest = hashlib.sha256()
        for piece in iter(lambda body=self.open(uri): body.read(1024 * 1024), b""):  # type: ignore[misc]
            digest.update(piece)
        return digest.hexdigest()


def _code(error: BaseException) -> str:
    """Returns S3's error code, or an empty text if the error is not S3's."""
    response = getattr(error, "response", {})
    return str(response.get("Error", {}).get("Code", ""))


def _failed(what: str, error: BaseException) -> StepError:
    """Returns the step's failure for an error of the store."""
    return StepError(_error.STORE, f"{what}: {error}")
