"""The SASL layer at the start of a connection: PLAIN, ANONYMOUS, EXTERNAL and MSSBCBS.

Source: OASIS AMQP 1.0, part 5, section 5.3, and "AMQP 1.0 in Azure Service Bus protocol guide",
connections. With PLAIN a client shows the name and key of a policy, good for every entity. With
ANONYMOUS, EXTERNAL and Service Bus's MSSBCBS a client puts tokens to `$cbs` afterwards. Proton has
PLAIN only with a system library, and lacks MSSBCBS, which the .NET and Java clients ask for.
"""

import hmac
import re
import struct
from typing import Final

from infra.local.servicebus.encoding import MalformedMessageError, descriptor, items, scalar
from infra.local.servicebus.sas import KEY, KEY_NAME

_HEADER: Final = b"AMQP\x03\x01\x00\x00"
_MECHANISMS: Final = ("MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL")
_INIT: Final = 0x41
_OK, _AUTH_FAILED = 0, 1
# MIN-MAX-FRAME-SIZE: the largest SASL frame (section 5.3.1).
_MAX_FRAME: Final = 512
_FRAME_HEADER: Final = 8
# A request line of HTTP: the client asks for AMQP over WebSockets (RFC 6455, section 4.1).
_HTTP: Final = re.compile(rb"[A-Z]{3,6} /")
_NO_HTTP: Final = (
    b"HTTP/1.1 501 AMQP over WebSockets and management over HTTP are not supported by the local"
    b" broker\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
)
# The content type of a TLS record with a ClientHello (RFC 8446, section 5.1).
_TLS_HANDSHAKE: Final = 22


class Sasl:
    """The SASL negotiation of one connection.

    `is_done` tells that the layer has ended, `has_failed` that the login failed. `is_trusted` tells
    that the client showed the key with PLAIN and needs no token.
    """

    def __init__(self) -> None:
        self.is_done = False
        self.has_failed = False
        self.is_trusted = False
        self._read = bytearray()
        self._greeted = False

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """Take bytes of the socket; return the answer, and the bytes after the SASL layer.

        Raises `MalformedMessageError` for bytes that are not a SASL frame.
        """
        self._read += data
        answer = b""
        if not self._greeted:
            if len(self._read) < len(_HEADER):
                return b"", b""
            if not self._read.startswith(_HEADER):
                if _HTTP.match(self._read):
                    self.has_failed = self.is_done = True
                    return _NO_HTTP, b""
                if self._read[0] == _TLS_HANDSHAKE:
                    raise MalformedMessageError(
                        "it is TLS, which the local broker has not: connect with"
                        " UseDevelopmentEmulator=true"
                    )
                return b"", self._rest()  # No SASL, or no AMQP: proton's to answer.
            del self._read[: len(_HEADER)]
            self._greeted = True
            answer = _HEADER + _mechanisms()
        size = int.from_bytes(self._read[:4])
        if len(self._read) >= 4 and not _FRAME_HEADER < size <= _MAX_FRAME:
            raise MalformedMessageError(f"a SASL frame of {size} bytes")
        if len(self._read) < max(size, _FRAME_HEADER):
            return answer, b""
        frame = bytes(self._read[:size])
        del self._read[:size]
        code = self._judge(frame)
        self.has_failed = code != _OK
        return answer + _outcome(code), self._rest()

    def _rest(self) -> bytes:
        self.is_done = True
        rest = bytes(self._read)
        self._read.clear()
        return rest

    def _judge(self, frame: bytes) -> int:
        try:
            code, fields_at = descriptor(frame, frame[4] * 4)
            fields = [scalar(frame, start) for start, _ in items(frame, fields_at)]
        except (IndexError, ValueError) as error:
            raise MalformedMessageError(f"a SASL frame makes no sense: {error}") from error
        if code != _INIT or not fields:
            raise MalformedMessageError("expected sasl-init")
        mechanism, response = fields[0], fields[1] if len(fields) > 1 else None
        if mechanism == "PLAIN":
            # RFC 4616: authorization identity, name and password, separated by NUL.
            if not isinstance(response, bytes):
                response = b""
            _, name, password = (*response.split(b"\0"), b"", b"", b"")[:3]
            self.is_trusted = name == KEY_NAME.encode() and hmac.compare_digest(
                password, KEY.encode()
            )
            return _OK if self.is_trusted else _AUTH_FAILED
        return _OK if mechanism in _MECHANISMS else _AUTH_FAILED


def _mechanisms() -> bytes:
    names = b"".join(bytes((len(name),)) + name.encode() for name in _MECHANISMS)
    # An array of symbols.
    array = b"\xe0" + bytes((len(names) + 2, len(_MECHANISMS))) + b"\xa3" + names
    return _frame(0x40, array)


def _outcome(code: int) -> bytes:
    return _frame(0x44, bytes((0x50, code)))


def _frame(code: int, field: bytes) -> bytes:
    body = b"\x00\x53" + bytes((code, 0xC0, len(field) + 1, 1)) + field
    return struct.pack(">IBBH", len(body) + _FRAME_HEADER, 2, 1, 0) + body
