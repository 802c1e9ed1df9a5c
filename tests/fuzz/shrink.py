"""A case that shows a difference, made as small as it can be while it still does."""

from dataclasses import replace

from fuzz.case import Case
from fuzz.trial import Trial

PARTS = ("legacy4", "legacy6", "nft4", "nft6", "native")


def shrunk(trial: Trial, case: Case) -> Case:
    """Fewer packets, then fewer parts, settings and routes, then fewer rules; a difference that goes away is kept."""
    shots = case.shots
    for shot in shots:
        alone = replace(case, shots=(shot,))
        if differs(trial, alone):
            case = alone
            break
    for part in PARTS:
        case = _if_differs(trial, case, replace(case, **{part: ""}))  # type: ignore[arg-type]
    for name in tuple(case.sysctls):
        rest = {key: value for key, value in case.sysctls.items() if key != name}
        case = _if_differs(trial, case, replace(case, sysctls=rest))
    for line in case.routes:
        rest_of_routes = tuple(each for each in case.routes if each != line)
        case = _if_differs(trial, case, replace(case, routes=rest_of_routes))
    for part in PARTS:
        case = _with_fewer_rules(trial, case, part)
    return case


def _with_fewer_rules(trial: Trial, case: Case, part: str) -> Case:
    number = 0
    while number < len(lines := str(getattr(case, part)).splitlines(keepends=True)):
        line = lines[number]
        fewer = case
        if line.startswith(("-A", "  ")) and " hook " not in line:
            text = "".join(lines[:number] + lines[number + 1 :])
            fewer = _if_differs(trial, case, replace(case, **{part: text}))  # type: ignore[arg-type]
        if fewer is case:
            number += 1
        case = fewer
    return case


def _if_differs(trial: Trial, case: Case, smaller: Case) -> Case:
    return smaller if smaller != case and differs(trial, smaller) else case


def differs(trial: Trial, case: Case) -> bool:
    """Whether the walk and the kernel part on it."""
    loaded = trial.load(case)
    return loaded == case and bool(trial.run(loaded))
