"""Which functions of the walk no comparison with the kernel has reached: what rests on unit tests only.

`make coverage` runs the tests that send real packets and hands their report over; this prints what is left.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

PACKAGE = "kubectl_packetpath/walk/"


def unreached(report: dict[str, Any]) -> dict[str, list[str]]:
    """Per file: functions of which no line ran."""
    found = defaultdict(list)
    for file, figures in report["files"].items():
        for name, function in figures.get("functions", {}).items():
            if name and function["summary"]["num_statements"] and not function["executed_lines"]:
                found[file.partition(PACKAGE)[2]].append(name)
    return dict(found)


def told(report: dict[str, Any]) -> list[str]:
    """The lines to print."""
    totals = report["totals"]
    functions = [
        f for each in report["files"].values() for name, f in each.get("functions", {}).items() if name
    ]
    missed = unreached(report)
    count = sum(map(len, missed.values()))
    summary = (
        f"{totals['covered_lines']} of {totals['num_statements']} statements of the walk "
        f"({totals['percent_covered']:.1f} %) and {len(functions) - count} of {len(functions)} functions "
        "were reached by tests that compare with the kernel; not reached:"
    )
    return [summary] + [f"  {file}: {', '.join(names)}" for file, names in sorted(missed.items())]


def main() -> int:
    """Print them for the report that is named."""
    print("\n".join(told(json.loads(Path(sys.argv[1]).read_text()))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
