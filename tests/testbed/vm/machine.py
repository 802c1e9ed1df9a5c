"""The virtual machine itself: boots, runs one command over the host's own files, and goes away.

Emulation in software needs neither hardware support nor permission, and is some ten times slower than the machine.
The guest sees the host's files at their own places; whatever it changes is gone afterwards, but for the results.
"""

import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed import build, machine
from testbed.vm import kernel

RESULTS = build.cache_folder() / "vm" / "results"
"""What the last boot left: the console, the reports, and whatever tests wrote."""
NO_CODE = 125
"""The guest ended without saying how its command did."""
FIRST_IN_LINE = ("nice", "-n", "-15")
"""What runs beside it on few processors takes longer, but a guest that waits misses the deadlines of its programs."""
GUEST_SCRIPT = Path(__file__).with_name("guest.sh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command in the virtual machine ended."""

    code: int
    seconds: float
    """From power on to power off."""
    console: str
    """All that was printed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualMachine:
    """What a virtual machine is given."""

    results: Path
    """A folder that the guest writes to, at the same place as on the host."""
    memory_mib: int = 4096
    processors: int = 2

    def run(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        timeout_seconds: float = 540,
        shown: bool = False,
    ) -> Ended:
        """Boot, run a command in a folder, power off."""
        machine.check(kernel.why_not_run())
        settings = [f"{name}={value}" for name, value in (environment or {}).items()]
        line = shlex.join(["env", *settings, *command])
        self.results.mkdir(parents=True, exist_ok=True)
        (self.results / "command").write_text(f"cd {shlex.quote(str(folder))} && exec {line} </dev/null\n")
        (self.results / "code").unlink(missing_ok=True)
        console = self.results / "console.log"
        started = time.monotonic()
        with subprocess.Popen(self._qemu(console, shown), stdin=subprocess.DEVNULL) as qemu:
            try:
                qemu.wait(timeout_seconds)
            except subprocess.TimeoutExpired as late:
                said = console.read_text(errors="replace")[-3000:]
                raise TimeoutError(
                    f"The virtual machine did not end in time. It said last:\n{said}"
                ) from late
            finally:
                qemu.kill()
        code = self.results / "code"
        return Ended(
            code=int(code.read_text()) if code.exists() else NO_CODE,
            seconds=time.monotonic() - started,
            console=console.read_text(errors="replace"),
        )

    def _qemu(self, console: Path, shown: bool) -> list[str]:
        """QEMU's command line; it ends with the process that started it."""
        prepared = kernel.prepared()
        words = {"results": self.results, "guest": GUEST_SCRIPT, "modules": prepared.modules}
        append = [
            "console=ttyS0",
            "quiet",
            "panic=-1",
            "mitigations=off",
            *(f"{name}={value}" for name, value in words.items()),
        ]
        output = f"stdio,signal=off,logfile={console}" if shown else f"file,path={console}"
        share = "local,security_model=none,multidevs=remap"
        return [
            *FIRST_IN_LINE,
            *("setpriv", "--pdeathsig=KILL"),
            *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-accel", "tcg,thread=multi", "-cpu", "Nehalem"),
            *("-smp", str(self.processors), "-m", str(self.memory_mib)),
            *("-kernel", str(prepared.image), "-initrd", str(prepared.initrd), "-append", " ".join(append)),
            *("-chardev", f"{output},id=console", "-serial", "chardev:console"),
            *("-virtfs", f"{share},path=/,mount_tag=host,readonly=on"),
            *("-virtfs", f"{share},path={self.results},mount_tag=results"),
        ]
