"""The example alerts speak of metrics that exist, and each says why and what to do."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.daemon.test_metrics import Bench, bench, exercise

__all__ = ["bench"]  # the fixture

RULES = Path(__file__).parents[2] / "docs" / "alerts.yml"
OURS = re.compile(r"\b(?:notifier|process)_[a-z_]+\b")
SELECTOR = re.compile(r"\b([a-z_]+)\{([^}]*)\}")
MATCHER = re.compile(r'([a-z_]+)(=~|!=|!~|=)"([^"]*)"')
GROUPED = re.compile(r"\bby \(([^)]*)\)")
KNOWN_ELSEWHERE = {"up"}  # Prometheus makes it


@dataclass(frozen=True)
class Rule:
    """One alert of the file."""

    name: str
    expr: str
    text: str

    def says(self, key: str) -> str:
        found = re.search(rf"^ +{key}: (.+)$", self.text, re.MULTILINE)
        return found[1] if found else ""


def rules() -> Iterator[Rule]:
    for text in RULES.read_text("utf-8").split("      - alert: ")[1:]:
        expr = re.search(r"^ +expr: (?:\|\n((?: {10,}.*\n)+)|(.+)$)", text, re.MULTILINE)
        assert expr, text
        yield Rule(text.partition("\n")[0], expr[1] or expr[2], text)


def faults(expr: str, known: dict[str, list[dict[str, str]]]) -> list[str]:
    """What an expression names that no series has."""
    found = [f"no metric {name}" for name in OURS.findall(expr) if name not in known]
    for name, inside in SELECTOR.findall(expr):
        for label, operator, value in MATCHER.findall(inside):
            have = {labels[label] for labels in known.get(name, []) if label in labels}
            wanted = value.split("|") if "~" in operator else [value]
            if name not in KNOWN_ELSEWHERE:
                found += [f"no {name}{{{label}={each}}}" for each in wanted if each not in have]
    series = [labels for name in OURS.findall(expr) for labels in known.get(name, [])]
    for names in GROUPED.findall(expr):
        found += [f"no label {name}" for name in names.split(", ") if not any(name in one for one in series)]
    return found


async def known_to(bench: Bench) -> dict[str, list[dict[str, str]]]:
    exercise(bench.metrics)
    known: dict[str, list[dict[str, str]]] = {}
    for sample in await bench.samples():
        known.setdefault(sample.name, []).append(sample.labels)
    return known


@pytest.mark.parametrize("rule", list(rules()), ids=lambda rule: rule.name)
async def test_an_alert_speaks_of_what_there_is_and_says_what_to_do(bench: Bench, rule: Rule) -> None:
    assert faults(rule.expr, await known_to(bench)) == []
    assert rule.says("why").endswith(".")
    assert rule.says("do").endswith(".")
    assert OURS.search(rule.expr) or rule.name == "NotifierDown"


@pytest.mark.parametrize(
    ("expr", "fault"),
    [
        ("rate(notifier_polls[5m])", "no metric notifier_polls"),
        ('notifier_deliveries{state="lost"}', "no notifier_deliveries{state=lost}"),
        ('notifier_watches{state=~"lost|gone"}', "no notifier_watches{state=gone}"),
        ("sum by (provider) (notifier_ready)", "no label provider"),
    ],
)
async def test_a_planted_mistake_is_seen(bench: Bench, expr: str, fault: str) -> None:
    assert faults(expr, await known_to(bench)) == [fault]


def test_names_are_told_apart() -> None:
    names = [rule.name for rule in rules()]
    assert len(names) == len(set(names)) >= 10
