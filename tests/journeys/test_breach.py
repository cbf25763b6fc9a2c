"""The misuse of a support engineer's token at two tenants, over HTTP: incident to notices.

The DPO and the tenants' administrators speak HTTP alone; the stack's own host does the rest.
"""

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from azure.servicebus import ServiceBusMessage

from tests.incidents.conftest import opened
from tests.journeys.portal import Portal, eventually
from tests.journeys.test_consent_access import granted, uploaded, wish

ASSESSMENT = {
    "isBreach": True,
    "factors": {
        "dataKind": "simple",
        "identification": "maximum",
        "confidentiality": "unknown-recipients",
        "isMalicious": True,
    },
    "whatHappened": "The token of a support engineer was used by a stranger.",
    "consequences": "Pictures and names may be known to a stranger.",
    "measures": "The token was revoked, and the engineer's account was locked.",
}
CONTACT = "dpo@vendor.example"


class People:
    """The vendor's people who handle breaches."""

    def __init__(self, http, token):
        self.http = http
        self.tokens = {
            role: token(roles=f"vendor.{role}", oid=f"{role}-1")
            for role in ("dpo", "officer", "it_supervisor", "support")
        }

    async def call(self, method, path, who="dpo", body=None, etag=None):
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        headers |= {"If-Match": etag} if etag else {}
        return await self.http.request(method, f"/api/{path}", json=body, headers=headers)

    async def step(self, breach, name, body, who="dpo"):
        """Take a step with the present ETag; the answer's body."""
        read = await self.call("GET", f"breaches/{breach}", who)
        etag = read.headers["ETag"]
        answer = await self.call("PUT", f"breaches/{breach}/{name}", who, body, etag)
        assert answer.status_code in (200, 202), answer.text
        return answer.json()

    async def read(self, breach):
        answer = await self.call("GET", f"breaches/{breach}")
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def people(http, token):
    return People(http, token)


async def incident(bus, people, **data):
    """An incident on the queue, until the desk has its record; the id."""
    kind = f"token.misused-{uuid.uuid4().hex[:12]}"
    event = opened(kind, "tokens/1", **data)
    async with bus.get_queue_sender("incidents") as sender:
        await sender.send_messages(
            ServiceBusMessage(
                json.dumps(event),
                message_id=event["id"],
                content_type="application/cloudevents+json",
            )
        )

    async def listed():
        answer = await people.call("GET", f"incidents?kind={kind}", "it_supervisor")
        return answer.json()["incidents"]

    return (await eventually(listed, bool))[0]["id"]


async def read_by_sven(portal, path):
    """An asset that Sven reads under a grant."""
    asset = await uploaded(portal, path)
    await granted(portal)
    answer = await portal.mine("POST", "accesses", who="sven", body=wish(asset))
    assert answer.status_code == 200, answer.text
    return asset


def window(**more):
    now = datetime.now(UTC)
    span = {"since": (now - timedelta(hours=1)).isoformat(), "until": now.isoformat()}
    return span | more


async def test_both_tenants_are_told_of_their_own_part(stack, bus, people):
    names = [f"t{uuid.uuid4().hex[:10]}" for _ in range(2)]
    async with Portal(stack, names[0]) as one, Portal(stack, names[1]) as two:
        first, second = (
            await read_by_sven(one, "shoot/a.jpg"),
            await read_by_sven(two, "shoot/b.jpg"),
        )
        await uploaded(two, "shoot/untouched.jpg")
        number = await incident(bus, people)
        made = await people.call("POST", "breaches", "it_supervisor", {"incidentId": number})
        assert made.status_code == 201, made.text
        assert made.json()["id"] == number
        clocks = {one["name"]: one for one in made.json()["clocks"]}
        assert clocks["gdpr-processor-notice"]["state"] == "running"
        assert 23 * 3600 < clocks["gdpr-processor-notice"]["leftSeconds"] <= 24 * 3600
        assert clocks["house-decision"]["state"] == "running"

        assessed = await people.step(number, "assessment", ASSESSMENT, "officer")
        assert assessed["severity"]["score"] == 2.0
        assert assessed["severity"]["level"] == "medium"
        await people.step(number, "scope", window(actor="sven", tenants=names), "it_supervisor")
        await people.step(number, "decision", {"verdict": "breach", "reason": "Pictures seen."})
        record = await eventually(
            lambda: people.read(number), lambda found: found["overview"]["isComplete"]
        )
        assert (record["overview"]["affected"], record["overview"]["assets"]) == (2, 2)

        await people.step(number, "notices", {"contact": CONTACT})
        record = await eventually(
            lambda: people.read(number), lambda found: found["noticesDone"] == 1
        )
        assert record["overview"]["told"] == 2
        clocks = {one["name"]: one for one in record["clocks"]}
        assert clocks["gdpr-processor-notice"]["state"] == "met"

        for portal, asset in ((one, first), (two, second)):
            listed = await portal.mine("GET", "breach-notices", who="ada")
            assert listed.status_code == 200, listed.text
            [summary] = listed.json()["notices"]
            assert summary["breach"] == number
            [clock] = summary["clocks"]
            assert 71 * 3600 < clock["leftSeconds"] <= 72 * 3600
            notice = await portal.mine("GET", f"breach-notices/{number}", who="ada")
            assert notice.status_code == 200, notice.text
            form = notice.json()["form"]
            assert form["data"]["assets"] == [asset["id"]]
            assert form["contact"] == CONTACT
            assert form["evidence"]["isWhole"]
            assert {x for x in names if x in notice.text} == {portal.tenant}

            async def sent(portal=portal):
                return [
                    row
                    for row in await portal.listed("notices", "notices")
                    if row["kind"] == "breach"
                ]

            [mailed] = await eventually(sent, bool)
            text = (await portal.mine("GET", f"notices/{mailed['id']}", who="ada")).text
            assert ASSESSMENT["whatHappened"] in text
            assert {x for x in names if x in text} == {portal.tenant}
            words = await portal.mine(
                "GET",
                f"breach-notices/{number}/communication?language=de",
                who="ada",
            )
            assert words.json()["subject"].startswith("Information über"), words.text
            assets = await portal.mine("GET", f"breach-notices/{number}/assets", who="ada")
            assert assets.json()["assets"] == [asset["id"]]
            told = {entry["action"] for entry in await portal.log()}
            assert {"breach.scoped", "breach.notified", "breach-notice.viewed"} <= told

        found = await people.call("GET", f"breaches/{number}/findings", "officer")
        assert [row["affected"] for row in found.json()["findings"]] == ["yes", "yes"]
        assert {row["tenant"] for row in found.json()["findings"]} == set(names)
        register = await people.call("GET", "breaches?limit=1000", "officer")
        [entry] = [row for row in register.json()["breaches"] if row["id"] == number]
        assert entry["isReported"]
        assert entry["decisions"][0]["reason"] == "Pictures seen."


