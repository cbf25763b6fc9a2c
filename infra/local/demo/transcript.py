"""The transcript that the demo gives: chapters, steps that are checked, the verdicts at the end."""

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
    """How far a piece of work has come."""

    progress: Progress
    task: TaskID

    def reached(self, done: int) -> None:
        """Show that so much is done."""
        self.progress.update(self.task, completed=done)


class Transcript:
    """Prints the transcript to a console, and keeps what was checked."""

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
        """A line of the transcript."""
        self.console.print(f"  {text}", markup=False, highlight=False)

    def require(self, claim: str, holds: bool, instead: object = "") -> None:
        """Raise DemoError, with what there was instead, unless a claim holds."""
        if not holds:
            raise DemoError(f"{self._chapter}: not so: {claim}. Instead: {instead}")

    def confirm(self, claim: str) -> None:
        """State a claim all of which was required before."""
        self._checked.append((self._chapter, claim))
        self.console.print(f"  [green]✓[/] {claim}", highlight=False)

    def check(self, claim: str, holds: bool, instead: object = "") -> None:
        """Require a claim, and state it."""
        self.require(claim, holds, instead)
        self.confirm(claim)

    def show(self, table: Table) -> None:
        """A table of the transcript."""
        self.console.print(table)

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Bar]:
        """A progress bar; two plain lines where the output is not a terminal."""
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
        """Every claim that held."""
        table = Table("promise", "tried, and it holds", title="Verdicts", title_justify="left")
        last = ""
        for chapter, claim in self._checked:
            if chapter != last:
                table.add_section()
            table.add_row(chapter if chapter != last else "", f"[green]✓[/] {claim}")
            last = chapter
        return table
