"""Planning over HTTP, as an IT supervisor plans and a tenant reads."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from tests.journeys.portal import Portal

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def call(http, token):
    """`call(method, path, body, roles=..., **headers)` asks the app."""

    async def ask(method, path, body=None, roles="vendor.it_supervisor", **headers):
        bearer = token(roles=roles, oid="ito", organisation="vendor")
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        headers["Authorization"] = f"Bearer {bearer}"
        return await http.request(method, f"/api/{path}", json=body, headers=headers)

    return ask


def at(after):
    return (datetime.now(UTC) + after).isoformat()


def wish(start=6 * DAY, length=HOUR, **more):
    return {"startsAt": at(start), "endsAt": at(start + length), "work": "New disks"} | more


async def test_a_window_lives_from_the_plan_to_the_calling_off(stack, call):
    key = str(uuid.uuid4())
    body = wish(30 * DAY)
    answer = await call("POST", "maintenance-windows", body, Idempotency_Key=key)
    assert answer.status_code == 201, answer.text
    window = answer.json()
    assert window["zones"] == ["eu"]
    assert answer.headers["Location"] == f"/api/maintenance-windows/{window['id']}"
    again = await call("POST", "maintenance-windows", body, Idempotency_Key=key)
    assert again.json() == window
    other = await call("POST", "maintenance-windows", wish(40 * DAY), Idempotency_Key=key)
    assert (other.status_code, "idempotency-key-reused" in other.text) == (422, True)

    path = f"maintenance-windows/{window['id']}"
    etag = (await call("GET", path)).headers["ETag"]
    change = {"reason": "More disks", "work": "More disks"}
    for headers, status in (({}, 428), ({"If_Match": '"x"'}, 412), ({"If_Match": "*"}, 428)):
        assert (await call("PATCH", path, change, **headers)).status_code == status
    changed = await call("PATCH", path, change, If_Match=etag)
    assert (changed.status_code, changed.json()["version"]) == (200, 2)
    assert (await call("PATCH", path, change, If_Match=etag)).status_code == 412

    async with Portal(stack, f"maint-{uuid.uuid4().hex[:12]}") as portal:
        listed = await portal.mine("GET", "maintenance-windows")
        found = {one["id"]: one for one in listed.json()["maintenanceWindows"]}
        assert found[window["id"]]["work"] == "More disks"
        assert "maintenance.listed" in {one["action"] for one in await portal.log()}

    off = f"{path}/cancellation"
    etag = changed.headers["ETag"]
    called_off = await call("POST", off, {"reason": "No disks"}, If_Match=etag)
    assert called_off.json()["status"] == "called-off"
    etag = called_off.headers["ETag"]
    again = await call("POST", off, {"reason": "No disks"}, If_Match=etag)
    assert (again.status_code, "maintenance-over" in again.text) == (409, True)
    record = (await call("GET", "stamp-record", roles="vendor.dpo")).json()["acts"]
    acts = [one["action"] for one in record if one["resource"] == path]
    assert acts == ["maintenance.planned", "maintenance.changed", "maintenance.called-off"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (wish(4 * DAY), 422, "maintenance-notice-too-short"),
        (wish(6 * DAY, -HOUR), 422, "maintenance-window-invalid"),
        (wish(-HOUR), 422, "maintenance-window-invalid"),
        (wish(zones=["us"]), 422, "maintenance-window-invalid"),
        (wish(zones=[]), 400, "body-invalid"),
        (wish(surprise=1), 400, "body-invalid"),
        (wish(work=""), 400, "body-invalid"),
        (wish(work="a\r\nBcc: b"), 400, "body-invalid"),
        (wish() | {"startsAt": "2027-01-01T00:00:00"}, 400, "body-invalid"),
        (wish() | {"startsAt": "tomorrow"}, 400, "body-invalid"),
        (wish() | {"startsAt": "9999-12-31T23:59:59-14:00"}, 422, "maintenance-window-invalid"),
        (wish() | {"endsAt": "0001-01-01T00:00:00+14:00"}, 422, "maintenance-window-invalid"),
        ({}, 400, "body-invalid"),
    ],
)
async def test_what_cannot_be_planned_gets_an_answer(call, body, status, code):
    answer = await call("POST", "maintenance-windows", body)
    assert (answer.status_code, answer.json()["type"]) == (status, f"urn:vouchsafe:problem:{code}")


async def test_windows_overlap_for_an_emergency_alone(call):
    first = await call("POST", "maintenance-windows", wish(60 * DAY))
    assert first.status_code == 201
    second = await call("POST", "maintenance-windows", wish(60 * DAY + HOUR / 2))
    assert (second.status_code, "maintenance-overlaps" in second.text) == (409, True)
    urgent = wish(60 * DAY + HOUR / 2, emergency="A disk fails")
    assert (await call("POST", "maintenance-windows", urgent)).status_code == 201
    # A start with another offset is the same time.
    moved = datetime.now(UTC) + 60 * DAY + HOUR * 2
    offset = {"startsAt": moved.isoformat().replace("+00:00", "-12:00")}
    body = wish() | offset | {"endsAt": (moved + HOUR).isoformat().replace("+00:00", "-12:00")}
    answer = await call("POST", "maintenance-windows", body)
    assert answer.status_code == 201
    assert answer.json()["startsAt"][:13] == (moved + 12 * HOUR).isoformat()[:13]


async def test_who_may_plan_and_who_may_read(call):
    for role in ("vendor.support", "vendor.officer", "vendor.dpo", "vendor.service"):
        answer = await call("POST", "maintenance-windows", wish(80 * DAY), roles=role)
        assert answer.status_code == 403
        status = 403 if role == "vendor.service" else 200
        assert (await call("GET", "maintenance-windows", roles=role)).status_code == status
    assert (await call("GET", "maintenance-windows/nothing")).status_code == 404
