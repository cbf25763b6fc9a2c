"""The demo's transcript: chapters, checked steps, and the verdicts at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table


class DemoError(Exception):
    """A step of the demo failed. The message names the step and the actual result."""


@dataclass
class Bar:
    """The progress of a piece of work."""

    progress: Progress
    task: TaskID

    def reached(self, done: int) -> None:
        """Show the number of items done."""
        self.progress.update(self.task, completed=done)


class Transcript:
    """Print the transcript to a console, and keep the checked claims."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._chapter = ""
        self._checked: list[tuple[str, str]] = []

    def chapter(self, title: str) -> None:
        """Begin a chapter."""
        self._chapter = title
        self.console.print()
        self.console.rule(f"[bold]{title}", align="left")

    def say(self, text: str) -> None:
        """Print a line."""
        self.console.print(f"  {text}", markup=False, highlight=False)

    def require(self, claim: str, holds: bool, instead: object = "") -> None:
        """Raise DemoError, with the actual result, unless a claim holds."""
        if not holds:
            raise DemoError(f"{self._chapter}: not so: {claim}. Instead: {instead}")

    def confirm(self, claim: str) -> None:
        """State a claim that `require` has checked in full."""
        self._checked.append((self._chapter, claim))
        self.console.print(f"  [green]✓[/] {claim}", highlight=False)

    def check(self, claim: str, holds: bool, instead: object = "") -> None:
        """Require a claim, and state the claim."""
        self.require(claim, holds, instead)
        self.confirm(claim)

    def show(self, table: Table) -> None:
        """Print a table."""
        self.console.print(table)

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Bar]:
        """Yield a progress bar; print two plain lines where the output is no terminal."""
        columns = (TextColumn("  {task.description}"), BarColumn(), MofNCompleteColumn())
        if not self.console.is_terminal:
            self.say(f"{what} ...")
        with Progress(
            *columns, console=self.console, disable=not self.console.is_terminal
        ) as progress:
            yield Bar(progress, progress.add_task(what, total=total))
        if not self.console.is_terminal:
            self.say(f"{what}: {total} of {total}")

    def verdicts(self) -> Table:
        """Return a table of every claim that held."""
        table = Table("promise", "tried, and it holds", title="Verdicts", title_justify="left")
        last = ""
        for chapter, claim in self._checked:
            if chapter != last:
                table.add_section()
            table.add_row(chapter if chapter != last else "", f"[green]✓[/] {claim}")
            last = chapter
        return table
