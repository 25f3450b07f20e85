"""A domain pack's mapping: SQL over typed source columns, judged before any row is read."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from deliveries import SHOP, Shop, as_csv, utc

from pipeline.domain import Mapping
from pipeline.errors import InputError, UsageError


def shop_with(folder: Path, source: dict[str, Any], **columns: str) -> Shop:
    mapping = Mapping(source=source, columns=columns)
    return Shop(folder, SHOP.model_copy(update={"events": mapping}))


def test_columns_are_computed_from_typed_sources(tmp_path: Path) -> None:
    shop = shop_with(
        tmp_path,
        {"epoch": "number", "pence": "number", "who": "string", "what": "string"},
        user_id="who || '!'",
        event_at="make_timestamp(cast(epoch as bigint) * 1000000)",
        event_type="case what when 'BUY' then 'purchase' end -- everything else is unknown",
        amount="pence / 100",
    )
    shop.deliver([{"who": "ann", "epoch": "1763632800", "what": "BUY", "pence": "1250"}])
    [row] = shop.events()
    assert (row["user_id"], row["event_type"], row["amount"]) == ("ann!", "purchase", Decimal("12.5"))
    assert row["event_at"] == utc(2025, 11, 20, 10)


PLAIN = {"user_id": "ann", "event_at": "2026-11-20", "event_type": "cart"}


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("user_id ||", "syntax error"),
        ("nowhere + 1", "nowhere"),
        ("no_such_function(user_id)", "no_such_function"),
        ("sum(quantity)", "aggregates"),
        ("row_number() over ()", "window"),
        ("(select 1)", "cannot be used"),
        ("user_id", "gives VARCHAR, wanted a number"),
        ("1), (2", "cannot be used"),
        ("1, 2", "wanted a number"),
        ("1; drop table staged", "cannot be used"),
        ("random()", r"random\(\) depends on more than the row"),
        ("coalesce(quantity, Getvariable('key'))", r"getvariable\(\) depends on more than the row"),
        ("columns('quantity')", r"found \* or columns\(\)"),
        ("columns(*)", r"found \* or columns\(\)"),
        ("+".join(["quantity"] * 900), "nested too deeply"),
        ("epoch(localtimestamp)", "localtimestamp depends on more than the row"),
        ("epoch(Current_Timestamp)", "Current_Timestamp depends on more than the row"),
        ("epoch(current_date)", "current_date depends on more than the row"),
        ("strlen(current_user)", "current_user depends on more than the row"),
        ("strlen(session_user)", "session_user depends on more than the row"),
        ("strlen(system.main.current_setting('temp_directory'))", r"current_setting\(\) depends"),
    ],
)
def test_wrong_sql_is_wrong_usage_and_names_the_column(tmp_path: Path, sql: str, says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        shop_with(tmp_path, {}, amount=sql).deliver([PLAIN])
    assert "events.columns.amount" in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_source_may_have_the_name_of_a_keyword(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, {"user": "string", "current_date": "timestamp"}, user_id="user", event_at="current_date")
    shop.deliver([{"user": "ann", "current_date": "2026-11-20", "event_type": "cart"}])
    assert [(row["user_id"], row["event_at"]) for row in shop.events()] == [("ann", utc(2026, 11, 20))]


def test_a_lambda_may_name_its_parameter(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, {"n": "number"}, amount="list_sum(list_transform([1, 2], lambda x: x * n))")
    shop.deliver([{**PLAIN, "n": "2"}])
    assert shop.events()[0]["amount"] == 6


def test_a_source_without_a_name_is_refused() -> None:
    with pytest.raises(ValueError, match="a source column has no name"):
        Mapping(source={"": "string"})


def test_sources_that_differ_only_in_case_are_refused() -> None:
    with pytest.raises(ValueError, match="Who and who differ only in case"):
        Mapping(source={"Who": "string", "who": "string"})


def test_an_unknown_contract_column_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="prize"):
        shop_with(tmp_path, {}, prize="1").deliver([PLAIN])


def test_sql_that_fails_on_one_row_refuses_that_row(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, {"code": "string"}, amount="cast(code as integer)")
    shop.deliver([{**PLAIN, "code": "1"}, {**PLAIN, "code": "x"}, {**PLAIN, "code": ""}])
    assert shop.reasons() == [(3, "mapping_failed", "amount")]
    assert [row["amount"] for row in shop.events()].count(None) == 1


def test_a_computed_number_must_be_finite_too(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, {"n": "number"}, amount="1 / n", quantity="n * 1e12")
    shop.deliver([{**PLAIN, "n": "0"}, {**PLAIN, "n": "2"}, {**PLAIN, "n": "1"}])
    assert shop.reasons() == [(2, "not_finite", "amount"), (3, "too_large", "quantity")]


def test_a_source_column_that_only_optional_columns_need_may_be_absent(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, {"pence": "number"}, amount="pence / 100")
    receipt = shop.deliver([PLAIN])
    assert shop.events()[0]["amount"] is None
    assert receipt.warnings == ["events.csv has no pence: taken as not known"]


def test_a_source_column_that_a_required_column_needs_may_not(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"wanted: who \(for user_id\)"):
        shop_with(tmp_path, {"who": "string"}, user_id="lower(who)").deliver([PLAIN])


def test_a_mapped_column_hides_the_files_own_of_that_name(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, {"when": "timestamp"}, event_at='"when"')
    shop.deliver([{**PLAIN, "event_at": "not a time", "when": "2026-11-20"}])
    assert shop.events()[0]["event_at"] == utc(2026, 11, 20)


def test_a_wrong_cell_of_a_declared_source_refuses_the_row(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, {"pence": "number"}, amount="coalesce(pence, 0)")
    shop.deliver([{**PLAIN, "pence": "x"}, {**PLAIN, "pence": ""}])
    assert shop.reasons() == [(2, "not_a_number", "pence")]
    assert shop.events()[0]["amount"] == 0


def test_source_names_may_hold_anything(tmp_path: Path) -> None:
    shop = shop_with(
        tmp_path, {'odd "name"; --': "string", "select": "string"}, item_id='"select" || "odd ""name""; --"'
    )
    shop.deliver(as_csv([{**PLAIN, 'odd "name"; --': "b", "select": "a"}]))
    assert shop.events()[0]["item_id"] == "ab"


def test_vocabulary_may_hold_quotes(tmp_path: Path) -> None:
    shop = Shop(tmp_path, SHOP.model_copy(update={"event_types": {"buyer's cart": "cart"}}))
    shop.deliver([{**PLAIN, "event_type": "buyer's cart"}])
    assert shop.events()[0]["role"] == "cart"


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("columns", [{"user_id": "who"}, {"user_id": "coalesce(who, 7)"}, {"user_id": "who::bigint"}])
def test_a_number_may_be_an_id(tmp_path: Path, kind: str, columns: dict[str, str]) -> None:
    shop = shop_with(tmp_path, {"who": "number", "rating": "number"}, category="rating", **columns)
    shop.deliver([{**PLAIN, "who": who, "rating": "4.5"} for who in ("17850", "17850.0", "1.785e4")], f"events.{kind}")
    assert {(row["user_id"], row["category"]) for row in shop.events()} == {("17850", "4.5")}
    assert shop.reasons() == []


def test_a_number_may_be_an_id_without_an_expression(tmp_path: Path) -> None:
    shop_with(tmp_path, {"user_id": "number"}).deliver([{**PLAIN, "user_id": "17850.0"}])
    assert [row["user_id"] for row in Shop(tmp_path).events()] == ["17850"]


def test_a_number_too_large_to_be_exact_is_no_id(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, {"who": "number"}, user_id="who")
    shop.deliver([{**PLAIN, "who": who} for who in ("9007199254740993", "9007199254740992", "900719925474099")])
    assert shop.reasons() == [(2, "mapping_failed", "user_id"), (3, "mapping_failed", "user_id")]
    assert [row["user_id"] for row in shop.events()] == ["900719925474099"]


@pytest.mark.parametrize("sql", ["quantity > 1", "cast(event_at as date)", "event_at", "length(user_id)", "null"])
def test_any_plain_value_may_become_text(tmp_path: Path, sql: str) -> None:
    assert shop_with(tmp_path, {}, item_id=sql).deliver([{**PLAIN, "quantity": "2"}]).accepted == 1


RATING = {"user": "581", "item": "17", "stars": "4.5", "at": "1763632800"}
RATINGS = {
    "source": {"user": "number", "item": "number", "stars": "number", "at": "number"},
    "user_id": "user",
    "event_at": 'make_timestamp(cast("at" * 1000000 as bigint))',
    "event_type": "'review'",
}


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_ids_and_categories_read_as_numbers_become_text_without_a_point(tmp_path: Path, kind: str) -> None:
    shop = shop_with(tmp_path, **RATINGS, item_id="item", category="stars", channel="user + 0.25")
    shop.deliver([RATING, {**RATING, "stars": "5", "item": "18"}], f"ratings.{kind}")
    rows = sorted(shop.events(), key=lambda row: row["item_id"])
    assert [row["category"] for row in rows] == ["4.5", "5"]
    assert {(row["user_id"], row["channel"]) for row in rows} == {("581", "581.25")}
    assert [row["item_id"] for row in rows] == ["17", "18"]


def test_a_column_of_the_contracts_own_name_may_be_read_as_a_number(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, {"user_id": "number"})
    shop.deliver([{**PLAIN, "user_id": "17850"}])
    assert shop.events()[0]["user_id"] == "17850"


def test_text_that_looks_like_a_number_stays_as_it_is(tmp_path: Path) -> None:
    shop = shop_with(tmp_path, {"version": "string"}, channel="version || '.0'")
    shop.deliver([{**PLAIN, "version": "2"}])
    assert shop.events()[0]["channel"] == "2.0"


def test_a_list_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"gives VARCHAR\[\], wanted a string"):
        shop_with(tmp_path, {}, category="[user_id]").deliver([PLAIN])


def test_seconds_given_as_a_time_are_told_how_to_become_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="seconds since 1970 become one by make_timestamp"):
        shop_with(tmp_path, **RATINGS | {"event_at": '"at"'}).deliver([RATING])
