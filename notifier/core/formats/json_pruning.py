"""Read JSON of any size and depth into a small document: cut long lists, leave out what is too deep.

For replies that the quick decoder refuses, or whose document would take too much memory. It is read by Python
code in steps of about a microsecond, so that a thread that does it lets the event loop go on.
"""

import json
import math
import re
from typing import Any

from notifier.core.formats.json_text import InvalidJson, RejectedJson, scrub

MAX_ITEMS = 1_001  # of a list: one more than the outputs of a task, so that a cut is seen
MAX_MEMBERS = 10_000  # of an object; no reply of the catalogue's providers has more than some dozens
MAX_VALUES = 100_000  # about 10 MB of memory; then only the outermost containers grow, where the status is
LISTS_UNTIL = MAX_VALUES // 2  # values after which no list inside a list grows
_MAX_LATE_MEMBERS = 100  # of an outermost object after MAX_VALUES
_OUTERMOST = 3  # open containers: the list around the document, the document, and one in it
MAX_DEPTH = 500  # PHP reads 512 levels and Jackson 1 000; a callback adds two
MAX_NESTING = 10_000  # what Go reads; nothing deeper is read by any common reader

_TOKEN = re.compile(r'[\s,:]*+(?:([\[{])|([\]}])|("(?:[^"\\]++|\\.)*+")|([^\s,:\[\]{}"]++))', re.DOTALL)
_PLAIN = r'[^\[\]{}"]++|"(?:[^"\\]++|\\.)*+"'
# Values, and containers of values alone. Bounded, because one match holds the interpreter until its end.
_FLAT = re.compile(rf"(?:{_PLAIN}|\[(?:{_PLAIN})*+\]|\{{(?:{_PLAIN})*+\}}){{0,20000}}+", re.DOTALL)
_RUN = re.compile(r"([\[{]+)|([\]}]+)")
_WORDS = {"true": True, "false": False, "null": None, "NaN": None, "Infinity": None, "-Infinity": None}

_Container = list[Any] | dict[str, Any]


def read_pruned(text: str) -> Any:
    """Return the document. Of two equal keys the last counts, NaN and the infinities are null.

    Raise InvalidJson if the text ends early, RejectedJson if it is nested deeper than 10 000 levels. Other
    errors of syntax may pass: the caller checks what it hands on.
    """
    return _PrunedReader(text).read()


class _PrunedReader:
    """Read tokens; ``_open`` holds the containers that are not closed yet, around a list for the document."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._values = 0
        self._open_lists = 0
        self._root: list[Any] = []
        self._open: list[_Container] = [self._root]
        self._keys: list[str | None] = [None]

    def read(self) -> Any:
        """Read to the end."""
        while (match := _TOKEN.match(self._text, self._position)) is not None:
            self._position = match.end()
            opening, closing, string, word = match.groups()
            if opening:
                self._start(opening)
            elif closing:
                self._end(closing)
            else:
                self._take(_unescape(string) if string else _word_to_value(word), is_string=bool(string))
        if len(self._open) > 1 or self._text[self._position :].strip() or len(self._root) != 1:
            raise InvalidJson("not JSON: it ends early, or goes on after its end")
        return self._root[0]

    def _start(self, opening: str) -> None:
        if not self._has_room():
            self._position -= 1
            self._skip_rest()
        elif len(self._open) > MAX_DEPTH:
            self._skip(levels=1)
            self._keys[-1] = None
        else:
            container: _Container = [] if opening == "[" else {}
            self._put(container)
            self._open.append(container)
            self._keys.append(None)
            self._open_lists += opening == "["

    def _end(self, closing: str) -> None:
        container = self._open.pop()
        self._keys.pop()
        if not self._open or closing != ("]" if isinstance(container, list) else "}"):
            raise InvalidJson("not JSON: a bracket closes nothing")
        self._open_lists -= closing == "]"

    def _take(self, value: Any, *, is_string: bool) -> None:
        if not self._has_room():
            self._skip_rest()
        elif is_string and self._keys[-1] is None and isinstance(self._open[-1], dict):
            self._keys[-1] = value
        else:
            self._put(value)

    def _has_room(self) -> bool:
        container, is_full = self._open[-1], self._values >= MAX_VALUES
        if is_full and len(self._open) > _OUTERMOST:
            return False
        if isinstance(container, dict):
            return len(container) < (_MAX_LATE_MEMBERS if is_full else MAX_MEMBERS)
        return len(container) < MAX_ITEMS and (self._values < LISTS_UNTIL or self._open_lists <= 1)

    def _put(self, value: Any) -> None:
        self._values += 1
        container, key = self._open[-1], self._keys[-1]
        if isinstance(container, list):
            container.append(value)
        elif key is None:
            raise InvalidJson("not JSON: a value without a key")
        else:
            container[key] = value
            self._keys[-1] = None

    def _skip_rest(self) -> None:
        """Go to the end of the container, which has no more room."""
        self._skip(levels=1)
        self._position -= 1
        self._keys[-1] = None

    def _skip(self, *, levels: int) -> None:
        """Go past the bracket that closes so many levels."""
        while levels:
            flat = _FLAT.match(self._text, self._position)
            start = self._position if flat is None else flat.end()
            run = _RUN.match(self._text, start)
            if run is None and start == self._position:
                raise InvalidJson("not JSON: it ends early")
            self._position = start
            if run is not None and run[1]:
                levels += len(run[1])
                self._position = run.end()
                if levels > MAX_NESTING:
                    raise RejectedJson("", f"nested deeper than {MAX_NESTING} levels")
            elif run is not None:
                closed = min(levels, len(run[2]))
                levels -= closed
                self._position = start + closed


def _unescape(string: str) -> str:
    if "\\" not in string:
        return string[1:-1]
    try:
        return scrub(str(json.loads(string, strict=False)))
    except ValueError as error:
        raise InvalidJson(f"not JSON: {error}") from None


def _word_to_value(word: str) -> Any:
    if word in _WORDS:
        return _WORDS[word]
    try:
        return int(word) if word.lstrip("-").isdecimal() else float(word)
    except ValueError:
        if word.lstrip("-").isdecimal():  # more digits than Python converts
            return -math.inf if word.startswith("-") else math.inf
        raise InvalidJson("not JSON: neither a number nor a word of JSON") from None
