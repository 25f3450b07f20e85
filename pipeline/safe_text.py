"""Make text from outside safe to show in a spreadsheet's cell or on a terminal's line."""

import re
import unicodedata

# First characters that make a spreadsheet run a cell as a formula, in ASCII and in their wide forms.
TRIGGERS = "=+-@\uff1d\uff0b\uff0d\uff20\ufe62\ufe63\ufe66\ufe6b\u2212"
_HIDDEN = ("Cc", "Cf", "Cs", "Zl", "Zp")  # controls, invisible format marks, line and paragraph separators
_JOINERS = "\u200c\u200d"  # invisible, but part of the spelling of Persian and emoji
_STARTS = re.compile(rf"^[\s{_JOINERS}]*[{re.escape(TRIGGERS)}]")
_AFTER_SEMICOLON = re.compile(rf"(;[\s\"{_JOINERS}]*)([{re.escape(TRIGGERS)}])")


def one_line(text: str) -> str:
    """`text` with line breaks, tabs, terminal codes and invisible marks replaced by spaces."""
    return "".join(" " if _is_hidden(character) else character for character in text)


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN and character not in _JOINERS


def safe_cell(text: str) -> str:
    """`text` on one line, and never a formula, whatever separator the file is opened with.

    A cell that would start a formula gets an apostrophe in front: spreadsheets then read it as text.
    """
    line = one_line(text)
    if _STARTS.match(line):
        line = "'" + line
    return _AFTER_SEMICOLON.sub(r"\1'\2", line)
