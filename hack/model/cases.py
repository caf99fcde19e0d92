"""The cases that docs/growth.md shows: what one node's start asks for in each, from what was measured."""

import dataclasses
import math

from startup import Start, simulate

# hack/bench-growth --only images: bytes that a node reads of an image's file until python3 with three imports has run in a first container, and names that it
# asks the store for; and of the same python3 without an image, from a directory.
EROFS_BYTES = 29.9e6
SQUASHFS_BYTES = 20.4e6
NAMES_OF_AN_IMAGE = 5
NAMES_WITHOUT = 365
BYTES_WITHOUT = 11.9e6
# Of an image that is copied to every node before anything runs.
WHOLE_IMAGE = 1000e6
# docs/shifter-images.md, "How soon": first container.
EROFS_SECONDS = 0.0256
SQUASHFS_SECONDS = 0.0408
PROGRAM_SECONDS = 0.0014


# A gateway that is set up for such jobs: Limits.Connections and Limits.RequestsPerMinute.
RAISED = {"connections": 65_536, "requests_a_minute": 1_000_000}


def cases(site):
    """A name, a node's start, and the site that it is at."""
    erofs = Start(lookups=0, operations=NAMES_OF_AN_IMAGE, bytes=EROFS_BYTES, seconds=EROFS_SECONDS)
    once = dataclasses.replace(erofs, lookups=1)
    raised = dataclasses.replace(site, gateway=dataclasses.replace(site.gateway, **RAISED))
    tasks = site.tasks
    return [
        ("`id:`, EROFS", erofs, site),
        ("`id:`, squashfs", dataclasses.replace(erofs, bytes=SQUASHFS_BYTES, seconds=SQUASHFS_SECONDS), site),
        ("`docker:`, each node asks once", once, site),
        ("the same, limits raised", once, raised),
        (f"`docker:`, each of {tasks} tasks asks", dataclasses.replace(erofs, lookups=tasks), site),
        ("the image copied to each node first", dataclasses.replace(erofs, operations=1, bytes=WHOLE_IMAGE), site),
        (f"no image: {tasks} tasks, a directory", Start(0, NAMES_WITHOUT * tasks, BYTES_WITHOUT, PROGRAM_SECONDS), site),
    ]


def seconds(value):
    return f"{value:,.2f}" if math.isfinite(value) else "never"


def tables(site):
    lines = [
        f"{site.nodes:,} nodes of {site.tasks} tasks that begin within {site.within:g} s. Gateway: {site.gateway.lookups_a_second:,.0f} lookups a second, "
        f"{site.gateway.connections} connections, {site.gateway.requests_a_minute:,} requests a minute of one user. Shared file system: "
        f"{site.file_system.operations_a_second:,.0f} names a second, {site.file_system.bytes_a_second / 1e9:g} GB/s, "
        f"{site.file_system.bytes_a_second_of_a_node / 1e9:g} GB/s to a node.\n",
        "| a node's start | lookups answered | refused: rate, connections | gateway done, s | names asked for | read, GB | file system done, s "
        "| half of the nodes run, s | all run, s |",
        "|---" * 9 + "|",
    ]
    for name, start, where in cases(site):
        came = simulate(where, start)
        cells = [name, f"{came.answered:,}", f"{came.over_the_rate:,}, {came.over_the_connections:,}", seconds(came.gateway_done), f"{came.operations:,}",
                 f"{came.bytes / 1e9:,.1f}", seconds(came.file_system_done), seconds(came.half_run), seconds(came.all_run)]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
