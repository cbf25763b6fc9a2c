"""The mails of the mailbox: kept as files, shown as JSON and as they came."""

from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


class Mailbox:
    """The mails in a directory, for every address. `is_emptied` forgets those of earlier runs."""

    def __init__(self, directory: Path, *, is_emptied: bool = False) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        for path in self._files() if is_emptied else ():
            path.unlink()
        self._count = len(self._files())

    async def handle_DATA(  # noqa: N802 - the name in aiosmtpd
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep a mail, and take it."""
        self._count += 1
        content = envelope.original_content or b""
        (self._directory / f"{self._count:06}.eml").write_bytes(content)
        return "250 2.0.0 kept"

    def listed(self, address: str) -> list[dict[str, Any]]:
        """Describe the mails to an address, or all mails, the oldest first."""
        found = [_described(path) for path in self._files()]
        return [mail for mail in found if not address or address in mail["to"]]

    def raw(self, name: str) -> bytes | None:
        """Return a mail as it came, or None."""
        known = {path.name: path for path in self._files()}
        return known[name].read_bytes() if name in known else None

    def _files(self) -> list[Path]:
        return sorted(self._directory.glob("*.eml"))


def create_app(mailbox: Mailbox) -> Starlette:
    """Make the web address of a mailbox: `/mails`, `/mails?to=`, and `/mails/{name}`."""

    async def mails(request: Request) -> Response:
        return JSONResponse(mailbox.listed(request.query_params.get("to", "")))

    async def mail(request: Request) -> Response:
        content = mailbox.raw(request.path_params["name"])
        if content is None:
            return Response("There is no such mail.", status_code=404)
        return Response(content, media_type="message/rfc822")

    return Starlette(routes=[Route("/mails", mails), Route("/mails/{name}", mail)])


def _described(path: Path) -> dict[str, Any]:
    message = message_from_bytes(path.read_bytes(), policy=default)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    return {
        "name": path.name,
        "to": [one.strip() for one in str(message["To"] or "").split(",")],
        "subject": str(message["Subject"]),
        "headers": {name: str(value) for name, value in message.items()},
        "text": "" if text is None else text.get_content(),
        "html": "" if html is None else html.get_content(),
    }
