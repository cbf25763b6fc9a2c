"""The issuer's keys while the issuer does not answer."""

import asyncio

import jwt
import pytest

from shared.errors import UnavailableError
from shared.identity import Tokens, tokens


@pytest.fixture
async def silent():
    """An issuer that never answers: its address, and the connections that were made."""
    made = []

    async def connected(reader, _writer):
        made.append(await reader.readline())
        await reader.read()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", made
    server.close()
    server.abort_clients()


async def test_callers_with_unknown_keys_wait_for_a_silent_issuer_once(silent, monkeypatch):
    monkeypatch.setattr(tokens, "_TIMEOUT_SECONDS", 0.5)
    address, made = silent
    checked = Tokens(address, "api://vouchsafe")

    async def call(number):
        token = jwt.encode({}, "x" * 32, headers={"kid": f"unknown-{number}"})
        await checked.caller(f"Bearer {token}")

    answers = await asyncio.gather(*map(call, range(20)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [UnavailableError] * 20
    assert len(made) == 1
