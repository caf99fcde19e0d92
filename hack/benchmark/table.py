"""Medians with their quartiles, and ratios with an interval, as Markdown."""

import operator
import random
import statistics
import sys

# A ratio of fewer says nothing.
LEAST = 30
RESAMPLED = 500


def quartiles(values):
    low, middle, high = statistics.quantiles(values, n=4)
    return low, middle, high


class Comparison:
    """Of two medians, with the interval that 90 of 100 resamplings of both fall into (a bootstrap)."""

    def __init__(self, between, heading, told, explained):
        self.between = between
        self.heading = heading
        self.told = told
        self.explained = explained

    def tell(self, ours, theirs):
        found = self.found(ours, theirs)
        return self.told.format(*found) if found else f"fewer than {LEAST} rounds"

    def found(self, ours, theirs):
        """The comparison, and the interval's ends; None of too few."""
        if min(len(ours), len(theirs)) < LEAST:
            return None
        drawn = random.Random(1)
        again = lambda values: statistics.median(drawn.choices(values, k=len(values)))
        resampled = sorted(self.between(again(ours), again(theirs)) for _ in range(RESAMPLED))
        edge = RESAMPLED // 20
        return self.between(statistics.median(ours), statistics.median(theirs)), resampled[edge], resampled[-edge - 1]


RATIO = Comparison(operator.truediv, "{} / {}", "**{:.2f}** ({:.2f} to {:.2f})", "ratio of medians (90 % of resamplings)")
DIFFERENCE = Comparison(operator.sub, "{} - {}", "**{:+.1f}** ({:+.1f} to {:+.1f})", "difference of medians (90 % of resamplings)")
ratio = RATIO.found


class Table:
    """Rows of one unit: a column for each program, and how ours compares to the peer's, if there is one."""

    def __init__(self, title, unit, peer="crun", ours="opt-runtime", comparison=RATIO):
        self.title = title
        self.unit = unit
        self.peer = peer
        self.ours = ours
        self.comparison = comparison
        self.rows = []

    def add(self, label, taken, at_most=None):
        """`at_most` is what is to reach, where there is something."""
        self.rows.append((label, taken, at_most))

    def names(self):
        names = []
        for _, taken, _ in self.rows:
            names += [name for name in taken if name not in names]
        return sorted(names, key=lambda name: (name != self.ours, name != self.peer, name))

    def markdown(self):
        names = self.names()
        head = [self.title, *names, *([self.comparison.heading.format(self.ours, self.peer)] if self.peer else []), "to reach"]
        lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
        for label, taken, at_most in self.rows:
            cells = [cell(taken.get(name)) for name in names]
            told = [self.told(taken)] if self.peer else []
            lines.append("| " + " | ".join([label, *cells, *told, at_most or ""]) + " |")
        return "\n".join(lines) + f"\n\n{self.unit}; median [quartiles]{'; ' + self.comparison.explained if self.peer else ''}.\n"

    def told(self, taken):
        if self.ours not in taken or self.peer not in taken:
            return ""
        return self.comparison.tell(taken[self.ours], taken[self.peer])


def cell(values):
    if not values:
        return ""
    if len(values) < 2:
        return f"{values[0]:.1f}"
    low, middle, high = quartiles(values)
    return f"{middle:.1f} [{low:.1f}, {high:.1f}]"


def put(path, text, section="measured"):
    """Writes `text` into the section, in the place of earlier tables."""
    begin, end = f"<!-- {section} -->\n", "<!-- until here -->\n"
    with open(path, encoding="utf-8") as file:
        before, _, rest = file.read().partition(begin)
    if end not in rest:
        sys.exit(f"{path} has no place for tables")
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + begin + text + end + rest.partition(end)[2])
