"""A job's start on many nodes, as a simulation: what the gateway and the shared file system have to do, and how long it takes.

Each node begins at a moment of its own. Its start goes through three stages, one after the other: lookups at the gateway, small operations and
bytes at the shared file system, and the node's own work. The gateway and the metadata server do one thing at a time in the order in which they
are asked; the bytes share one width.
"""

import dataclasses
import heapq
import random


@dataclasses.dataclass(frozen=True)
class Gateway:
    """As docs/image-gateway.md describes and measures it."""

    # hack/bench-gateway, one core, munge: the slower of both proofs.
    lookups_a_second: float = 4109
    # Limits.Connections and Limits.RequestsPerMinute, by default. A user may use up a minute's at once; then they grow back.
    connections: int = 512
    requests_a_minute: int = 6000


@dataclasses.dataclass(frozen=True)
class SharedFileSystem:
    """An assumption: a middling parallel file system. A site puts in its own."""

    # Opens, stats and closes of one metadata server.
    operations_a_second: float = 50_000
    # All of its servers together.
    bytes_a_second: float = 50e9
    # What a single node can take.
    bytes_a_second_of_a_node: float = 2.5e9


@dataclasses.dataclass(frozen=True)
class Site:
    """Who starts."""

    nodes: int = 10_000
    tasks: int = 64
    # The nodes begin spread evenly over so many seconds, in random order.
    within: float = 1.0
    gateway: Gateway = Gateway()
    file_system: SharedFileSystem = SharedFileSystem()


@dataclasses.dataclass(frozen=True)
class Start:
    """What one node's start asks for."""

    lookups: int
    operations: int
    bytes: float
    # Until the first container's command runs, when all else is there.
    seconds: float


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of all of them."""

    # Lookups that were answered, and those that were not: too many of one user's, or too many connections.
    answered: int
    over_the_rate: int
    over_the_connections: int
    # The last of each, in seconds from the first node's beginning.
    gateway_done: float
    file_system_done: float
    half_run: float
    all_run: float
    bytes: float
    operations: int


class OneAtATime:
    """A server with one hand."""

    def __init__(self, a_second):
        self.each = 1 / a_second
        self.free_at = 0.0

    def serve(self, now, count=1):
        """When the last of `count` things asked at `now` is done."""
        self.free_at = max(self.free_at, now) + count * self.each
        return self.free_at


class Allowance:
    """How often one user may ask: a bucket that is full at first (shim/imagegw, auth/rate.rs)."""

    def __init__(self, a_minute):
        self.most = self.left = float(a_minute)
        self.since = 0.0

    def allows(self, now):
        self.left = min(self.left + (now - self.since) * self.most / 60, self.most)
        self.since = now
        if self.left < 1:
            return False
        self.left -= 1
        return True


def beginnings(site):
    """When each node begins, in order."""
    drawn = random.Random(1)
    return sorted(drawn.uniform(0, site.within) for _ in range(site.nodes))


def simulate(site, start):
    """All nodes' starts. A node whose lookup is refused doesn't start: the client asks once."""
    looked_up, counts = lookups(site, start)
    asked = sorted(time for time in looked_up if time is not None)
    served = OneAtATime(site.file_system.operations_a_second)
    opened = [served.serve(time, start.operations) for time in asked]
    read = share(opened, start.bytes, site.file_system)
    run = sorted(time + start.seconds for time in read)
    return Outcome(
        answered=counts["answered"],
        over_the_rate=counts["rate"],
        over_the_connections=counts["connections"],
        gateway_done=counts["last"],
        file_system_done=max(read, default=0.0),
        half_run=run[len(run) // 2] if run else float("inf"),
        all_run=run[-1] if len(run) == site.nodes else float("inf"),
        bytes=len(asked) * start.bytes,
        operations=len(asked) * start.operations,
    )


def lookups(site, start):
    """When each node has its answers (`None`: never), how many lookups were answered, or refused for what reason, and when the last was."""
    gateway = OneAtATime(site.gateway.lookups_a_second)
    allowance = Allowance(site.gateway.requests_a_minute)
    counts = {"answered": 0, "rate": 0, "connections": 0, "last": 0.0}
    waiting, times = [], []
    for now in beginnings(site):
        done = now
        for _ in range(start.lookups):
            while waiting and waiting[0] <= now:
                heapq.heappop(waiting)
            if len(waiting) >= site.gateway.connections:
                counts["connections"] += 1
                done = None
            elif not allowance.allows(now):
                counts["rate"] += 1
                done = None
            else:
                answer = gateway.serve(now)
                heapq.heappush(waiting, answer)
                counts["answered"] += 1
                counts["last"] = answer
                done = None if done is None else max(done, answer)
        times.append(done)
    return times, counts


def share(begun, size, file_system):
    """When each of those that begin to read `size` bytes at these times has them: all get equal parts of the width, none more than a node takes.

    As all want the same, they end in the order in which they begin; `level` is how much each has that reads from the very beginning on.
    """
    if not size:
        return list(begun)
    ends, now, level = [], 0.0, 0.0
    reading, coming = [], list(reversed(sorted(begun)))
    while reading or coming:
        if not reading:
            now = max(now, coming[-1])
        rate = min(file_system.bytes_a_second / max(len(reading), 1), file_system.bytes_a_second_of_a_node)
        end = now + (reading[0] - level) / rate if reading else float("inf")
        if coming and coming[-1] <= end:
            begins = coming.pop()
            level += (begins - now) * rate if reading else 0
            now = begins
            heapq.heappush(reading, level + size)
        else:
            level, now = reading[0], end
            while reading and reading[0] <= level:
                heapq.heappop(reading)
                ends.append(now)
    return ends
