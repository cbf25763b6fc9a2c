"""Identity: callers, tokens and roles."""

from shared.identity.rules import ANONYMOUS, ROLES, Caller, caller_of, permit
from shared.identity.tokens import Tokens

__all__ = ["ANONYMOUS", "ROLES", "Caller", "Tokens", "caller_of", "permit"]
