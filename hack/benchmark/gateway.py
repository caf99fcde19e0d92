"""See hack/bench-gateway, which calls this."""

import argparse
import multiprocessing
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import extremes
import measure
from site_of_gateway import OWN, SOON, Gateway, Layer, Munged, Registry, as_user, wait_for
from table import LEAST, cell, put, ratio
from where import where

PULLS = 100
CONNECTIONS = 8


def arguments():
    parser = argparse.ArgumentParser(prog="hack/bench-gateway")
    parser.add_argument("programs", help="where they are")
    parser.add_argument("--rounds", type=int, default=LEAST, help=f"of each conversion; below {LEAST} no ratio is printed")
    parser.add_argument("--megabytes", type=int, default=100, help="of the image that is converted in every round")
    parser.add_argument("--large", type=int, default=1000, help="megabytes of the one whose memory is looked at; it is converted three times")
    parser.add_argument("--disk-rounds", type=int, default=10, help="of that one beside its bytes alone")
    parser.add_argument("--extreme-rounds", type=int, default=3, help="of images that aren't like most")
    parser.add_argument("--lookups", type=int, default=20_000, help="of each kind")
    parser.add_argument("--write", metavar="FILE", help="put the tables into this page")
    return parser.parse_args()


# Lookups


def ask_all(address, requests, ready, told):
    """A client: one connection, one request after the other."""
    connection = socket.create_connection(address)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    times, failed = [], 0
    ready.wait()
    for request in requests:
        began = time.perf_counter()
        connection.sendall(request)
        answer = b""
        while True:
            answer += connection.recv(1 << 16)
            head, end, body = answer.partition(b"\r\n\r\n")
            if end and len(body) >= int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0]):
                break
        times.append(time.perf_counter() - began)
        failed += not head.startswith(b"HTTP/1.1 200 ")
    told.put((times, failed))


def lookups(gateway, headers):
    """Each header is one lookup's: a row of how fast they are answered."""
    host, port = gateway.address.split(":")
    target = "GET /api/lookup/cluster/docker/small:{}/ HTTP/1.1\r\nhost: gateway\r\n{}\r\n\r\n"
    requests = [target.format(number % PULLS, header).encode() for number, header in enumerate(headers)]
    ready, told = multiprocessing.Barrier(CONNECTIONS + 1), multiprocessing.Queue()
    clients = [multiprocessing.Process(target=ask_all, args=((host, int(port)), requests[first::CONNECTIONS], ready, told))
               for first in range(CONNECTIONS)]
    for client in clients:
        client.start()
    ready.wait()
    began, used = time.perf_counter(), gateway.processor_seconds()
    results = [told.get() for _ in clients]
    seconds, used = time.perf_counter() - began, gateway.processor_seconds() - used
    for client in clients:
        client.join()
    failed = sum(result[1] for result in results)
    if failed:
        sys.exit(f"hack/bench-gateway: {failed} lookups failed")
    times = sorted(value * 1000 for result in results for value in result[0])
    return [f"{len(times) / seconds:,.0f}", f"{len(times) / used:,.0f}", f"{statistics.median(times):.2f}", f"{times[len(times) * 99 // 100]:.2f}"]


