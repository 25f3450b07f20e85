"""The pages and pictures of benchmarks/marketplace.py: numbers in, Markdown and SVG out."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.metrics.detection_delay import Delays

Page = tuple[str, dict[str, bytes]]
OURS, ORACLE, RANDOM = "Dawnlist", "upper bound: oracle, same budget", "baseline: random"
PURCHASE, EVENTS = "baseline: largest purchase", "baseline: number of events"
RULE, SURPRISE = "baseline: best one-line rule", "surprise alone, no labels"
LINES = {  # colour and dash of each curve; grey for baselines
    OURS: ("#c0392b", "-"),
    SURPRISE: ("#2471a3", "-"),
    RULE: ("#444444", "--"),
    PURCHASE: ("#888888", "-."),
    RANDOM: ("#aaaaaa", ":"),
    ORACLE: ("#1e8449", "-"),
}
METRICS = ["recall", "P@100", "within 24 h", "within 72 h", "median hours", "AP", "95 %"]
BESIDE = ["typology", "Dawnlist", "random", "largest purchase", "most events", "best rule for all", "surprise"]
BESIDE += ["its own rule", "the rule", "oracle"]
SHOWN_DAYS = 10  # of the delay curves, which hardly rise after that
GROUPS = ("all", "new accounts", "accounts seen in training")


@dataclass(frozen=True)
class GroupMetrics:
    """Metrics of one score for one group of bad accounts."""

    accounts: int
    user_days: int
    recall: float
    precision: float
    cases: int  # accounts whose first bad event is in the test: only they have delays
    within_24: float
    within_72: float
    median: float | None
    ap: float
    ap_low: float
    ap_high: float
    curve: Delays


def product_page(found: dict[str, Any]) -> Page:
    """The page on the product, and its two pictures."""
    contenders, own, worst = found["contenders"], found["own"], found["worst"]
    typologies = sorted(own, key=lambda name: (contenders[OURS][name].recall, contenders[OURS][name].ap))
    shop, ours = found["shop"], contenders[OURS]
    stacker = found["trained"]["stacker"]
    labelled = found["labelled"] | {"all": stacker["bad_user_days"]}
    lines = [
        "# What the product shows on the simulated shop",
        "",
        f"Made by `python benchmarks/marketplace.py --users {shop.users} --days {shop.days} --seed {shop.seed} "
        f"--bad-share {shop.bad_share} --write docs/marketplace`.",
        "We built the shop ourselves, so nothing here is proof by itself. The product was not changed to fit it, "
        "but how long it waits for labels was chosen on a shop of another seed.",
        "",
        f"**Protocol.** {shop.users:,} accounts, {shop.days} days, seed {shop.seed}. Training knows what was known at "
        f"the end of {found['until']}: {stacker['bad_user_days']} bad user-days had matured on the days the stacker "
        f"learns from ({' to '.join(found['learned'])}). Then each of the {len(found['test'])} days "
        f"{found['test'][0]} to {found['test'][-1]} is scored, and {found['reviews']} accounts a day are reviewed. An "
        "account reviewed on a day on which it is bad is caught and leaves; an account known bad from a label before a "
        "day leaves that day as well. "
        f"{found['user_days']:,} user-days are measured, {ours['all'].user_days} of them bad, by "
        f"{ours['all'].accounts} accounts.",
        "",
        "The list of a day is out at 04:00 UTC of the next. Delays run from an account's first bad event and are of "
        f"accounts whose first is in the test ({ours['all'].cases}); the undetected are kept in (Kaplan-Meier), until "
        "the last list or until a label is known. AP is average precision over user-days, with 95 % from "
        "resampling accounts. P@100 is the share of bad accounts among 100 reviews a day. Rules are one feature, "
        "highest or lowest first, chosen by labels that had matured, on the days the stacker learns from. *Labelled* "
        "counts the bad user-days of those days that were known when training, by the name the shop's desk gave them.",
        "",
        "## The worst first",
        "",
        *_table(
            ["typology", "labelled", "bad accounts", *METRICS],
            ([name, str(labelled.get(name, "")), *_cells(ours[name])] for name in (*typologies, *GROUPS)),
        ),
        "",
        f"The worst typology is **{worst}**. A list of its own by one feature finds more of "
        f"{', '.join(n for n in typologies if own[n].recall > ours[n].recall) or 'no typology'} than the product does "
        f"(below); surprise alone finds at least as much of "
        f"{', '.join(n for n in typologies if contenders[SURPRISE][n].recall >= ours[n].recall) or 'no typology'}. "
        f"One account is up to {1 / min(ours[n].accounts for n in typologies):.2f} of a typology's recall: differences "
        "of that size say nothing.",
        "",
        "## Recall beside baselines and upper bound",
        "",
        "*Best rule for all* and the other baselines spend the same 100 reviews on everything. *Its own rule* is a "
        "list of 100 a day made for that typology alone, which is more than the product gets.",
        "",
        *_table(
            BESIDE,
            (_beside(name, contenders, own, found["rules"]) for name in (*typologies, *GROUPS)),
        ),
        "",
        f"The best rule for all: `{found['rules']['all']}`.",
        "",
        *_table(
            ["ranked by", *METRICS],
            ([name, *_cells(of["all"])[1:]] for name, of in contenders.items()),
        ),
        "",
        f"Calibration error of the risk: {found['calibration']:.4f}.",
        "",
        "![Recall against reviews per day](recall.svg)",
        "",
        "![Detected share over time, per typology](delay.svg)",
        "",
        "## The worst typology, never in training",
        "",
        *_unseen(found),
        "",
        "## Precision of the published lists",
        "",
        *_precision(found["precision"]),
        "",
        "## The quiet shop",
        "",
        *_quiet(found["quiet"], shop),
        "",
    ]
    return "\n".join(lines), {"recall.svg": _recall_picture(found), "delay.svg": _delay_picture(found, typologies)}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(head)} |", "|---" * len(head) + "|", *(f"| {' | '.join(row)} |" for row in rows)]


def _cells(of: GroupMetrics) -> list[str]:
    return [
        str(of.accounts),
        f"{of.recall:.2f}",
        f"{of.precision:.3f}",
        f"{of.within_24:.2f}",
        f"{of.within_72:.2f}",
        "not reached" if of.median is None else f"{of.median:.0f}",
        f"{of.ap:.3f}",
        f"{of.ap_low:.3f}-{of.ap_high:.3f}",
    ]


def _beside(name: str, contenders: dict[str, Any], own: dict[str, GroupMetrics], rules: dict[str, str]) -> list[str]:
    names = [OURS, RANDOM, PURCHASE, EVENTS, RULE, SURPRISE]
    recalls = [f"{contenders[contender][name].recall:.2f}" for contender in names]
    rule = [f"{own[name].recall:.2f}", f"`{rules[name]}`"] if name in own else ["", ""]
    return [name, *recalls, *rule, f"{contenders[ORACLE][name].recall:.2f}"]


def _unseen(found: dict[str, Any]) -> list[str]:
    worst, before, after = found["worst"], found["contenders"][OURS], found["unlabelled"]
    stacker = found["unlabelled_stacker"]
    used = f"{stacker['bad_user_days']} bad user-days" if stacker["is_used"] else f"no stacker: {stacker['why']}"
    return [
        f"The same shop in a home of its own, without one label on a user-day that is truly {worst} ({used} to learn "
        "from), retrained; measured on the same user-days.",
        "",
        *_table(
            ["", "labels", *METRICS],
            (
                [group, labels, *_cells(of[group])[1:]]
                for group in (worst, "all")
                for labels, of in (("all", before), (f"none of {worst}", after))
            ),
        ),
    ]


def _precision(precision: dict[str, Any]) -> list[str]:
    return [
        f"The lists really published over the test days: {precision['rows']} rows, "
        f"{_spread(precision['lengths'])} a day: {_listed(precision['lengths'])}. The pack asks for a precision of at "
        f"least {precision['asked']:.2f}; the manifests expected {precision['expected']:.2f}; **measured: "
        f"{precision['measured']:.2f}** ({precision['measured_ever']:.2f} if an account that was bad on any day up to "
        "then counts as rightly listed). Nobody reviews here, so an account is listed again the next day, known or "
        "not.",
        "",
        f"**The precision asked for makes these lists far shorter than 100: they caught {precision['recall']:.2f} of "
        "the bad accounts.** The tables above are what the ranking finds when 100 accounts a day are reviewed all the "
        "same.",
        *([f"Days failed a checkpoint, accepted by hand: {precision['failed']}."] if precision["failed"] else []),
    ]


def _quiet(quiet: dict[str, Any], shop: Any) -> list[str]:
    return [
        f"The same {shop.users:,} accounts and seed without any abuse; only wrong reports are labels ({quiet['why']}), "
        f"so lists are by {quiet['ranked_by']}. {len(quiet['users'])} rows over the test days, "
        f"{_spread(quiet['alone'])} a day, of {len(set(quiet['users']))} accounts: {_listed(quiet['alone'])}.",
        "",
        f"With the bundle of the abusive shop, by risk: {sum(quiet['lent'])} rows, {_spread(quiet['lent'])} a day: "
        f"{_listed(quiet['lent'])}. None of them is bad.",
    ]


def _listed(lengths: Sequence[int]) -> str:
    return f"`{' '.join(map(str, lengths))}`"


def _spread(lengths: Sequence[int]) -> str:
    return f"{min(lengths)} to {max(lengths)} (median {np.median(lengths):g})"


def hardness_page(shop: Any, found: dict[str, Any]) -> Page:
    """The page on how hard the shop is."""
    rows = found["typologies"]
    lines = [
        "# How hard the simulated shop is",
        "",
        f"Made by `python benchmarks/marketplace.py --hardness --users {shop.users} --days {shop.days} "
        f"--seed {shop.seed} --bad-share {shop.bad_share} --write docs/marketplace`.",
        "AUC between user-days of a typology and those of its innocent look-alikes: of the best single "
        "feature (chosen on these same rows, so flattered), and of gradient boosting over all features (five folds, no "
        "account in two). The last columns set the typology against everybody, which is easier. 0.5 is chance.",
        "",
        *_table(
            [
                "typology",
                "user-days",
                "look-alikes",
                "best feature",
                "alone",
                "boosting",
                "best against everybody",
                "AUC",
            ],
            (
                [
                    row["typology"],
                    str(row["bad"]),
                    str(row["alike"]),
                    f"`{row['feature']}`",
                    f"{row['alone']:.2f}",
                    f"{row['together']:.2f}",
                    f"`{row['feature_everybody']}`",
                    f"{row['alone_everybody']:.2f}",
                ]
                for row in sorted(rows, key=lambda row: row["together"])
            ),
        ),
        "",
        *_variants_and_rules(found),
    ]
    return "\n".join(lines), {}


def _variants_and_rules(found: dict[str, Any]) -> list[str]:
    table = (
        [row["variant"], str(row["bad"]), f"`{row['feature']}`", f"{row['alone']:.2f}"]
        for row in sorted(found["variants"], key=lambda row: -row["alone"])
    )
    rules = [f"- `{rule.rule}`: {rule.bad} of {rule.named} are bad" for rule in found["rules"]]
    return [
        "## Per variant",
        "",
        "Each variant against all look-alikes of its typology, by its best single feature. With so few user-days each, "
        "and the best of many features chosen on the same rows, some of this is chance.",
        "",
        *_table(["variant", "user-days", "best feature", "alone"], table),
        "",
        "## Rules that are right too often",
        "",
        "Of all thresholds on one feature and all counts of two steps in a row within a visit: those that at least "
        "eight bad user-days meet, and that are right in six cases of ten, against everybody.",
        "",
        *(rules or ["None."]),
        "",
    ]


def within_page(page: str, table: str, name: str) -> str:
    """The hand-written `page`, with the text between its two comments `name` replaced by `table`."""
    before, _, rest = page.partition(f"<!-- {name} -->")
    _, _, after = rest.partition(f"<!-- /{name} -->")
    return f"{before}<!-- {name} -->\n{table.strip()}\n<!-- /{name} -->{after}"


def _pyplot() -> Any:
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams |= {"svg.hashsalt": "dawnlist", "font.size": 9, "axes.spines.top": False}
    matplotlib.rcParams |= {"axes.spines.right": False, "legend.frameon": False, "axes.grid": True, "grid.alpha": 0.25}
    import matplotlib.pyplot as plt

    return plt


def _as_svg(figure: Any) -> bytes:
    """The same figure is the same bytes: no date, no random ids."""
    out = io.BytesIO()
    figure.savefig(out, format="svg", metadata={"Date": None}, bbox_inches="tight")
    return b"\n".join(line.rstrip() for line in out.getvalue().splitlines()) + b"\n"


def _recall_picture(found: dict[str, Any]) -> bytes:
    figure, axes = _pyplot().subplots(figsize=(7, 4.2))
    for name, (colour, dash) in LINES.items():
        label = f"{name} ({found['rules']['all']})" if name == RULE else name
        axes.plot(found["budgets"], found["by_budget"][name], dash, color=colour, label=label, lw=2)
    axes.axvline(found["reviews"], color="#bbbbbb", lw=1, zorder=0)
    axes.set_xscale("log")
    axes.set_xticks(found["budgets"][::2], [str(n) for n in found["budgets"][::2]])
    axes.minorticks_off()
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("reviews per day")
    axes.set_ylabel("share of bad accounts caught")
    axes.legend(loc="upper left", fontsize=8, bbox_to_anchor=(1.0, 1.0))
    return _as_svg(figure)


def _delay_picture(found: dict[str, Any], typologies: Sequence[str]) -> bytes:
    panels = [*typologies, "all"]
    figure, grid = _pyplot().subplots(3, 4, figsize=(11, 7), sharex=True, sharey=True)
    for axes, name in zip(grid.flat, panels, strict=False):
        for contender in (ORACLE, RANDOM, SURPRISE, OURS):
            colour, dash = LINES[contender]
            curve = found["contenders"][contender][name].curve
            days = np.concatenate([[0], curve.hours / 24, [len(found["test"])]])
            share = np.concatenate([[0], 1 - curve.undetected, 1 - curve.undetected[-1:]])
            share = np.append(share, 0) if len(share) < len(days) else share
            axes.step(days, share, dash, where="post", color=colour, lw=1.6, label=contender)
        axes.set_title(f"{name.replace('_', ' ')} ({found['contenders'][OURS][name].cases})", fontsize=9)
        axes.set_ylim(0, 1.02)
        axes.set_xlim(0, SHOWN_DAYS)
    rest = grid.flat[len(panels)]
    rest.axis("off")
    rest.legend(*grid.flat[0].get_legend_handles_labels(), loc="center", fontsize=9)
    figure.supxlabel("days since an account's first bad event")
    figure.supylabel("share detected")
    figure.tight_layout()
    return _as_svg(figure)
