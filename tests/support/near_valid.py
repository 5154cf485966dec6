"""JSON documents that are nearly valid, for the comparison of a parser with a schema."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st


def places(document: Any) -> list[tuple[Any, Any]]:
    """Return each place of a document as its container and its index or name."""
    if not isinstance(document, dict | list):
        return []
    items = document.items() if isinstance(document, dict) else enumerate(document)
    return [place for index, value in items for place in ((document, index), *places(value))]


@st.composite
def near_valid(
    draw: st.DrawFn, valid: st.SearchStrategy[Any], odd: st.SearchStrategy[Any], names: st.SearchStrategy[str]
) -> Any:
    """Return a valid document with some values replaced, members removed and others added."""
    document = copy.deepcopy(draw(valid))
    for _ in range(draw(st.integers(0, 3))):
        container, index = draw(st.sampled_from(places(document)))
        do = draw(st.sampled_from(["replace", "remove", "add"]))
        if do == "replace":
            container[index] = draw(odd)
        elif do == "remove":
            del container[index]
        elif isinstance(container, dict):
            container[draw(names)] = draw(odd)
        if not places(document):
            break
    return document
