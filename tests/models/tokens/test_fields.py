import pytest
from event_streams import FIELDS

from pipeline.errors import InputError
from pipeline.models.tokens.fields import Fields


def test_fields_come_back_from_disk_as_they_were(tmp_path):
    FIELDS.save(tmp_path / "fields.json")
    assert Fields.load(tmp_path / "fields.json") == FIELDS


@pytest.mark.parametrize(
    "text",
    [
        None,
        "{",
        "[]",
        '{"categorical": [], "numeric": []}',
        '{"categorical": [{"name": "x; drop", "values": []}], "numeric": []}',
    ],
)
def test_a_file_that_is_no_field_list_is_a_clear_error(tmp_path, text):
    if text is not None:
        (tmp_path / "fields.json").write_text(text)
    with pytest.raises(InputError, match=r"cannot read .*/fields\.json"):
        Fields.load(tmp_path / "fields.json")
