"""Rules: the requests that fail, the kind of failure and the frequency, as plain data."""

import random
import re
from typing import Literal

import msgspec

StorageService = Literal["blob", "queue", "table"]
ErrorStatus = Literal[429, 500, 503]

Cut = Literal["request", "answer", "headers", "body"]
"""The place of a cut: `request` before the service gets the request; `answer` after the service has
carried out the request, so that the client loses only the answer; `headers` right after the
answer's headers; `body` half way through the answer's body (after the first chunk of a body without
a stated length).
"""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """One rule: conditions on a request, and effects on a request that meets every condition.

    `method` is upper case; `path` is a regular expression, searched for in the request target with
    its query. The first `skip` matching requests pass. Each later matching request is hit with
    `probability`, up to `times` hits (None: no limit). A hit is delayed by `delay` seconds. After
    the delay the request is answered with `status` in the service's own form, or cut, or passed on.
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
    """The error code of the answer; None stands for the usual code of `status`."""
    retry_after: int | None = None
    """Whole seconds, sent with the answer as Retry-After (RFC 9110 section 10.2.3)."""
    cut: Cut | None = None

    def __post_init__(self) -> None:
        """Raise ValueError for a rule without effect, and for fields that contradict each other."""
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
    """The rules in order: the first rule that hits a request applies alone. `seed` fixes chance."""

    rules: list[Rule] = []
    seed: int = 0


class Rules:
    """The plan in force, and the number of hits of each rule."""

    def __init__(self) -> None:
        self.set(Plan())

    def set(self, plan: Plan) -> None:
        """Put a plan in force in place of the last plan."""
        self.plan = plan
        self.hits = [0] * len(plan.rules)
        self._matched = [0] * len(plan.rules)
        self._random = random.Random(plan.seed)  # noqa: S311 - which requests fail is no secret

    def choose(self, service: StorageService, method: str, target: str) -> Rule | None:
        """Return the rule that hits this request, or None for a request that passes."""
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
    """Build a plan with every kind of failure, each about equally likely.

    `probability` is the probability that a request fails at all.
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
    # A rule sees only the requests that passed the rules before.
    share = probability / len(effects)
    rules = [
        msgspec.structs.replace(effect, probability=share / (1 - share * number))
        for number, effect in enumerate(effects)
    ]
    return Plan(rules, seed)
