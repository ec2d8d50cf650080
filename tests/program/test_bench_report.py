"""How the comparison's results are judged and shown."""

import os
import sys
import unittest
import xml.dom.minidom

SOURCE = os.environ.get("POSTERN_SOURCE", os.path.join(os.path.dirname(__file__), "..", ".."))
sys.path.insert(0, os.path.join(SOURCE, "bench"))

from compare import plots, report  # noqa: E402
from compare.figures import FIGURES, Figure  # noqa: E402


def figure(**options):
    return Figure("name", "Title", "unit", None, [], **options)


class ReportTest(unittest.TestCase):
    ROWS = [("postern", 30.0, 29.0, 31.0), ("a", 10.0, 9.0, 11.0), ("b", 20.0, 19.0, 21.0)]

    def test_more_is_held_against_the_best(self):
        more = figure(goal=1.4)
        self.assertEqual(report.opponent(more, self.ROWS)[0], "b")
        self.assertEqual(report.ratio_of(more, self.ROWS), 1.5)
        self.assertTrue(report.goal_of(more, self.ROWS).endswith("yes"))

    def test_less_is_held_against_the_least(self):
        less = figure(goal=0.75, higher_is_better=False)
        self.assertEqual(report.opponent(less, self.ROWS)[0], "a")
        self.assertIn("no", report.goal_of(less, self.ROWS))

    def test_a_named_peer_and_a_limit(self):
        self.assertEqual(report.ratio_of(figure(against="a"), self.ROWS), 3.0)
        self.assertIsNone(report.ratio_of(figure(against="absent"), self.ROWS))
        self.assertIn("yes", report.goal_of(figure(limit=30, higher_is_better=False), self.ROWS))

    def test_table_names_every_peer(self):
        results = {"name": {"postern": [1.0, 3.0, 2.0], "a": [1.0]}}
        table = report.figure_table([figure(goal=1.5)], results)
        self.assertIn("| postern | a |", table)
        self.assertIn("2.00 (a)", table)

    def test_plots_are_whole_xml(self):
        chart = plots.bars("a < b", "unit", self.ROWS)
        lines = plots.curves("t", "u", {"a": [(10, 1.0), (1000, 2.0)]}, "sessions")
        for text in (chart, lines, plots.curves("t", "u", {}, "sessions")):
            self.assertEqual(xml.dom.minidom.parseString(text).documentElement.tagName, "svg")

    def test_every_figure_has_peers_and_a_name_of_its_own(self):
        names = [each.name for each in FIGURES]
        self.assertEqual(len(names), len(set(names)))


if __name__ == "__main__":
    unittest.main()