def lookups_table(gateway, munged, count):
    with_tokens = lookups(gateway, [f"authorization: Bearer {gateway.token}"] * count)
    # A credential counts once.
    with_munge = lookups(gateway, [f"authentication: {credential}" for credential in munged.credentials(count)])
    head = ["lookups", "a second", "a second of its processor time", "median, ms", "99 of 100 within, ms"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, row in (("with tokens", with_tokens), ("with munge", with_munge)):
        lines.append("| " + " | ".join([name, *row]) + " |")
    return "\n".join(lines) + f"\n\n{count} of each, {CONNECTIONS} clients at once; the gateway has one core.\n"


# Pulls


def pull(gateway, name):
    return gateway.ask("POST", f"/api/pull/cluster/docker/{name}/", "{}")


def many_pulls(gateway):
    """All are asked for at once; none may be lost."""
    began = time.perf_counter()
    outcomes = [None] * PULLS

    def one(number):
        outcomes[number] = pull(gateway, f"small:{number}")
    threads = [threading.Thread(target=one, args=(number,)) for number in range(PULLS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    asked = time.perf_counter() - began
    refused = [outcome for outcome in outcomes if not outcome or outcome[0] != 200]
    if refused:
        sys.exit(f"hack/bench-gateway: {len(refused)} pulls weren't taken: {refused[0]}")
    for number in range(PULLS):
        wait_for(f"small:{number}", lambda: pull(gateway, f"small:{number}")[1]["status"] == "READY")
    seconds = time.perf_counter() - began
    there = [name for name in os.listdir(gateway.path("images")) if name.endswith(".erofs")]
    if len(there) != PULLS:
        sys.exit(f"hack/bench-gateway: {len(there)} of {PULLS} images are there")
    return (f"{PULLS} pulls of different images asked for at once, by as many clients: all were taken within {asked:.2f} s and ready "
            f"within {seconds:.1f} s, {len(there)} images there, none lost.\n")


def large_pull(gateway, name, megabytes):
    """What the server takes for a large image."""
    gateway.peak_memory(begin=True)
    before = gateway.peak_memory()
    began = time.perf_counter()
    pull(gateway, name)
    while pull(gateway, name)[1]["status"] != "READY":
        if time.perf_counter() - began > 20 * SOON:
            sys.exit(f"hack/bench-gateway: {name} doesn't come")
        time.sleep(0.05)
    peak = gateway.peak_memory()
    return f"The server's memory while it pulls and converts an image of {megabytes} MB: {peak:.0f} MiB at the most, {before:.0f} MiB before.\n"


# Conversions


class Contestant:
    def __init__(self, name, line):
        self.name = name
        self.line = line


class Work:
    """An image of the registry's into a file, by ours and by others."""

    def __init__(self, gateway, registry, name):
        self.place = gateway.path("work")
        if not os.path.isdir(self.place):
            os.mkdir(self.place)
            os.chown(self.place, OWN, OWN)
        self.gateway = gateway
        self.image = f"docker://{registry.address}/{name}"
        self.layout = gateway.path(f"layout-of-{name.split(':')[0]}")

    def ours(self, kind, image=None):
        out = f"{self.place}/image.{kind}"
        make = [f"{self.gateway.bin}/shifter-imagegw", "make", "--quiet", "--plain-http", "--cache", f"{self.place}/cache", image or self.image, out]
        return Contestant(f"ours, {kind}", as_user(OWN, *make))

    def ours_of_a_layout(self, kind):
        """The same image from a directory, without a registry that needs the processor, too."""
        if not os.path.isdir(self.layout):
            subprocess.run(["skopeo", "--insecure-policy", "copy", "--quiet", "--src-tls-verify=false", self.image, f"oci:{self.layout}:x"], check=True)
        return self.ours(kind, f"oci:{self.layout}:x")

    def theirs(self, kind):
        out, layout, bundle = f"{self.place}/image.{kind}", f"{self.place}/layout", f"{self.place}/bundle"
        write = {
            "squashfs": f"mksquashfs {bundle}/rootfs {out} -noappend -no-progress -quiet -no-xattrs -all-root -comp zstd -Xcompression-level 3",
            "erofs": f"mkfs.erofs --quiet -x-1 --all-root {out} {bundle}/rootfs",
        }[kind]
        # Ours is on the disk when it is done.
        script = (f"skopeo --insecure-policy copy --quiet --src-tls-verify=false {self.image} oci:{layout}:x && "
                  f"umoci unpack --rootless --image {layout}:x {bundle} && {write} && sync {out}")
        tool = {"squashfs": "mksquashfs", "erofs": "mkfs.erofs"}[kind]
        return Contestant(f"skopeo, umoci, {tool}", as_user(OWN, "sh", "-euc", script))

    def bytes_alone(self):
        """The image's bytes, written as the disk takes them."""
        line = f"dd if=/dev/zero of={self.place}/image.none bs=1M count={{}} conv=fsync status=none"
        return lambda megabytes: Contestant("its bytes alone", as_user(OWN, "sh", "-euc", line.format(megabytes)))

    def all(self, megabytes):
        pairs = [self.ours("erofs"), self.theirs("erofs"), self.ours("squashfs"), self.theirs("squashfs")]
        return [*pairs, self.bytes_alone()(megabytes)]

    def clear(self):
        for name in os.listdir(self.place):
            path = os.path.join(self.place, name)
            if os.path.isdir(path):
                shutil.rmtree(path)
            else:
                os.remove(path)

    def once(self, contestant, _):
        self.clear()
        return measure.timed(contestant.line)


def against(taken, ours, theirs):
    found = ratio(taken[ours], taken[theirs])
    return "**{:.2f}** ({:.2f} to {:.2f})".format(*found) if found else f"{statistics.median(taken[ours]) / statistics.median(taken[theirs]):.2f}, of few rounds"


def conversions_table(work, megabytes, taken, peaks):
    head = [f"an image of {megabytes} MB, from the registry to its file", "ms", "ours to theirs", "largest process, MiB"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    peers = {"ours, erofs": "skopeo, umoci, mkfs.erofs", "ours, squashfs": "skopeo, umoci, mksquashfs"}
    for name, times in taken.items():
        told = against(taken, name, peers[name]) if name in peers else ""
        peak = f"{peaks[name] / 1024:.0f}" if name in peaks else ""
        lines.append(f"| {name} | {cell(times)} | {told} | {peak} |")
    return "\n".join(lines) + "\n"


def conversions(gateway, registry, name, megabytes, rounds, with_memory=False):
    work = Work(gateway, registry, name)
    contestants = work.all(megabytes)
    taken = measure.in_turns(rounds, contestants, work.once)
    peaks = {}
    for contestant in contestants if with_memory else []:
        work.clear()
        peaks[contestant.name] = measure.peak_memory(contestant.line)
    work.clear()
    return conversions_table(work, megabytes, taken, peaks)


# At disk speed


def beside_the_disk(gateway, registry, megabytes, rounds):
    """The large image, gzipped and as it is, beside as many bytes that are written and nothing else: each round has a ratio, for
    disks of machines that others use are now fast and now slow."""
    alone, named = None, {}
    for name, image in (("gzipped", "large:1"), ("not compressed", "plain:1")):
        work = Work(gateway, registry, image)
        for origin, ours in (("a registry", work.ours("erofs")), ("a layout", work.ours_of_a_layout("erofs"))):
            told = f"from {origin}, one layer, {name}"
            named[told] = Contestant(told, ours.line)
        alone = work.bytes_alone()(megabytes)
    taken = measure.in_turns(rounds, [*named.values(), alone], work.once)
    peaks = {}
    for contestant in named.values():
        work.clear()
        peaks[contestant.name] = measure.peak_memory(contestant.line)
    work.clear()
    head = [f"an EROFS of {megabytes} MB, on the disk", "ms", "to its bytes alone, in each round", "largest process, MiB"]
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, times in taken.items():
        ratios = [time / bytes_alone for time, bytes_alone in zip(times, taken[alone.name])]
        told = f"**{statistics.median(ratios):.2f}** ({min(ratios):.2f} to {max(ratios):.2f})" if name in peaks else ""
        peak = f"{peaks[name] / 1024:.0f}" if name in peaks else ""
        lines.append(f"| {name} | {cell(times)} | {told} | {peak} |")
    return "\n".join(lines) + f"\n\n{rounds} rounds; median of the rounds' ratios (least and most).\n"


# Images that aren't like most


def extreme_ones(place, gateway, registry, rounds):
    works = []
    for name, make in (("holes", extremes.with_holes), ("many", extremes.of_many_files)):
        layer = make(place)
        registry.push(name, "1", layer)
        works.append((Work(gateway, registry, f"{name}:1"), layer))
    return extremes.table(works, rounds)


# The whole


def version(*line):
    said = subprocess.run(line, capture_output=True, text=True, check=False)
    return (said.stdout + said.stderr).split("\n")[0].strip()


def heading(options, load):
    programs = [version(os.path.join(options.programs, "shifter-imagegw"), "--version"), version("skopeo", "--version"),
                version("umoci", "--version"), version("mkfs.erofs", "--version"), version("mksquashfs", "-version")]
    return (f"{where()}; load {load:.1f} before, "
            f"{os.getloadavg()[0]:.1f} after. {', '.join(filter(None, programs))}.\nMedians [quartiles], and ratios of medians (90 % of "
            f"resamplings) where there are {LEAST} rounds or more.\n")


def bench(options, place, running):
    load = os.getloadavg()[0]
    registry = Registry(place)
    running.append(registry.process)
    munged = Munged(place)
    running.append(munged.process)
    layers = [Layer(os.path.join(place, f"layer-{number}"), 1) for number in range(PULLS)]
    for number, layer in enumerate(layers):
        registry.push("small", str(number), layer)
        os.remove(layer.path)
    for name, megabytes, gzipped in (("middle", options.megabytes, True), ("large", options.large, True), ("plain", options.large, False)):
        layer = Layer(os.path.join(place, name), megabytes, gzipped)
        registry.push(name, "1", layer)
        os.remove(layer.path)
    cores = sorted(os.sched_getaffinity(0))
    gateway = Gateway(place, options.programs, registry, munged, cores[-1] if len(cores) > 1 else None)
    running.append(gateway.process)
    texts = [many_pulls(gateway)]
    if len(cores) > 1:
        os.sched_setaffinity(0, cores[:-1])
    texts.insert(0, lookups_table(gateway, munged, options.lookups))
    os.sched_setaffinity(0, cores)
    texts.append(large_pull(gateway, "large:1", options.large))
    gateway.end()
    # First, for a mistake found there ends it all.
    extreme = extreme_ones(place, gateway, registry, options.extreme_rounds)
    texts.append(conversions(gateway, registry, "middle:1", options.megabytes, options.rounds))
    measure.WARM_UP = 0
    texts.append(beside_the_disk(gateway, registry, options.large, options.disk_rounds))
    texts.append(conversions(gateway, registry, "large:1", options.large, 3, with_memory=True))
    texts.append(extreme)
    return "\n".join([heading(options, load), *texts])


def main():
    options = arguments()
    if options.rounds < 2:
        sys.exit("hack/bench-gateway: --rounds must be 2 at least")
    place = tempfile.mkdtemp(prefix="opt-gateway-", dir="/var/tmp")
    os.chmod(place, 0o755)
    measure.ENVIRONMENT.update(dict.fromkeys(("HOME", "XDG_RUNTIME_DIR"), os.path.join(place, "work")))
    running = []
    try:
        text = bench(options, place, running)
        print(text)
        if options.write:
            put(options.write, text)
    finally:
        for process in running:
            process.kill()
            process.wait()
        shutil.rmtree(place)


main()
