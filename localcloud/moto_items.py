"""A repair of moto: it answers with DynamoDB's items, and updates them, in a fraction of the time."""

import copy
import functools
import re
from typing import Any

from moto.core.serialize import ResponseSerializer
from moto.dynamodb.comparisons import create_condition_expression_parser
from moto.dynamodb.exceptions import ConditionalCheckFailed
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType

_SCALARS = frozenset(("S", "N", "BOOL", "NULL"))
# Sets and removes whole attributes, each by an alias.
_SIMPLE = re.compile(r"SET (?P<set>#\w+ = :\w+(?:, #\w+ = :\w+)*)(?: REMOVE (?P<remove>#\w+(?:, #\w+)*))?")
# Far below the size of an item that DynamoDB refuses.
_SMALL = 100_000


def hasten_items() -> None:
    """Make moto serialise the scalar values of items, and repeat simple updates, quickly.

    moto itself looks each of the ten possible members of a value up by several names, and walks over the tree of an
    update expression ten times.
    """
    if hasattr(DynamoDBBackend.update_item, "__wrapped__"):
        return
    _answer_at_once()
    _update_at_once()


def _answer_at_once() -> None:
    serialize = ResponseSerializer._serialize_type_structure

    @functools.wraps(serialize)
    def at_once(self: Any, serialized: Any, value: Any, shape: Any, key: str) -> None:
        if shape.name == "AttributeValue" and key and isinstance(value, dict) and _SCALARS.issuperset(value):
            self._default_serialize(serialized, dict(value), shape, key)
        else:
            serialize(self, serialized, value, shape, key)

    ResponseSerializer._serialize_type_structure = at_once  # type: ignore[method-assign]


def _update_at_once() -> None:
    update, valid = DynamoDBBackend.update_item, set[str]()

    @functools.wraps(update)
    def at_once(
        self: Any, table_name: str, key: Any, update_expression: str, expression_attribute_names: Any,
        expression_attribute_values: Any, attribute_updates: Any = None, expected: Any = None,
        condition_expression: str | None = None, return_values_on_condition_check_failure: str | None = None,
    ) -> Any:  # fmt: skip
        simple = _SIMPLE.fullmatch(update_expression or "")
        table = self.get_table(table_name)
        item = table.get_item(*self.get_keys_value(table, key)) if simple else None
        texts = [each.get("S", "1") for each in (expression_attribute_values or {}).values()]
        is_slow = attribute_updates or expected or return_values_on_condition_check_failure
        is_odd = not all(texts) or sum(map(len, texts)) > _SMALL
        if simple is None or item is None or update_expression not in valid or is_slow or is_odd:
            answer = update(
                self, table_name, key, update_expression, expression_attribute_names, expression_attribute_values,
                attribute_updates, expected, condition_expression, return_values_on_condition_check_failure,
            )  # fmt: skip
            valid.add(update_expression)
            return answer
        names, values = expression_attribute_names, expression_attribute_values
        condition = create_condition_expression_parser(condition_expression, names, values).parse()
        if not condition.expr(item):
            raise ConditionalCheckFailed
        before = copy.deepcopy(item) if table.stream_shard is not None else None
        for name, value in (each.split(" = ") for each in simple["set"].split(", ")):
            item.attrs[names[name]] = DynamoType(values[value])
        for name in simple["remove"].split(", ") if simple["remove"] else ():
            item.attrs.pop(names[name], None)
        if before:
            table.stream_shard.add(before, item)
        return item

    DynamoDBBackend.update_item = at_once  # type: ignore[method-assign]
