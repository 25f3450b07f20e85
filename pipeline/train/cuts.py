"""Cuts in time: which model learns from which days."""

from dataclasses import dataclass
from datetime import date, timedelta

from pipeline.errors import InputError


@dataclass(frozen=True)
class Cuts:
    """First and last days, inclusive, of each part. Without labels the stacker's part is empty of use."""

    first: date
    last: date
    learn_first: date  # the autoencoder learns
    learn_last: date
    stop_first: date  # and stops early by these
    stop_last: date
    quiet_first: date  # ordinary surprise is measured
    quiet_last: date
    stack_first: date  # the stacker learns
    judge_first: date  # and is calibrated and measured from here on, before it learns from all
    stack_last: date
    has_labels: bool


LEARN_SHARE = 0.25  # of the days, where labels leave the rest to the stacker
LEARN_SHARE_ALONE = 0.8  # where there is no stacker
JUDGE_SHARE = 0.2  # of the stacker's days


def cut(days: list[date], until: date, label_delay_days: int, has_labels: bool) -> Cuts:
    """Cut the active `days` (in order). The stacker sees no day the autoencoder learned from, nor one not matured."""
    matured = [day for day in days if day <= until - timedelta(days=label_delay_days)]
    has_labels = has_labels and len(matured) >= 10
    learn = max(1, round(len(days) * (LEARN_SHARE if has_labels else LEARN_SHARE_ALONE)))
    if not has_labels:
        learn = min(learn, len(days) - 1)
        after = days[learn]
        return Cuts(
            first=days[0],
            last=days[-1],
            learn_first=days[0],
            learn_last=days[learn - 1],
            stop_first=after,
            stop_last=days[-1],
            quiet_first=after,
            quiet_last=days[-1],
            stack_first=after,
            judge_first=days[-1],
            stack_last=matured[-1] if matured else days[0],
            has_labels=False,
        )
    stack = [day for day in matured if day > days[learn - 1]]
    if len(stack) < 5:
        raise InputError(
            f"training until {until} leaves {len(stack)} matured days for the stacker, 5 needed",
            f"labels mature after {label_delay_days} days",
            fix="raise RISK_TRAIN_DAYS, or train until a later day",
        )
    stop = stack[: max(1, len(stack) // 5)]
    judge = stack[-max(1, round(len(stack) * JUDGE_SHARE)) :]
    return Cuts(
        first=days[0],
        last=days[-1],
        learn_first=days[0],
        learn_last=days[learn - 1],
        stop_first=stop[0],
        stop_last=stop[-1],
        quiet_first=stack[0],
        quiet_last=days[-1],
        stack_first=stack[0],
        judge_first=judge[0],
        stack_last=stack[-1],
        has_labels=True,
    )
