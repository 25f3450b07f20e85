"""Domain packs, whole and broken."""

import yaml
from files import Cells, mutated
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from pipeline.settings import PROJECT

EXPRESSIONS = (
    *(
        "user_id",
        "lower(user_id)",
        "amount",
        "event_at",
        "null",
        "1",
        "'x'",
        "",
        " ",
        "user_id user_id",
        "user_id; select 1",
    ),
    *(
        "1/0",
        "cast(user_id as integer)",
        "count(*)",
        "row_number() over ()",
        "(select 1)",
        "now()",
        "random()",
        "nosuch",
        "[1]",
    ),
    *(
        "{'a': 1}",
        "getenv('HOME')",
        "read_text('/etc/passwd')",
        "repeat(user_id, 5000)",
        "user_id -- x",
        "/*",
        "'",
        '"',
        "$1",
        "?",
    ),
    *(
        "timestamp '9999-12-31'",
        "make_timestamp(cast(amount * 1e18 as bigint))",
        "amount * 1e300 * 1e300",
        "chr(0)",
        "'a' || chr(0)",
    ),
    *(
        "error('no')",
        "unnest([1, 2])",
        "*",
        "columns(*)",
        "event_type.x",
        "try(1)",
        "(" * 200 + "1" + ")" * 200,
        "\ud800",
        "\0",
        "\u2028",
    ),
)


ODD_VALUES = (
    *(
        None,
        True,
        0,
        -1,
        1.5,
        "",
        [],
        {},
        [[]],
        {"a": {}},
        "Europe",
        "Europe/Berlin",
        "/etc/passwd",
        "../UTC",
        "\0",
        "x" * 5000,
    ),
    *(
        float("nan"),
        float("inf"),
        10**30,
        "\u2028",
        "{{ x }}",
        ["user_id"],
        ["nosuch"],
        {"browse": "browse"},
        {"x": "nosuch"},
        "UTC",
    ),
)


CONTRACT = ("event_id", "user_id", "event_at", "event_type", "amount", "ip", "nosuch")


@st.composite
def pack_files(draw: DrawFn) -> bytes:
    """The shop's pack with a mapping and with some fields that make no sense."""
    pack: Cells = yaml.safe_load((PROJECT / "domains" / "shop.yml").read_text())
    if draw(st.booleans()):
        chosen = draw(st.lists(st.sampled_from(CONTRACT), unique=True, max_size=3))
        pack["events"] = {"columns": {name: draw(st.sampled_from(EXPRESSIONS)) for name in chosen}}
        if draw(st.booleans()):
            kinds = st.sampled_from(("string", "number", "timestamp", "boolean", "text", None))
            pack["events"]["source"] = draw(
                st.dictionaries(st.sampled_from((*CONTRACT, "", "a b", '"', "_line")), kinds)
            )
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from((*pack, "arms", "monotone", "false_alarms", "nosuch", "events", "")))
        pack[name] = draw(st.sampled_from(ODD_VALUES))
    content = yaml.safe_dump(pack, allow_unicode=draw(st.booleans()), sort_keys=False).encode(errors="surrogatepass")
    content += draw(
        st.sampled_from((b"", b"", b"", b"name: twice\n", b"x: &a [*a]\n", b"x: " + b"[" * 5000 + b"\n", b"--- {}\n"))
    )
    return draw(mutated(content))
