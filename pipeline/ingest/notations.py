"""Name the notation of a refused cell, such as epoch seconds. The cell itself is never shown."""

import re

_DAY_FIRST = r"(1[3-9]|2\d|3[01])[./-]\d{1,2}[./-]\d{4}\b.*"
_MONTH_FIRST = r"\d{1,2}[./-](1[3-9]|2\d|3[01])[./-]\d{4}\b.*"
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"

# Refusal reason -> (pattern of the cell, name of the notation, SQL that reads it). The first match counts.
NOTATIONS: dict[str, list[tuple[str, str, str]]] = {
    "not_a_time": [
        (r"[12]\d{9}(\.\d+)?", "epoch seconds", "make_timestamp(cast(x * 1000000 as bigint)), x a number"),
        (r"[12]\d{12}(\.0)?", "epoch milliseconds", "make_timestamp(cast(x * 1000 as bigint)), x a number"),
        (_DAY_FIRST, "day-first dates", "strptime(x, '%d.%m.%Y'), x a string"),
        (_MONTH_FIRST, "month-first dates", "strptime(x, '%m/%d/%Y'), x a string"),
        (r"\d{1,2}[./-]\d{1,2}[./-]\d{4}\b.*", "dates with the year last", "strptime(x, '%d.%m.%Y'), x a string"),
        (r"\d{4}[./]\d{1,2}[./]\d{1,2}\b.*", "dates with slashes or dots", "strptime(x, '%Y/%m/%d'), x a string"),
        (r"(19|20)\d{6}", "dates without hyphens", "strptime(x, '%Y%m%d'), x a string"),
        (
            r"\d{5}(\.\d+)?",
            "a spreadsheet's day numbers",
            "date '1899-12-30' + cast(x as integer), x a number",
        ),
        (rf".*\b{_MONTH}.*", "dates with the month's name", "strptime(x, '%d %b %Y'), x a string"),
        (r".*\d ?[ap]\.?m\.?", "times of twelve hours", "strptime(x, '%Y-%m-%d %I:%M %p'), x a string"),
    ],
    "not_a_number": [
        (
            r"\D*\d{1,3}([., ']\d{3})*,\d{1,2}\D*",
            "decimal commas",
            "cast(replace(x, ',', '.') as double), x a string",
        ),
        (
            r"\D*\d{1,3}([,']\d{3})+(\.\d+)?\D*",
            "thousands separators",
            "cast(replace(x, ',', '') as double), x a string",
        ),
        (r"\D+\d+(\.\d+)?|\d+(\.\d+)?\D+", "numbers with a unit", "cast(replace(x, '$', '') as double), x a string"),
    ],
}


def notation_of(reason: str, cell: object) -> str | None:
    """The name of the notation of `cell`, which was refused for this reason; None if we know none."""
    text = str(cell)[:100].strip().lower()
    names = (name for pattern, name, _ in NOTATIONS.get(reason, ()) if re.fullmatch(pattern, text, re.DOTALL))
    return next(names, None)


def remedy(notation: str) -> str:
    """SQL for the domain pack that reads such cells."""
    return next(sql for rows in NOTATIONS.values() for _, name, sql in rows if name == notation)
