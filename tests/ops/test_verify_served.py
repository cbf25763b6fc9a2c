"""`verify-log` on a log as served: over HTTP, and as files in a folder."""

from pathlib import Path

import pytest

from infra.ops.logs import sources
from shared.merkle import Redaction, Tile, encode_bundle, entries_path, leaf_hash
from tests.merkle.logs import tiles_of
from tests.ops.conftest import Verify, found
from tests.ops.logs import KEY, NOW, ORIGIN, OTHER_KEY, SIZE, Log, Server, entry, serving

CHANGED = entry(0, "asset.delete")


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch):
    """Retry without any pause."""
    monkeypatch.setattr(sources.time, "sleep", lambda _: None)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, SIZE, 3000])
def test_an_intact_log(verify: Verify, tmp_path: Path, size: int):
    log = Log([entry(number) for number in range(size)])
    with serving(log.served()) as server:
        answer = verify(server.url)
        assert answer.status == 0
        assert "is intact" in answer.said
        assert verify(server.url + "/").status == 0
        assert server.most <= sources.CONCURRENCY
    assert verify(log.folder(tmp_path)).status == 0


def test_a_log_of_more_than_one_tile_of_level_one(verify: Verify, tmp_path: Path):
    log = Log([b'{"a":%d}' % number for number in range(66_000)])
    assert verify(log.folder(tmp_path)).status == 0
    tile = tmp_path / "tile/1/001.p/1"
    tile.write_bytes(bytes(32))
    answer = verify(tmp_path, "--json")
    assert answer.status == 1
    assert "but not the hashes in tile/1/001.p/1" in answer.said


def test_redactions_and_older_states(verify: Verify, tmp_path: Path, log: Log):
    older = tmp_path / "older"
    with serving(log.redact(5, 600).served()) as server:
        assert "2 of them redacted" in verify(server.url).said
        for size in (0, 256, 300, SIZE):
            older.write_text(log.checkpoint(size).sign([KEY]))
            answer = verify(server.url, "--older", older)
            assert answer.status == 0
            assert "continue the older log" in answer.said
        Log(Log().entries[:300]).export(older)
        assert verify(server.url, "--older", older).status == 0


def test_a_token_is_sent(verify: Verify, log: Log, monkeypatch: pytest.MonkeyPatch):
    with serving(log.served(), token="secret") as server:
        answer = verify(server.url)
        assert "the token is missing, expired or not accepted (401)" in answer.error
        wrong = verify(server.url, "--token", "wrong")
        assert (wrong.status, "wrong" in wrong.error) == (2, False)
        assert verify(server.url, "--token", "secret").status == 0
        monkeypatch.setenv("VOUCHSAFE_TOKEN", "secret")
        assert verify(server.url).status == 0


def test_a_log_that_grew_meanwhile_serves_the_full_tiles(verify: Verify, log: Log):
    grown = Log([*log.entries, *(entry(number) for number in range(SIZE, 800))])
    parts = log.served()
    # Partial tiles may be gone after full tiles exist.
    for kind in ("0", "entries"):
        del parts[f"tile/{kind}/002.p/188"]
        parts[f"tile/{kind}/002"] = grown.served()[f"tile/{kind}/002"]
    with serving(parts) as server:
        assert verify(server.url).status == 0


