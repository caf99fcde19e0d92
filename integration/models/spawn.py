"""A small linear programme, solved by a child process of this script's own.

The parent starts a child through sys.executable, hands it the problem as JSON on standard input, and
writes what the child answers to result.json in the current directory. What it needs of a sandbox: the
interpreter startable again from within, a pipe, and a working directory that can be written to.

Data of our own:  maximise 7 chairs + 6 tables
    wood    5 chairs + 4 tables <= 40
    work    2 chairs + 3 tables <= 24
    glue      chairs            <=  7,   chairs, tables >= 0
The optimum is 408/7, at chairs 24/7 and tables 40/7.
"""

import hashlib
import json
import os
import subprocess
import sys
from fractions import Fraction
from itertools import combinations

PROBLEM = {
    "worth": [7, 6],
    # each row: a, b, limit of  a*chairs + b*tables <= limit
    "limits": [[5, 4, 40], [2, 3, 24], [1, 0, 7], [-1, 0, 0], [0, -1, 0]],
}


def solve(worth, limits):
    """The best corner: every two limits meet in one, and those that keep all limits are candidates."""
    best = None
    for (a, b, c), (d, e, f) in combinations(limits, 2):
        det = a * e - b * d
        if det == 0:
            continue
        x, y = Fraction(c * e - b * f, det), Fraction(a * f - c * d, det)
        if all(p * x + q * y <= limit for p, q, limit in limits):
            value = worth[0] * x + worth[1] * y
            if best is None or value > best[0]:
                best = value, x, y
    return {"optimum": str(best[0]), "chairs": str(best[1]), "tables": str(best[2])}


def child():
    answer = solve(**json.load(sys.stdin))
    answer["child"] = os.getpid()
    json.dump(answer, sys.stdout)


def parent():
    problem = json.dumps(PROBLEM)
    command = [sys.executable, os.path.abspath(__file__), "--child"]
    done = subprocess.run(command, input=problem, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    answer["parent"] = os.getpid()
    answer["problem"] = hashlib.sha256(problem.encode()).hexdigest()
    with open("result.json", "w", encoding="utf-8") as result:
        json.dump(answer, result, indent=2)
        result.write("\n")
    print("optimum", answer["optimum"], "chairs", answer["chairs"], "tables", answer["tables"])
    if answer["child"] == answer["parent"]:
        sys.exit("the child was not a process of its own")


if __name__ == "__main__":
    child() if sys.argv[1:] == ["--child"] else parent()
