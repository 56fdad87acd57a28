"""Hypothesis strategies made from the type hints of the domain's own dataclasses.

Knows: dataclasses, enums, tuples, unions. Must not know: which value means what.
Every field is filled, optional ones too, so that a field which is forgotten somewhere is noticed.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from enum import Enum

from hypothesis import strategies as st

_INTS = st.integers(min_value=-(2**62), max_value=2**62)


def instances(kind: object) -> st.SearchStrategy[object]:
    """Any value of a type: a dataclass with every field filled, one member of a union, a tuple, a plain value."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _dataclass(kind)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([instances(each) for each in typing.get_args(kind)])
    if origin is tuple:
        return st.lists(instances(typing.get_args(kind)[0]), max_size=2).map(tuple)
    plain: dict[object, st.SearchStrategy[object]] = {
        str: st.text(max_size=12),
        int: _INTS,
        bool: st.booleans(),
        type(None): st.none(),
    }
    return plain[kind]


def _dataclass(kind: type) -> st.SearchStrategy[object]:
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{each.name: instances(hints[each.name]) for each in dataclasses.fields(kind)})


any_text = st.text(st.characters(), max_size=40)  # half characters (lone surrogates) too
