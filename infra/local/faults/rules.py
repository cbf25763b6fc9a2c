"""Rules: which requests fail, how, and how often. Plain data, as the control endpoint takes it."""

import random
import re
from typing import Literal

import msgspec

StorageService = Literal["blob", "queue", "table"]
ErrorStatus = Literal[429, 500, 503]

Cut = Literal["request", "answer", "headers", "body"]
"""Where a connection is cut: `request` before the service gets it; `answer` after the service has
carried it out, so that only the answer is lost; `headers` right after the answer's headers; `body`
half way through the answer's body (after its first piece when its length is not told).
"""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule; a request that all its conditions hold for suffers its effects.

    `method` is upper case; `path` is a regular expression searched for in the request target with
    its query. Of the matching requests the first `skip` pass, then each is hit with `probability`,
    until `times` were (None: for ever). A hit is delayed by `delay` seconds, and then answered
    with `status` in the service's own form, or cut, or passed on when the delay is all.
    """

    service: StorageService | None = None
    method: str | None = None
    path: str | None = None
    skip: int = 0
    times: int | None = None
    probability: float = 1.0
    delay: float = 0.0
    status: ErrorStatus | None = None
    code: str | None = None
    """The error code of the answer, in place of the one that goes with `status`."""
    retry_after: int | None = None
    """Whole seconds, sent with the answer as Retry-After (RFC 9110 section 10.2.3)."""
    cut: Cut | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a rule that could never do what it says."""
        if self.path is not None:
            try:
                re.compile(self.path)
            except re.error as error:
                raise ValueError(f"path is no regular expression: {error}") from error
        if self.method is not None and not re.fullmatch("[A-Z]+", self.method):
            raise ValueError("method must be in upper case")
        if self.code is not None and not re.fullmatch("[A-Za-z]+", self.code):
            raise ValueError("code must be letters")
        if not 0 < self.probability <= 1:
            raise ValueError("probability must be above 0 and at most 1")
        if self.skip < 0 or self.delay < 0 or (self.retry_after or 0) < 0:
            raise ValueError("skip, delay and retry_after must not be below 0")
        if self.times is not None and self.times < 1:
            raise ValueError("times must be above 0")
        if self.status is not None and self.cut is not None:
            raise ValueError("a rule has a status or a cut, not both")
        if self.status is None and (self.code is not None or self.retry_after is not None):
            raise ValueError("code and retry_after go with a status")
        if self.status is None and self.cut is None and not self.delay:
            raise ValueError("a rule needs a status, a cut or a delay")


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rules, in order: the first that hits a request is the only one. `seed` fixes chance."""

    rules: list[Rule] = []
    seed: int = 0


class Rules:
    """The plan in force, and how often each of its rules has hit."""

    def __init__(self) -> None:
        self.set(Plan())

    def set(self, plan: Plan) -> None:
        """Put a plan in force in place of the last one."""
        self.plan = plan
        self.hits = [0] * len(plan.rules)
        self._matched = [0] * len(plan.rules)
        self._random = random.Random(plan.seed)  # noqa: S311 - which requests fail is no secret

    def choose(self, service: StorageService, method: str, target: str) -> Rule | None:
        """The rule that this request suffers, None when it passes."""
        for number, rule in enumerate(self.plan.rules):
            if self._hits(number, rule, service, method, target):
                self.hits[number] += 1
                return rule
        return None

    def _hits(
        self, number: int, rule: Rule, service: StorageService, method: str, target: str
    ) -> bool:
        if rule.times is not None and self.hits[number] >= rule.times:
            return False
        if rule.service not in (None, service) or rule.method not in (None, method):
            return False
        if rule.path is not None and re.search(rule.path, target) is None:
            return False
        self._matched[number] += 1
        return self._matched[number] > rule.skip and self._random.random() < rule.probability


def bad_day(probability: float, *, seed: int) -> Plan:
    """A plan under which any request fails in any way, each about as likely as the others.

    `probability` is that of a request to fail at all.
    """
    effects = (
        Rule(status=500),
        Rule(status=503),
        Rule(status=429),
        Rule(cut="request"),
        Rule(cut="answer"),
        Rule(cut="headers"),
        Rule(cut="body"),
        Rule(delay=0.3),
    )
    # Each sees only what those before it have let pass.
    share = probability / len(effects)
    rules = [
        msgspec.structs.replace(effect, probability=share / (1 - share * number))
        for number, effect in enumerate(effects)
    ]
    return Plan(rules, seed)
