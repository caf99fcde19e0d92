"""Makes the table of hack/bench-containerd from what it has measured."""

import os
import statistics
import subprocess
import sys

from where import where

ROWS = [
    ("run", "`ctr run --rm`, wall, ms", 1000, 0.8),
    ("memory-1", "memory of a pod's shim, PSS, MiB", 1024, 0.3),
    ("memory-10", "the same, of ten pods at once, a pod", 1024, 0.3),
]


def read(path):
    measured = {}
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            row, whose, number = line.split()
            measured.setdefault((row, whose), []).append(float(number))
    return measured


def shown(numbers, unit):
    low, middle, high = (value / unit for value in statistics.quantiles(numbers, n=4))
    return f"{middle:.2f} [{low:.2f}, {high:.2f}]"


def version(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def main():
    measured = read(sys.argv[1])
    print("| | our shim | containerd-shim-runc-v2, crun | ratio | to reach | rounds |")
    print("|---|---|---|---|---|---|")
    for row, name, unit, target in ROWS:
        ours, others = measured[row, "opt-runtime"], measured[row, "crun"]
        ratio = statistics.median(ours) / statistics.median(others)
        print(f"| {name} | {shown(ours, unit)} | {shown(others, unit)} | {ratio:.2f} | {target} | {len(ours)} |")
    load = os.getloadavg()
    print(
        f"\nMedians and quartiles, {where()}; load {load[0]:.1f}; {version('containerd', '--version')}; {version('crun', '--version')}."
    )


main()
