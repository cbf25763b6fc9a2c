"""The error responses of Azure Storage, in the form of each service.

Source: "Status and error codes" (the XML body, `x-ms-error-code`, the OData form of the Table
service) and "Common REST API error codes" (learn.microsoft.com/rest/api/storageservices). The
storage services do not answer 429: the resource provider and gateways before a service do ("Common
error codes for storage resource provider"). The storage SDKs do not retry after 429.
"""

import json
import uuid
from datetime import UTC, datetime
from typing import Final

import h11

from infra.local.faults.rules import ErrorStatus, Rule, StorageService

_ERRORS: Final[dict[ErrorStatus, tuple[str, str, str]]] = {
    429: ("TooManyRequests", "Too Many Requests", "The request is being throttled."),
    500: (
        "InternalError",
        "Internal Server Error",
        "The server encountered an internal error. Please retry the request.",
    ),
    503: (
        "ServerBusy",
        "Service Unavailable",
        "The server is currently unable to receive requests. Please retry your request.",
    ),
}


def error_response(rule: Rule, service: StorageService, accept: str) -> tuple[h11.Response, bytes]:
    """Build head and body of a rule's error response; `accept` is the request's Accept header."""
    assert rule.status is not None  # noqa: S101 - only rules with a status are answered
    code, reason, text = _ERRORS[rule.status]
    code = rule.code or code
    request_id, now = str(uuid.uuid4()), datetime.now(UTC)
    # The services end the message with the request id and time, for a support request.
    message = f"{text}\nRequestId:{request_id}\nTime:{now:%Y-%m-%dT%H:%M:%S.%fZ}"
    if service == "table" and "application/json" in accept:
        kind = "application/json;odata=minimalmetadata;streaming=true;charset=utf-8"
        error = {"code": code, "message": {"lang": "en-US", "value": message}}
        body = json.dumps({"odata.error": error}).encode()
    else:
        kind = "application/xml"
        body = (
            '\ufeff<?xml version="1.0" encoding="utf-8"?>'
            f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        ).encode()
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Date", f"{now:%a, %d %b %Y %H:%M:%S} GMT"),
        ("x-ms-error-code", code),
        ("x-ms-request-id", request_id),
    ]
    if rule.retry_after is not None:
        headers.append(("Retry-After", str(rule.retry_after)))
    return h11.Response(status_code=rule.status, reason=reason, headers=headers), body