async def test_each_step_is_for_its_role_and_for_the_state_that_was_seen(bus, people):
    number = await incident(bus, people)
    opening = {"incidentId": number}
    assert (await people.call("POST", "breaches", "support", opening)).status_code == 403
    made = await people.call("POST", "breaches", "officer", opening)
    etag = made.headers["ETag"]
    path = f"breaches/{number}"
    decision = {"verdict": "breach", "reason": "Seen."}
    for who in ("officer", "it_supervisor", "support"):
        answer = await people.call("PUT", f"{path}/decision", who, decision, etag)
        assert answer.status_code == 403, who
    answer = await people.call("PUT", f"{path}/assessment", "officer", ASSESSMENT)
    assert answer.status_code == 428
    answer = await people.call("PUT", f"{path}/decision", "dpo", decision, etag)
    assert (answer.status_code, answer.json()["type"]) == (
        409,
        "urn:vouchsafe:problem:breach-not-assessed",
    )
    answer = await people.call("PUT", f"{path}/assessment", "officer", ASSESSMENT, etag)
    assert answer.status_code == 200
    answer = await people.call("PUT", f"{path}/assessment", "officer", ASSESSMENT, etag)
    assert answer.status_code == 412
    assert (await people.call("GET", "breaches", "it_supervisor")).status_code == 403
    assert (await people.call("GET", "breaches/nothing")).status_code == 404
    missing = await people.call("POST", "breaches", "dpo", {"incidentId": "nothing"})
    assert missing.status_code == 404


@pytest.mark.parametrize(
    ("step", "body", "status"),
    [
        ("assessment", ASSESSMENT | {"measures": ""}, 400),
        ("assessment", ASSESSMENT | {"measures": "a\x00b"}, 400),
        ("assessment", ASSESSMENT | {"factors": {"dataKind": "simple"}}, 400),
        (
            "assessment",
            ASSESSMENT | {"factors": ASSESSMENT["factors"] | {"adjustment": -3, "reason": "x"}},
            422,
        ),
        ("assessment", ASSESSMENT | {"beganAt": "2026-01-01T00:00:00"}, 400),
        ("assessment", ASSESSMENT | {"beganAt": "2999-01-01T00:00:00Z"}, 422),
        ("scope", {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, 422),
        ("scope", {"since": "2999-01-02T00:00:00Z", "until": "2999-01-03T00:00:00Z"}, 422),
        ("scope", {"since": "2026-01-02T00:00:00Z"}, 400),
        ("scope", {"since": "2026-01-02T00:00:00Z", "until": "x"}, 400),
        (
            "scope",
            {
                "since": "2026-01-01T00:00:00Z",
                "until": "2026-01-02T00:00:00Z",
                "store": "accesslog",
            },
            400,
        ),
        (
            "scope",
            {
                "since": "2026-01-01T00:00:00Z",
                "until": "2026-01-02T00:00:00Z",
                "tenants": ["aa", "aa"],
            },
            422,
        ),
        ("notices", {"contact": "a\r\nBcc: x@example.org"}, 400),
        ("notices", {"contact": CONTACT}, 409),
        ("reports/gdpr-authority", {"doneAt": "2026-01-01T00:00:00Z"}, 404),
    ],
)
async def test_bad_input_gets_a_clear_answer(bus, people, step, body, status):
    number = await incident(bus, people)
    made = await people.call("POST", "breaches", "dpo", {"incidentId": number})
    etag = made.headers["ETag"]
    answer = await people.call("PUT", f"breaches/{number}/{step}", "dpo", body, etag)
    assert answer.status_code == status, answer.text
    assert answer.json()["type"].startswith("urn:vouchsafe:problem:")


async def test_a_tenant_reads_its_own_notices_alone(stack, people):
    async with Portal(stack, f"t{uuid.uuid4().hex[:10]}") as portal:
        listed = await portal.mine("GET", "breach-notices", who="ada")
        assert listed.json() == {"notices": [], "continuation": None}
        missing = await portal.mine("GET", "breach-notices/none", who="ada")
        assert missing.status_code == 404
        for version in ("0", "x", "9999999", "-1", "1.5"):
            answer = await portal.mine("GET", f"breach-notices/none?version={version}", who="ada")
            assert answer.status_code == 422, version
        answer = await portal.mine("GET", "breach-notices", who="mia")
        assert answer.status_code == 403
        answer = await people.call("GET", f"tenants/{portal.tenant}/breach-notices", "support")
        assert answer.status_code == 403
