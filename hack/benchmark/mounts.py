"""What a sealed bundle takes with few mounts and with many: making it, and making and running it."""

import json
import os
import statistics

from measure import in_turns, timed
from table import cell


class WithMounts:
    """A command whose sandbox has so many directories of the host's, one by one."""

    def __init__(self, server, scratch, count):
        self.name = count
        self.server = server
        self.state = os.path.join(scratch, "state/mounts")
        self.project = os.path.join(scratch, f"project-{count}")
        os.mkdir(self.project)
        os.chown(self.project, 65534, 65534)
        self.config = os.path.join(scratch, f"mounts-{count}.json")
        listed = []
        for number in range(count):
            listed.append(os.path.join(scratch, "many", str(number)))
            os.makedirs(listed[-1], exist_ok=True)
        with open(self.config, "w", encoding="utf-8") as file:
            json.dump({"commands": [{"name": "it", "executable": "/bin/busybox", "mount-readable": listed}]}, file)

    def words(self):
        return ["--config", self.config, "--project", self.project]

    def explain(self):
        return [self.server, "explain", *self.words(), "--", "it", "true"]

    def run(self):
        return [self.server, "run", "--root", self.state, *self.words(), "--", "it", "true"]


def table(server, scratch, rounds, counts):
    all_of = [WithMounts(server, scratch, count) for count in counts]
    rows = {
        "`opt-server explain`: the bundle made": in_turns(rounds, all_of, lambda it, _: timed(it.explain())),
        "`opt-server run`: made, checked, observed, run": in_turns(rounds, all_of, lambda it, _: timed(it.run())),
    }
    head = ["mounts besides those of every sandbox", *(f"{count:,}" for count in counts)]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, taken in rows.items():
        medians = [statistics.median(taken[count]) for count in counts]
        lines.append("| " + " | ".join([f"{name}, ms", *(cell(taken[count]) for count in counts)]) + " |")
        each = [f"{(medians[place] - medians[place - 1]) / (counts[place] - counts[place - 1]) * 1000:.0f}" for place in range(1, len(counts))]
        lines.append("| " + " | ".join(["µs a mount more than in the column before", "", *each]) + " |")
    return "\n".join(lines) + "\n"
