"""Check JMESPath expressions as far as that is possible without a reply: syntax, functions, arguments."""

import re
from collections.abc import Iterator
from typing import Any

import jmespath
from jmespath.functions import Functions

from notifier.core.nearest import find_nearest

_MAX_WHY_CHARS = 200  # keeps an error on a few lines
_HYPHENATED = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)+", re.ASCII)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`")


class InvalidExpression(ValueError):
    """An expression that can never be evaluated. The message says why."""


def check_expression(expression: str) -> None:
    """Raise InvalidExpression for wrong syntax, an unknown function or a wrong number of arguments."""
    try:
        tree = jmespath.compile(expression).parsed
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        why = str(error).partition("\n")[0].removesuffix(", for expression:").rstrip(":")[:_MAX_WHY_CHARS]
        raise InvalidExpression(why + _find_hyphen_hint(expression)) from None
    for name, count in _calls(tree):
        _check_call(name, count)


def _calls(node: Any) -> Iterator[tuple[str, int]]:
    if node["type"] == "function_expression":
        yield node["value"], len(node["children"])
    for child in node["children"]:
        if isinstance(child, dict):
            yield from _calls(child)


def _check_call(name: str, count: int) -> None:
    functions = Functions.FUNCTION_TABLE
    if name not in functions:
        near = find_nearest(name, functions)
        raise InvalidExpression(
            f"there is no function {name}()" + (f"; did you mean {near}()?" if near else "")
        )
    signature = functions[name]["signature"]
    is_variadic = bool(signature) and bool(signature[-1].get("variadic"))
    if count < len(signature) or (count > len(signature) and not is_variadic):
        least = "at least " if is_variadic else ""
        plural = "" if len(signature) == 1 else "s"
        raise InvalidExpression(f"{name}() takes {least}{len(signature)} argument{plural}, not {count}")


def _find_hyphen_hint(expression: str) -> str:
    match = _HYPHENATED.search(_QUOTED.sub("", expression))
    return f'; a name with a hyphen needs double quotes: "{match[0]}"' if match else ""
