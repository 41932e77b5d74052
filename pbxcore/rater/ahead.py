"""A batch is committed while the next one is read and rated: half its time is PostgreSQL's, half is Python's.

Owns the order: one commit at a time, in the order of the plans, and between two of them an instant at which
nothing is under way. Refuses to go ahead of a plan that foresaw no prices: the next would rest on nothing.

The problem: two threads of Python take turns, and who waits for PostgreSQL waits for its turn besides. The
questions that begin a commit are short, the rows are one long wait. So the next batch is planned when the
rows are on their way, and not beside the questions.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from pbxcore.rater.writer import Plan, Writer


class Ahead:
    """What is under way of one writer.

    Args:
        writer: that plans and commits.
        tasks: own the commits; one that fails ends them all.
    """

    def __init__(self, writer: Writer, tasks: asyncio.TaskGroup) -> None:
        self.writer = writer
        self._tasks = tasks
        self._committing: asyncio.Task[Any] | None = None

    async def rest(self) -> None:
        """Wait until what is under way is committed."""
        committing, self._committing = self._committing, None
        if committing is not None:
            await committing

    async def go(self, plan: Plan, commit: Coroutine[Any, Any, Any], *, at_end: bool) -> None:
        """Commit a plan, when nothing is under way.

        Args:
            plan: what is committed.
            commit: does it by `Writer.commit`, and what comes after.
            at_end: nothing more is there to be planned meanwhile: then this returns when it is done.
        """
        assert self._committing is None, "a commit is under way"
        ahead = self.writer.expect(plan)
        self._committing = self._tasks.create_task(commit, name="commit")
        if at_end or not ahead:
            await self.rest()
        else:
            await self.writer.handed_over.wait()  # no longer than the commit, which has limits of its own
