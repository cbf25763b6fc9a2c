"""Who calls, and what that lets them do."""

import pytest

from shared.errors import ForbiddenError, NotFoundError, UnauthenticatedError
from shared.identity import caller_of, permit
from shared.identity.rules import TENANT_ADMIN, TENANT_VIEWER, VENDOR_DPO

ADMIN = {"oid": "ada", "roles": [TENANT_ADMIN], "tenant": "acme", "organisation": "Acme"}
DPO = {"oid": "dov", "roles": [VENDOR_DPO], "organisation": "vendor"}


def test_a_caller_is_made_of_the_claims():
    caller = caller_of(ADMIN)
    assert (caller.id, caller.tenant, caller.organisation) == ("ada", "acme", "Acme")
    assert caller.roles == {TENANT_ADMIN}


@pytest.mark.parametrize("oid", ["a", "x" * 128])
def test_an_object_id_has_1_to_128_characters(oid):
    assert caller_of(ADMIN | {"oid": oid}).id == oid


@pytest.mark.parametrize(
    ("claims", "organisation"),
    [
        (ADMIN | {"organisation": "o" * 600}, "o" * 512),
        (ADMIN | {"organisation": ""}, "acme"),
        (ADMIN | {"organisation": 5}, "acme"),
        (DPO | {"organisation": None}, "unknown"),
        (DPO | {"organisation": ""}, "unknown"),
    ],
    ids=str,
)
def test_a_caller_without_an_organisation_is_of_the_tenant(claims, organisation):
    assert caller_of(claims).organisation == organisation


@pytest.mark.parametrize(
    "change",
    [
        {"oid": None},
        {"oid": ""},
        {"oid": 7},
        {"oid": "x" * 129},
        {"roles": TENANT_ADMIN},
        {"roles": [1]},
        {"tenant": None},
        {"tenant": 5},
        {"roles": [TENANT_ADMIN, VENDOR_DPO]},
        {"roles": [VENDOR_DPO]},
    ],
    ids=str,
)
def test_claims_of_another_form_are_no_caller(change):
    with pytest.raises(UnauthenticatedError) as refused:
        caller_of(ADMIN | change)
    assert refused.value.code == "token-invalid"


def test_roles_that_are_not_ours_give_nothing():
    caller = caller_of(ADMIN | {"roles": ["tenant.owner", "admin"]})
    assert caller.roles == frozenset()
    with pytest.raises(ForbiddenError):
        permit(caller, {TENANT_ADMIN}, "acme")


def test_a_tenant_role_acts_for_its_own_tenant_only():
    caller = caller_of(ADMIN)
    permit(caller, {TENANT_ADMIN}, "acme")
    with pytest.raises(NotFoundError) as refused:
        permit(caller, {TENANT_ADMIN}, "other")
    assert refused.value.code == "tenant-not-found"


def test_a_role_that_is_not_allowed_is_refused():
    with pytest.raises(ForbiddenError) as refused:
        permit(caller_of(ADMIN), {TENANT_VIEWER}, "acme")
    assert refused.value.code == "role-missing"


def test_a_vendor_role_is_for_every_tenant():
    permit(caller_of(DPO), {VENDOR_DPO}, "acme")
    permit(caller_of(DPO), {VENDOR_DPO}, "other")


def test_the_log_names_the_role_that_allowed_the_act():
    caller = caller_of(ADMIN | {"roles": [TENANT_ADMIN, TENANT_VIEWER]})
    assert caller.acting_role({TENANT_VIEWER}) == TENANT_VIEWER
    assert caller.acting_role({TENANT_VIEWER, TENANT_ADMIN}) == TENANT_ADMIN
    assert caller.acting_role(set()) == TENANT_ADMIN
    assert caller_of(ADMIN | {"roles": []}).acting_role() == "none"


@pytest.mark.parametrize(
    ("claims", "method"),
    [
        ({}, "bearer"),
        ({"amr": ["pwd", "mfa"]}, "mfa+pwd"),
        ({"amr": ["pwd"], "azpacr": "1"}, "pwd"),
        ({"amr": []}, "bearer"),
        ({"amr": "pwd"}, "bearer"),
        ({"amr": [1]}, "bearer"),
        ({"azpacr": "0"}, "bearer"),
        ({"azpacr": "1"}, "client-secret"),
        ({"appidacr": "2"}, "client-certificate"),
        ({"azpacr": ["1"]}, "bearer"),
        ({"amr": ["x" * 300]}, "x" * 128),
    ],
    ids=str,
)
def test_how_a_caller_proved_who_they_are_is_told_as_far_as_the_token_says(claims, method):
    caller = caller_of(ADMIN | claims)
    assert caller.authentication_method == method
    assert caller.actor().authentication_method == method
