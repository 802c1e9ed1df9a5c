"""The command line as its users meet it."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from kubectl_packetpath.cli.app import SERVICES, first_word, in_other_words
from kubectl_packetpath.cli.app import run as app_run
from kubectl_packetpath.cli.options import seconds_of
from kubectl_packetpath.cluster.ask import KINDS

ROOT = Path(__file__).parents[3]


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The program in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "kubectl_packetpath", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment},
    )


@pytest.mark.parametrize(
    "words", [["--help"], ["path", "--help"], ["packet", "-h"], ["agent", "install", "--help"]]
)
def test_help(words: list[str]) -> None:
    """On standard output, with success."""
    done = run(*words)

    assert done.returncode == 0
    assert "Usage:" in done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["web"],
        ["svc/web", "--from", "svc/other"],
        ["svc/web", "-o", "picture"],
        ["svc/web", "--no-such-option"],
        ["packet", "--dst", "10.0.0.1", "--dport", "80", "--bundle", "/nonexistent"],
        ["svc/web", "--bundle", "/nonexistent"],
    ],
)
def test_wrong_usage_ends_with_2(words: list[str]) -> None:
    """One sentence on standard error, nothing on standard output, no traceback."""
    done = run(*words)

    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["svc/web"], ["agent", "status"], ["snapshot", "save", "/tmp/x.zip"]])
def test_no_cluster_ends_with_4(words: list[str]) -> None:
    """With what to try next."""
    done = run(*words, KUBECONFIG="/nonexistent")

    assert done.returncode == 4, done.stderr
    assert "try:" in done.stderr


def test_an_interrupt_ends_it_whatever_hangs(tmp_path: Path) -> None:
    """An API server that takes connections and says nothing holds nobody at the terminal."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        file = tmp_path / "config"
        context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
        where = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.getsockname()[1]}"}}
        file.write_text(
            json.dumps(
                {
                    "current-context": "c",
                    "contexts": [context],
                    "clusters": [where],
                    "users": [{"name": "u", "user": {}}],
                }
            )
        )
        command = [sys.executable, "-m", "kubectl_packetpath", "svc/web", "--kubeconfig", str(file)]
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as program:
            try:
                server.settimeout(30)
                connection, _ = server.accept()
                program.send_signal(signal.SIGINT)
                _, said = program.communicate(timeout=10)
            finally:
                program.kill()
        connection.close()

    assert (program.returncode, said) == (130, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
def test_an_answer_that_cannot_be_written_is_not_told_as_a_loss() -> None:
    """The disk is full: Python alone would end with 1, which a script would read as a packet that is lost."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "kubectl_packetpath", "explain", "PP106"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert (done.returncode, done.stderr) == (
        3,
        "error: The answer cannot be written: No space left on device.\n",
    )


def test_a_fault_of_the_program_is_not_told_as_a_loss(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends as unknown, with where it happened."""
    monkeypatch.setattr(sys, "argv", ["kubectl-packetpath", "version"])
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # this process is not the program's
    monkeypatch.setattr("kubectl_packetpath.render.machine.JSON_SCHEMA", Faulty())

    with pytest.raises(SystemExit) as end:
        app_run()

    assert end.value.code == 3
    assert "Traceback" in capsys.readouterr().err


class Faulty:
    """What nobody thought of."""

    def __str__(self) -> str:
        """Fails."""
        raise LookupError("nobody thought of it")


def test_version() -> None:
    """Of the program and of its data."""
    assert "schemas: JSON 1" in run("version").stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("svc/web", 0),
        ("-n shop svc/web", 2),
        ("--namespace=shop svc/web", 1),
        ("--size 1400 svc/web", 2),
        ("--yes -o json agent", 3),
        ("-n agent svc/web", 2),
        ("--help", None),
    ],
)
def test_options_may_stand_before_the_target(words: str, expected: int | None) -> None:
    """As they may with kubectl."""
    assert first_word(words.split()) == expected


def test_a_service_may_stand_alone_by_each_of_its_names() -> None:
    """The names stand twice, for the one of targets would cost every start its import."""
    assert {word for word, kind in KINDS.items() if kind == "service"} == SERVICES


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("--version", "version"),
        ("help packet", "packet --help"),
        ("help", "--help"),
        ("svc web -o wide", "svc/web -o wide"),
        ("-n shop ingress shop", "-n shop ingress/shop"),
        ("gtw shop", "gtw/shop"),
        ("grpcroute shop", "grpcroute/shop"),
        ("svc -n shop", "services -n shop"),
        ("-n shop services", "services -n shop"),
        ("services web", "services/web"),
        ("svc -- web", "svc -- web"),
        ("sts web", "sts/web"),
        ("snapshot save x", "snapshot save x"),
        ("svc -n shop web", "svc -n shop web"),
        ("svc/web", "svc/web"),
        ("agent status", "agent status"),
    ],
)
def test_words_of_other_programs(words: str, expected: str) -> None:
    """What the hands know from kubectl is understood."""
    assert in_other_words(words.split()) == expected.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["explain", "pp113"], "PP113 balancer-is-not-announced: A load balancer"),
        (["explain"], "PP701  A pod's resolver"),
        (["snapshot", "show", "docs/demo.packetpath"], "targets    -n demo  svc/broken svc/empty svc/web"),
    ],
)
def test_what_is_told_without_a_cluster(words: list[str], expected: str) -> None:
    """Findings and recordings, in lines that a terminal of 80 columns holds."""
    done = run(*words)

    assert done.returncode == 0, done.stderr
    assert expected in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("explain nothing-listen", "kubectl packetpath explain nothing-listens"),
        (
            "packet --bundle docs/demo.packetpath --node node1 --from-pod demo/clint --dst 10.96.0.1 --dport 80",
            "pod/client",
        ),
        (
            "packet --bundle docs/demo.packetpath --node node2 --from-pod demo/client --dst 10.96.0.1 --dport 80",
            "--node node1",
        ),
        ("snapshot save docs", "kubectl packetpath snapshot save docs/NAME"),
    ],
)
def test_a_slip_of_the_hand_is_told_with_what_was_meant(words: str, expected: str) -> None:
    """It is wrong usage, and neither unknown nor a matter of the cluster."""
    done = run(*words.split())

    assert done.returncode == 2, done.stderr
    assert f"try: {expected}" in done.stderr or f"mean {expected}" in done.stderr


@pytest.mark.parametrize(("text", "expected"), [("20", 20.0), ("1.5s", 1.5), ("2m", 120.0), ("500ms", 0.5)])
def test_times_as_kubectl_writes_them(text: str, expected: float) -> None:
    """With their unit."""
    assert seconds_of(text) == expected
