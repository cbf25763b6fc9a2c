"""Compare-and-set: load a state, decide, commit under its ETag, and on a conflict do it again."""

from collections.abc import Awaitable, Callable

from shared.errors import RowConflictError


async def compare_and_set[T](attempt: Callable[[], Awaitable[T]], *, attempts: int = 10) -> T:
    """Return the answer of `attempt`, which loads, decides and commits.

    A commit that lost against another commit is tried again, from the load on. Raises
    RowConflictError when the last of `attempts` loses too, and whatever else `attempt` raises.
    """
    for _ in range(attempts - 1):
        try:
            return await attempt()
        except RowConflictError:
            continue
    return await attempt()
