"""What is measured: one function a row or a few that are taken together."""

import itertools
import os
import subprocess
import time

from measure import in_turns, peak_memory, spawn, timed, together

COUNTER = itertools.count()
AT_ONCE = (1, 2, 8)


def a_name():
    return f"opt-bench-{os.getpid()}-{next(COUNTER)}"


def run_true(rounds, contestants, bundle):
    """`run /bin/true` from beginning to end."""
    return in_turns(rounds, contestants, lambda it, _: timed(it.run(bundle, a_name())))


def whole_cycle(rounds, runtimes, bundle):
    """create, start, delete --force, as three programs."""
    def once(runtime, _):
        name = a_name()
        steps = (runtime.create(bundle, name), runtime.start(name), runtime.force(name))
        return sum(timed(step) for step in steps)
    return in_turns(rounds, runtimes, once)


def each_command(rounds, runtimes, bundle):
    """`{command: {runtime: [milliseconds]}}`, of one container's life."""
    def once(runtime, _):
        name = a_name()
        lines = {"create": runtime.create(bundle, name), "start": runtime.start(name), "state": runtime.state(name),
                 "exec": runtime.exec(name, "/bin/true"), "kill": runtime.kill(name)}
        took = {command: timed(line) for command, line in lines.items()}
        wait_stopped(runtime, name)
        return took | {"delete": timed(runtime.delete(name))}

    lives = in_turns(rounds, runtimes, once)
    commands = next(iter(lives.values()))[0]
    return {command: {name: [life[command] for life in list_] for name, list_ in lives.items()} for command in commands}


def memory_of_create(rounds, runtimes, bundle):
    """KiB."""
    def once(runtime, _):
        name = a_name()
        peak = peak_memory(runtime.create(bundle, name))
        timed(runtime.force(name))
        return peak
    return in_turns(rounds, runtimes, once)


def wait_stopped(runtime, name):
    for _ in range(500):
        state = subprocess.run(runtime.state(name), check=True, capture_output=True, text=True)
        if '"stopped"' in state.stdout:
            return
        time.sleep(0.002)


def a_second(rounds, runtimes, bundle):
    """`{how many at once: {runtime: [containers a second]}}`."""
    def once(count):
        return lambda runtime, _: count / together([runtime.run(bundle, a_name()) for _ in range(count)])
    return {count: in_turns(rounds, runtimes, once(count)) for count in AT_ONCE}


def beside(rounds, runtimes, bundle, count):
    """The whole cycle with `count` containers there already, made by each runtime for itself."""
    names = {runtime.name: [a_name() for _ in range(count)] for runtime in runtimes}
    try:
        for runtime in runtimes:
            for name in names[runtime.name]:
                timed(runtime.create(bundle, name))
        return whole_cycle(rounds, runtimes, bundle)
    finally:
        for runtime in runtimes:
            for name in names[runtime.name]:
                os.waitpid(spawn(runtime.force(name)), 0)
