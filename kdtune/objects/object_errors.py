"""Turn errors of an object store into one sentence that says what is wrong and what would be right."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)

from kdtune.errors import StorageError

_CODE = re.compile(r"<Code>(\w+)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]{1,200})</Message>")
_STATUS = re.compile(r"status code: (\d{3}[^:\n<]{0,40})")
_CREDENTIALS = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile of the AWS tools, or an instance role"


class _Reason(NamedTuple):
    """Why a store refuses, and what to do about it."""

    reason: str
    remedy: str


# What stores answer, by the code in their answer (of Amazon's S3 API, which most stores speak).
_REASON_BY_CODE = {
    "NoSuchBucket": _Reason("there is no such bucket", "create it, or correct the name"),
    "ExpiredToken": _Reason("the credentials have expired", "renew them and run the same command again"),
    "TokenRefreshRequired": _Reason("the credentials have expired", "renew them and run the same command again"),
    "AccessDenied": _Reason(
        "access is denied", "the credentials need the rights to list, read, write and delete objects there"
    ),
    "InvalidAccessKeyId": _Reason("the store does not know these credentials", f"check {_CREDENTIALS}"),
    "SignatureDoesNotMatch": _Reason("the secret key is wrong", f"check {_CREDENTIALS}"),
    "PermanentRedirect": _Reason("the bucket lies in another region", "set AWS_REGION to the bucket's region"),
    "AuthorizationHeaderMalformed": _Reason(
        "the bucket lies in another region", "set AWS_REGION to the bucket's region"
    ),
    "RequestTimeTooSkewed": _Reason("this machine's clock is wrong", "set it right"),
    "SlowDown": _Reason("the store asks for fewer requests", "run the same command again later"),
}
_UNREACHABLE = _Reason("the store does not answer", "check the network, and AWS_ENDPOINT_URL if it is set")
_DENIED = _REASON_BY_CODE["AccessDenied"]
_UNKNOWN = _Reason("the credentials are not accepted", f"check {_CREDENTIALS}")
_NO_CREDENTIALS = _Reason("there are no credentials", f"give {_CREDENTIALS}")
# What obstore says before it asks a store.
_REASON_BY_WORDS = {
    "Missing AccessKeyId": _NO_CREDENTIALS,
    "Missing SecretAccessKey": _NO_CREDENTIALS,
    "Account must be specified": _Reason("the storage account is not named", "set AZURE_STORAGE_ACCOUNT_NAME"),
}


@contextmanager
def convert_object_errors(action: str, url: str) -> Iterator[None]:
    """Raise a StorageError in place of an error of an object store.

    Errors that say that an object exists already, does not exist or has changed pass: the caller knows what they mean.

    Parameters
    ----------
    action : completes the sentence "cannot ...".
    url : the place in the store, without its credentials.
    """
    try:
        yield
    except (AlreadyExistsError, PreconditionError):
        raise
    except (BaseError, FileNotFoundError, PermissionError, OSError) as error:
        reason = _find_reason(error)
        if isinstance(error, FileNotFoundError | NotFoundError) and reason is None:
            raise FileNotFoundError(f"{url} does not exist") from None
        sentence = "the store refuses" if reason is None else reason.reason
        remedy = describe_answer(error) if reason is None else reason.remedy
        raise StorageError(f"cannot {action}: {url}: {sentence}; {remedy}") from None


def describe_answer(error: BaseException) -> str:
    """Return what a store has answered, on one line, without the details of obstore's own code."""
    text = str(error)
    code, message, status = _CODE.search(text), _MESSAGE.search(text), _STATUS.search(text)
    parts = [match[1].strip() for match in (status, code, message) if match is not None]
    if not parts:
        parts = [" ".join(text.partition("Debug source")[0].split())[:300]]
    return ": ".join(parts)


def _find_reason(error: BaseException) -> _Reason | None:
    """Return why a store refuses, as far as it can be told."""
    text = str(error)
    code = _CODE.search(text)
    if code is not None and code[1] in _REASON_BY_CODE:
        return _REASON_BY_CODE[code[1]]
    for words, reason in _REASON_BY_WORDS.items():
        if words in text:
            return reason
    if "error sending request" in text or "error trying to connect" in text or "timed out" in text:
        return _explain_silence(text)
    if isinstance(error, UnauthenticatedError):
        return _UNKNOWN
    if isinstance(error, PermissionDeniedError | PermissionError) or "403 Forbidden" in text:
        return _DENIED
    return None


def _explain_silence(text: str) -> _Reason:
    """Tell a store that does not answer from credentials that were looked for in vain, on a machine of the cloud."""
    if "169.254." in text or "metadata" in text:
        return _NO_CREDENTIALS
    return _UNREACHABLE