def _faults(log: Log) -> list[tuple[dict[str, bytes | None], tuple[str, int, int]]]:
    """Return replaced parts of a log, each with the expected fault."""

    def bundle(number: int, entries: list[bytes], width: int = 256) -> dict[str, bytes | None]:
        part = "" if width == 256 else f".p/{width}"
        return {f"tile/entries/{number:03}{part}": encode_bundle(entries)}

    def level_0(number: int, entries: list[bytes]) -> dict[str, bytes | None]:
        return {f"tile/0/{number:03}": b"".join(map(leaf_hash, entries))}

    second, last = log.entries[256:512], log.entries[512:]
    changed = [*second[:44], CHANGED, *second[45:]]
    swapped = [second[1], second[0], *second[2:]]
    cut = encode_bundle(second)[:-1]
    return [
        (bundle(1, changed), ("changed", 300, 300)),
        # The server makes the tiles of level 0 from the entries.
        (bundle(1, changed) | level_0(1, changed), ("changed", 256, 511)),
        (bundle(1, swapped), ("reordered", 256, 256)),
        (bundle(1, second[:44] + second[45:]), ("missing", 300, 300)),
        (bundle(1, second[:-1]), ("missing", 511, 511)),
        (bundle(1, [*second[:44], CHANGED, *second[44:]]), ("inserted", 300, 300)),
        (bundle(1, [*second, CHANGED]), ("inserted", 512, 512)),
        (bundle(1, second[:-1]) | level_0(1, second[:-1]), ("missing", 256, 511)),
        (bundle(1, [b"no entry", *second[1:]]), ("changed", 256, 256)),
        ({"tile/entries/001": cut}, ("changed", 256, 256)),
        ({"tile/entries/001": b""}, ("missing", 256, 256)),
        (bundle(2, [CHANGED, *last[1:]], 188), ("changed", 512, 512)),
        (bundle(2, last[:-1], 188), ("missing", 699, 699)),
        ({"tile/entries/001": None}, ("missing", 256, 511)),
        # The server makes bundles from the entries.
        (
            {"tile/entries/001": None}
            | {entries_path(1, n): encode_bundle(second[:n]) for n in range(1, 45)},
            ("missing", 300, 511),
        ),
        # The tile's hashes are served: the log continues behind the gap.
        ({"tile/entries/002.p/188": None}, ("missing", 512, 699)),
        (
            {"tile/entries/002.p/188": None}
            | {entries_path(2, n): encode_bundle(last[:n]) for n in range(1, 4)},
            ("missing", 515, 699),
        ),
        # The tile's hashes are missing too.
        ({"tile/entries/002.p/188": None, "tile/0/002.p/188": None}, ("truncated", 512, 699)),
    ]


@pytest.mark.parametrize("number", range(18))
def test_what_is_not_what_was_signed_is_located(verify: Verify, log: Log, number: int):
    parts, expected = _faults(log)[number]
    served = {path: one for path, one in (log.served() | parts).items() if one is not None}
    with serving(served) as server:
        assert found(verify(server.url, "--json")) == expected


def test_all_kinds_are_tried(log: Log):
    assert len(_faults(log)) == 18


def test_a_log_rewritten_throughout_is_found_and_narrowed_by_what_the_tenant_kept(
    verify: Verify, tmp_path: Path, log: Log
):
    rewritten = Log([*log.entries[:300], CHANGED, *log.entries[301:]])
    older = tmp_path / "older"
    with serving(rewritten.served() | {"checkpoint": log.signed.encode()}) as server:
        assert found(verify(server.url, "--json")) == ("changed", 0, SIZE - 1)
        older.write_text(log.checkpoint(400).sign([KEY]))
        assert found(verify(server.url, "--json", "--older", older)) == ("changed", 0, 399)
        older.write_text(log.checkpoint(200).sign([KEY]))
        assert found(verify(server.url, "--json", "--older", older)) == ("changed", 200, 699)
        log.export(older)
        assert found(verify(server.url, "--json", "--older", older)) == ("changed", 300, 300)


def test_a_fork_is_found(verify: Verify, tmp_path: Path, log: Log):
    older = tmp_path / "older"
    forked = Log([*log.entries[:300], CHANGED, *log.entries[301:]])
    with serving(forked.served()) as server:
        assert verify(server.url).status == 0
        older.write_text(log.checkpoint(400).sign([KEY]))
        assert found(verify(server.url, "--json", "--older", older)) == ("forked", 0, 399)
        Log(log.entries[:400]).export(older)
        assert found(verify(server.url, "--json", "--older", older)) == ("forked", 300, 300)
        older.write_text(Log([*log.entries, CHANGED]).signed)
        assert found(verify(server.url, "--json", "--older", older)) == ("truncated", 700, 700)


@pytest.mark.parametrize("path", ["tile/1/000.p/2", "tile/0/002.p/188"])
@pytest.mark.parametrize("content", [None, b"", bytes(32), bytes(188 * 32)])
def test_a_false_tile_over_true_entries_is_named(
    verify: Verify, log: Log, path: str, content: bytes | None
):
    parts = log.served() | {path: content}
    with serving({name: one for name, one in parts.items() if one is not None}) as server:
        answer = verify(server.url)
        assert answer.status == 1
        assert f"its entries are what they should be, but not the hashes in {path}" in answer.said


