"""Who may import whom."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_layers_hold() -> None:
    """Every contract of .importlinter is kept."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": f"{ROOT}:{ROOT / 'agent'}", "PATH": "/usr/bin:/bin"},
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_client_starts_quickly_because_it_imports_little() -> None:
    """Asking for help loads neither the Kubernetes client nor the walk."""
    code = (
        "import sys; sys.argv = ['kubectl-packetpath', '--help']\n"
        "from kubectl_packetpath.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(sorted(m for m in ('kubernetes', 'yaml', 'kubectl_packetpath.walk.explore') if m in sys.modules),"
        " file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert done.stderr.strip().splitlines()[-1] == "[]"
