"""Each key is found on the line where its statement begins, whatever TOML allows."""

import time
import tomllib

from hypothesis import given
from hypothesis import strategies as st

from notifier.config.toml_lines import find_line, map_lines

DOCUMENT = '''\
# a comment = 1
top = 1

[polling]  # growth = 3
growth = 0.1
"min_interval" = "[not.a.header]"
words = [
  "a",   # b = 1
  "]",
]
text = """
inside = 1
[inside]
"""
last = { inline = 1, deep.er = 2 }

[ providers . "my.x" ]
base_url = \'\'\'
x\'\'\'
polling.growth = 2
[providers."my.x".words]
[[many]]
one = 1
[[many]]
one = 2
'''


def test_every_key_is_found_where_its_statement_begins() -> None:
    tomllib.loads(DOCUMENT)
    assert map_lines(DOCUMENT) == {
        ("top",): 2,
        ("polling",): 4,
        ("polling", "growth"): 5,
        ("polling", "min_interval"): 6,
        ("polling", "words"): 7,
        ("polling", "text"): 11,
        ("polling", "last"): 15,
        ("polling", "last", "inline"): 15,
        ("polling", "last", "deep"): 15,
        ("polling", "last", "deep", "er"): 15,
        ("providers", "my.x"): 17,
        ("providers", "my.x", "base_url"): 18,
        ("providers", "my.x", "polling"): 20,
        ("providers", "my.x", "polling", "growth"): 20,
        ("providers", "my.x", "words"): 21,
        ("many",): 22,
        ("many", "one"): 23,
    }


def test_the_end_of_a_line_may_be_that_of_windows() -> None:
    assert map_lines(DOCUMENT.replace("\n", "\r\n")) == map_lines(DOCUMENT)


def test_what_does_not_stand_there_is_placed_at_the_table_around_it() -> None:
    lines = map_lines("\n[providers.x]\nmax_rate = 1\n")
    assert find_line(("providers", "x", "base_url"), lines) == 2
    assert find_line(("providers", "x", "max_rate"), lines) == 3
    assert find_line(("server", "listen"), lines) is None


_NAMES = st.sampled_from(["a", "b", '"c d"', "'e.f'", "g.h"])
_VALUES = st.sampled_from(
    ["1", '"x = 1"', '"""\n[a]\n"""', "'''\n\n'''", "[\n1, # [z]\n2]", "{ x = 1 }", "true", "[[1],\n[2]]"]
)
_STATEMENTS = st.one_of(
    st.tuples(_NAMES, _VALUES).map(" = ".join),
    st.tuples(_NAMES, _NAMES).map(lambda names: f"[{names[0]}.{names[1]}]"),
    st.sampled_from(["", "# x = 1", "   "]),
)


@given(st.lists(_STATEMENTS, max_size=12))
def test_statements_are_told_apart_in_any_valid_text(statements: list[str]) -> None:
    text, starts = "", set()
    for statement in statements:
        try:
            tomllib.loads(text + statement + "\n")
        except ValueError:
            continue  # a key that is set twice
        if statement.strip() and not statement.startswith("#"):
            starts.add(text.count("\n") + 1)
        text += statement + "\n"
    assert set(map_lines(text).values()) == starts


def test_a_text_made_to_be_slow_is_given_up_on() -> None:
    text = "a = [\n" + "1,\n" * 20_000 + "]\nb = 1\n"
    began = time.perf_counter()
    assert map_lines(text) == {}
    assert time.perf_counter() - began < 10
