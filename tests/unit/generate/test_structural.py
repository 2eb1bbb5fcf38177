"""Pydantic's JSON schema becomes a structural schema, or is refused with the path of the field."""

import re
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from pydantic.json_schema import SkipJsonSchema

from kubefit.api.base import FreeForm, Model, Quantity, rule
from kubefit.generate.structural import NotStructuralError, structural, without_nulls


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Paint(Model):
    """Paint."""

    colour: Colour = Colour.RED
    """Colour of the paint."""
    coats: Annotated[int, Field(ge=1)] | SkipJsonSchema[None] = None


def converted(model: type[BaseModel]) -> dict[str, Any]:
    return structural(model.model_json_schema())


def field(annotation: Any, default: Any = ...) -> dict[str, Any]:
    """Structural schema of one field of that type."""
    model = type("Holder", (Model,), {"__annotations__": {"it": annotation}, "it": Field(default)})
    return converted(model)["properties"]["it"]


def keys(schema: Any) -> set[str]:
    """Every schema keyword at any depth; names of fields are left out."""
    if isinstance(schema, list):
        return set().union(*map(keys, schema))
    if not isinstance(schema, dict):
        return set()
    found = set(schema)
    for key, value in schema.items():
        found |= set().union(*map(keys, value.values())) if key == "properties" else keys(value)
    return found


def test_nested_models_are_inlined() -> None:
    assert not keys(field(Paint)) & {"$ref", "$defs", "allOf"}
    assert field(Paint)["properties"]["colour"]["enum"] == ["red", "blue"]


def test_a_field_describes_itself_better_than_its_type_does() -> None:
    assert field(Paint)["properties"]["colour"]["description"] == "Colour of the paint."
    assert field(Paint)["description"] == "Paint."


def test_titles_go_but_a_field_may_be_called_title() -> None:
    class Book(Model):
        title: str

    assert converted(Book) == {
        "type": "object",
        "properties": {"title": {"type": "string"}},
        "required": ["title"],
    }


def test_unknown_fields_are_refused_by_the_api_server_not_by_the_schema() -> None:
    assert "additionalProperties" not in field(Paint)


def test_a_map_keeps_the_type_of_its_values() -> None:
    assert field(dict[str, float])["additionalProperties"] == {"type": "number"}


def test_an_optional_field_is_absent_rather_than_null() -> None:
    coats = field(Paint)["properties"]["coats"]
    assert coats == {"type": "integer", "minimum": 1}
    assert "required" not in field(Paint)


def test_the_default_of_an_object_holds_the_defaults_of_its_fields_and_no_null() -> None:
    assert field(Paint, Paint())["default"] == {"colour": "red"}


def test_a_null_deep_in_a_default_is_left_out() -> None:
    assert without_nulls({"a": None, "b": [{"c": None, "d": 0}]}) == {"b": [{"d": 0}]}


def test_a_constant_becomes_an_enumeration_of_one() -> None:
    assert field(Literal["x"])["enum"] == ["x"]


def test_a_quantity_is_a_number_or_a_string() -> None:
    schema = field(Quantity)
    assert schema["x-kubernetes-int-or-string"] is True
    assert re.match(schema["pattern"], "500m")
    assert not re.match(schema["pattern"], "four")


def test_free_form_objects_keep_what_is_in_them() -> None:
    assert field(FreeForm) == {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def test_rules_stay_beside_their_object() -> None:
    class Ruled(Model, json_schema_extra={"x-kubernetes-validations": [rule("self.a > 0", "no")]}):
        a: int

    assert field(Ruled)["x-kubernetes-validations"] == [{"rule": "self.a > 0", "message": "no"}]


class Tree(Model):
    children: list["Tree"] = []


@pytest.mark.parametrize(
    ("annotation", "sentence"),
    [
        (Annotated[int, Field(gt=0)], "it: schema keyword exclusiveMinimum: .* use ge instead"),
        (Annotated[int, Field(lt=9)], "it: schema keyword exclusiveMaximum: .* use le instead"),
        (str | None, r"it: schema keyword anyOf: .* SkipJsonSchema\[None\]"),
        (tuple[int, int], "it: schema keyword prefixItems: use a list with bounds"),
        (list[Annotated[int, Field(gt=0)]], r"it\[\]: schema keyword exclusiveMinimum"),
        (Annotated[int, Field(multiple_of=2)], "it: schema keyword multipleOf"),
        (dict[str, Any], "it: a map of anything; use FreeForm"),
        (Tree, r"it\.children\[\]: Tree contains itself"),
    ],
)
def test_what_a_crd_cannot_express_is_refused_with_its_path(annotation: Any, sentence: str) -> None:
    with pytest.raises(NotStructuralError, match=sentence):
        field(annotation)


def test_an_open_model_is_refused() -> None:
    class Open(BaseModel, extra="allow"):
        a: int = 1

    with pytest.raises(NotStructuralError, match="it: properties beside additionalProperties"):
        field(Open)
