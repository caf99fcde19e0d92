"""The simulation against what can be worked out on paper."""

import dataclasses
import math
import unittest

import cases
from startup import Gateway, SharedFileSystem, Site, Start, share, simulate

FAST = SharedFileSystem(operations_a_second=1e9, bytes_a_second=1e15, bytes_a_second_of_a_node=1e15)
OPEN = Gateway(lookups_a_second=1000, connections=10**9, requests_a_minute=10**9)
NOTHING = Start(lookups=0, operations=0, bytes=0, seconds=0)


def site(**parts):
    return Site(**{"nodes": 2000, "tasks": 4, "within": 0.0, "gateway": OPEN, "file_system": FAST, **parts})


def start(**parts):
    return dataclasses.replace(NOTHING, **parts)


class OnPaper(unittest.TestCase):
    def test_a_gateway_takes_as_long_as_all_lookups_one_after_the_other(self):
        came = simulate(site(), start(lookups=1))
        self.assertAlmostEqual(came.gateway_done, 2000 / 1000, places=6)
        self.assertAlmostEqual(came.half_run, 1.0, delta=0.01)
        self.assertEqual((came.answered, came.over_the_rate, came.over_the_connections), (2000, 0, 0))

    def test_a_gateway_that_is_asked_slowly_answers_at_once(self):
        came = simulate(site(within=20.0), start(lookups=1))
        self.assertLess(came.gateway_done, 20.1)
        self.assertAlmostEqual(came.half_run, 10.0, delta=0.5)

    def test_a_user_has_a_minutes_requests_and_what_grows_back(self):
        came = simulate(site(gateway=dataclasses.replace(OPEN, requests_a_minute=600)), start(lookups=1))
        self.assertEqual((came.answered, came.over_the_rate), (600, 1400))
        self.assertEqual(came.all_run, math.inf)
        # Ten more in each of a hundred seconds, and a whole minute's besides.
        came = simulate(site(within=100.0, gateway=dataclasses.replace(OPEN, requests_a_minute=600)), start(lookups=1))
        self.assertAlmostEqual(came.answered, 600 + 1000, delta=20)

    def test_who_would_be_one_connection_too_many_is_turned_away(self):
        came = simulate(site(gateway=dataclasses.replace(OPEN, connections=512)), start(lookups=1))
        self.assertEqual((came.answered, came.over_the_connections), (512, 1488))

    def test_every_task_asks(self):
        came = simulate(site(), start(lookups=4))
        self.assertEqual(came.answered, 8000)
        self.assertAlmostEqual(came.gateway_done, 8.0, places=6)

    def test_names_are_asked_for_one_after_the_other(self):
        slow = dataclasses.replace(FAST, operations_a_second=10_000)
        came = simulate(site(file_system=slow), start(operations=10, seconds=0.5))
        self.assertAlmostEqual(came.file_system_done, 2000 * 10 / 10_000, places=6)
        self.assertAlmostEqual(came.all_run, 2.5, places=6)

    def test_bytes_take_the_file_systems_width_or_the_nodes(self):
        wide = SharedFileSystem(operations_a_second=1e9, bytes_a_second=1e9, bytes_a_second_of_a_node=1e8)
        came = simulate(site(file_system=wide), start(bytes=1e6))
        self.assertAlmostEqual(came.file_system_done, 2000 * 1e6 / 1e9, places=3)
        came = simulate(site(nodes=2, file_system=wide), start(bytes=1e6))
        self.assertAlmostEqual(came.file_system_done, 1e6 / 1e8, places=6)

    def test_who_comes_later_shares_what_is_left(self):
        width = SharedFileSystem(bytes_a_second=100, bytes_a_second_of_a_node=100)
        # Alone for a second; then two at 50 each until the first has its 150; then the second alone.
        self.assertEqual(share([0.0, 1.0], 150, width), [2.0, 3.0])
        self.assertEqual(share([0.0, 10.0], 150, width), [1.5, 11.5])


class Shown(unittest.TestCase):
    def test_a_row_for_each_case_and_the_assumptions_above(self):
        of = site(nodes=100, within=1.0)
        text = cases.tables(of)
        self.assertEqual(sum(line.startswith("| ") for line in text.splitlines()), 1 + len(cases.cases(of)))
        self.assertIn("100 nodes of 4 tasks", text)
        self.assertIn("1e+06 GB/s", text)


if __name__ == "__main__":
    unittest.main()
