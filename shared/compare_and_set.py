"""Compare-and-set: load a state, decide, commit under the ETag, and repeat after a conflict."""

from collections.abc import Awaitable, Callable

from shared.errors import RowConflictError


async def compare_and_set[T](attempt: Callable[[], Awaitable[T]], *, attempts: int = 10) -> T:
    """Return the answer of `attempt`, which loads, decides and commits.

    After a conflict with another commit, `attempt` runs again, from the load on. Raises
    RowConflictError when the last of `attempts` meets a conflict too, and every error of `attempt`.
    """
    for _ in range(attempts - 1):
        try:
            return await attempt()
        except RowConflictError:
            continue
    return await attempt()
