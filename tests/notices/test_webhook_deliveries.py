"""A receiver that answers 500, 410, nothing, a redirect or a gigabyte, or that is inside."""

import asyncio
import socket

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver
from standardwebhooks.webhooks import Webhook

from shared.notices.channels.base import Parcel
from shared.notices.channels.webhook import WebhookChannel
from shared.notices.channels.webhook.addresses import InsideError, PublicResolver
from shared.notices.channels.webhook.signature import signed_headers
from shared.notices.texts.letter import Letter
from tests.notices.test_rules import NOW, contact

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Resolver(AbstractResolver):
    """Names with addresses in turn, as a name server that rebinds gives them."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.count = 0

    async def resolve(self, host, port=0, family=socket.AF_INET):
        addresses = self.answers[min(self.count, len(self.answers) - 1)]
        self.count += 1
        return [
            {"hostname": host, "host": one, "port": port, "family": family, "proto": 0, "flags": 0}
            for one in addresses
        ]

    async def close(self):
        return


def parcel(url, secret=SECRET):
    letter = Letter("en", "s", [])
    given = contact(channel="webhook", address=url)
    return Parcel("n:c:0", given, letter, b'{"type":"a"}', NOW, secret=secret)


class Handed:
    """Counts the handings over."""

    def __init__(self):
        self.count = 0

    async def __call__(self):
        self.count += 1


def test_the_verifier_of_standard_webhooks_takes_the_signature():
    from datetime import UTC, datetime

    body = b'{"type":"a"}'
    headers = signed_headers(SECRET, "n:c:0", datetime.now(UTC), body)
    assert Webhook(SECRET).verify(body, dict(headers)) == {"type": "a"}


@pytest.fixture
async def receiver(tmp_path, monkeypatch):
    """A receiver over TLS, whose answer a test sets; its channel."""
    import ssl

    from infra.local.certificates import Certificates

    certificates = Certificates.within(tmp_path)
    certificates.make()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.server, certificates.server_key)
    answers = {}

    async def handle(request):
        await request.read()
        answers["seen"] = answers.get("seen", 0) + 1
        return await answers["answer"](request)

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    channel = WebhookChannel(f"127.0.0.1:{port}", seconds=2)
    answers["url"], answers["channel"] = f"https://127.0.0.1:{port}/hook", channel
    yield answers
    await channel.close()
    await runner.cleanup()


def status(code, **headers):
    async def answer(_request):
        return web.Response(status=code, headers=headers)

    return answer


async def nothing(_request):
    await asyncio.sleep(20)
    return web.Response()


async def gigabyte(request):
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(1024):
        await response.write(bytes(1024 * 1024))
    return response


async def dripping(request):
    response = web.StreamResponse(headers={"Content-Length": "1000000"})
    await response.prepare(request)
    while True:
        await response.write(b"x")
        await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    ("answer", "kind", "result"),
    [
        (status(200), "delivered", "http-200"),
        (status(204), "delivered", "http-204"),
        (status(410), "gone", "http-410"),
        (status(500), "retry", "http-500"),
        (status(404), "retry", "http-404"),
        (status(302, Location="https://127.0.0.1:1/"), "retry", "http-302"),
        (status(307, Location="http://169.254.169.254/"), "retry", "http-307"),
        (nothing, "retry", "http-timeout"),
        (gigabyte, "delivered", "http-200"),
        (dripping, "delivered", "http-200"),
    ],
    ids=lambda one: getattr(one, "__name__", str(one)),
)
async def test_answers(receiver, answer, kind, result):
    receiver["answer"] = answer
    handed = Handed()
    outcome = await receiver["channel"].deliver(parcel(receiver["url"]), handed)
    assert (outcome.kind, outcome.result) == (kind, result)
    assert (receiver["seen"], handed.count) == (1, 1)


async def test_nobody_listens(receiver):
    receiver["channel"] = WebhookChannel("127.0.0.1:1", seconds=2)
    outcome = await receiver["channel"].deliver(parcel("https://127.0.0.1:1/"), Handed())
    assert (outcome.kind, outcome.result) == ("retry", "http-no-answer")
    await receiver["channel"].close()


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], ["10.0.0.1"], ["93.184.215.14", "169.254.169.254"], ["::1"], ["fd00::1"]],
)
async def test_a_name_with_an_address_inside_is_refused(addresses):
    with pytest.raises(InsideError):
        await PublicResolver(Resolver(addresses)).resolve("hooks.example.com", 443)


async def test_a_name_is_resolved_once_and_an_address_inside_gets_no_connection():
    from aiohttp import ClientSession, TCPConnector

    resolver = Resolver(["127.0.0.1"])
    channel = WebhookChannel(seconds=2)
    channel._session = ClientSession(
        connector=TCPConnector(resolver=PublicResolver(resolver), use_dns_cache=False)
    )
    outcome = await channel.deliver(parcel("https://hooks.example.com/"), Handed())
    assert (outcome.kind, outcome.result) == ("refused", "webhook-address-inside")
    assert resolver.count == 1
    await channel.close()


@pytest.mark.parametrize("url", ["https://127.0.0.1/", "http://hooks.example.com/"])
async def test_an_address_that_was_right_once_is_checked_again(url):
    handed = Handed()
    outcome = await WebhookChannel().deliver(parcel(url), handed)
    assert (outcome.kind, handed.count) == ("refused", 0)


async def test_a_webhook_without_a_secret_is_not_sent():
    outcome = await WebhookChannel().deliver(parcel("https://hooks.example.com/", None), Handed())
    assert outcome.kind == "refused"