def test_a_false_signature_is_found(verify: Verify, log: Log):
    with serving(log.served()) as server:
        server.parts["checkpoint"] = server.parts["checkpoint"].replace(b"\n700\n", b"\n600\n")
        answer = verify(server.url)
        assert answer.status == 1
        assert "a signature of the checkpoint does not verify" in answer.said


def test_what_may_succeed_later_is_tried_again(verify: Verify, log: Log):
    with serving(log.served()) as server:
        server.statuses += [503, 429, 500]
        assert verify(server.url).status == 0
        assert server.asked[:4] == ["/log/checkpoint"] * 4
        server.statuses += [503] * 4
        answer = verify(server.url)
        assert answer.status == 2
        assert f"{server.url}/checkpoint was not read" in answer.error
        assert "status 503" in answer.error


def test_what_the_server_says_is_damaged_is_missing(verify: Verify, log: Log):
    second = log.entries[256:512]
    parts = {entries_path(1, n): encode_bundle(second[:n]) for n in range(1, 256)}
    with serving(log.served() | parts) as server:
        server.damaged |= {entries_path(1, n) for n in range(101, 257)} | {"tile/0/001"}
        answer = verify(server.url)
        assert answer.status == 1
        assert "an entry from 356 to 511 is missing" in answer.said
        server.damaged.add("checkpoint")
        assert "status 500" in verify(server.url).error


def test_no_leaf_that_was_signed_makes_up_for_an_entry_that_cannot_be_read(
    verify: Verify, log: Log
):
    log.sign_zeros(5, 600)
    log.entries[600] = Redaction(ORIGIN, 600, bytes(32), NOW, "gdpr-art-17").sign([OTHER_KEY])
    with serving(log.served()) as server:
        assert found(verify(server.url, "--json")) == ("changed", 5, 5)
        log.entries[5] = Redaction(ORIGIN, 5, bytes(32), NOW, "gdpr-art-17").sign([KEY])
        server.parts |= log.served()
        assert found(verify(server.url, "--json")) == ("changed", 600, 600)


@pytest.mark.parametrize(("status", "said"), [(403, "does not allow"), (302, "302"), (400, "400")])
def test_what_the_server_refuses_is_one_clear_line(
    verify: Verify, log: Log, status: int, said: str
):
    with serving(log.served()) as server:
        server.statuses += [200, 200, status]
        answer = verify(server.url)
        assert answer.status == 2
        assert said in answer.error
        assert len([path for path in server.asked if "checkpoint" in path]) == 1


def test_a_server_that_is_none_is_one_clear_line(verify: Verify, log: Log):
    with serving({}) as server:
        assert verify(server.url).error == f"There is no log at {server.url}: it has no checkpoint."
        server.parts["checkpoint"] = b"<html></html>"
        assert "The checkpoint cannot be read." in verify(server.url).error
        server.parts["checkpoint"] = b"x" * (18 << 20)
        assert "larger than anything in a log" in verify(server.url).error
        server.parts["checkpoint"] = Log(key=OTHER_KEY).signed.encode()
        assert "None of the given keys has signed the checkpoint." in verify(server.url).error
    gone = verify(server.url)
    assert gone.status == 2
    assert "cannot be reached" in gone.error


@pytest.mark.parametrize(
    ("url", "options", "error"),
    [
        ("ftp://host/log", (), "is not an http or https address"),
        ("https://", (), "is not an http or https address"),
        ("http://host.example/log", ("--token", "t"), "over https only"),
        ("https://host.example/log", ("--token", "t\n"), "printable ASCII"),
    ],
)
def test_an_address_that_cannot_be_right_is_one_clear_line(
    verify: Verify, url: str, options: tuple[str, ...], error: str
):
    answer = verify(url, *options)
    assert answer.status == 2
    assert error in answer.error


def test_the_tests_tamper_with_what_is_served(log: Log):
    served = log.served()
    assert set(served) == {
        "checkpoint",
        "tile/0/000",
        "tile/0/001",
        "tile/0/002.p/188",
        "tile/1/000.p/2",
        "tile/entries/000",
        "tile/entries/001",
        "tile/entries/002.p/188",
    }
    assert served["tile/0/000"] == tiles_of(log.leaves)[Tile(0, 0)]
    assert ORIGIN in log.signed
    assert Server({}).parts == {}
