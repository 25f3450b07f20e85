"""Errors that a person can fix. Each is shown without a traceback and ends the command with its exit code."""

STOPPED = 130  # exit code of an interrupted command
STOPPED_WORDS = "stopped by Ctrl-C; run the same command again to go on"


class PipelineError(Exception):
    """What we wanted, what we found, and what to do about it.

    `found` are lines of detail; `fix` is the command or change that helps. Never put a secret or a cell into either:
    messages reach logs and Airflow's UI.
    """

    exit_code = 1

    def __init__(self, problem: str, *found: str, fix: str = "") -> None:
        self.problem, self.found, self.fix = problem, found, fix
        super().__init__(str(self))

    def __str__(self) -> str:
        lines = [self.problem, *(f"  {line}" for line in self.found)]
        return "\n".join([*lines, f"  to fix: {self.fix}"] if self.fix else lines)


class UsageError(PipelineError):
    """Wrong settings, a wrong domain pack, or a command that makes no sense."""

    exit_code = 2


class InputError(PipelineError):
    """Files or tables that are missing, unreadable or not as expected."""

    exit_code = 3


class CheckpointFailedError(PipelineError):
    """A critical expectation failed: the day stops here and no list is published for it."""

    exit_code = 4


class BusyError(PipelineError):
    """Another process is working in this home."""

    exit_code = 5
