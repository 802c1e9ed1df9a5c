"""Removes a cluster, whatever state it is in, and nothing else.

What belongs to a cluster is found by looking, not by remembering: its control groups, the namespaces with its name,
the processes inside of them, its one device, its folder. So it does not matter how the cluster ended.
"""

import shutil
import time
from pathlib import Path

from testbed.cgroups import PREFIX, groups_named, kill_quietly
from testbed.netns import FOLDER, Namespace, namespaces_named, succeed
from testbed.state import STATES, State

OWN_MOUNT_MARK = STATES / ".run-netns-was-not-mounted"


def remove(state: State) -> None:
    """End every process of a cluster, and remove all that it had."""
    namespaces = namespaces_named(f"{PREFIX}{state.name}-")
    pids = state.group.all_pids()
    state.group.kill()
    _end_visitors(state, namespaces)
    for namespace in namespaces:
        namespace.delete()
    _delete_device(f"{PREFIX}{state.name}")
    _await_burial(pids)
    state.group.remove()
    if state.folder.exists():
        shutil.rmtree(state.folder)
    _unmount_namespace_folder()
    if STATES.is_dir() and not any(STATES.iterdir()):
        STATES.rmdir()


def clusters() -> list[str]:
    """The names of all clusters that have left anything on this machine."""
    names = {path.name for path in STATES.glob("[a-z]*") if path.is_dir()}
    names |= {group.path.removeprefix(PREFIX) for group in groups_named(PREFIX)}
    return sorted(names)


def remember_namespace_folder() -> None:
    """Note, before the first namespace, whether `ip netns` will have to mount its folder.

    It mounts /run/netns on itself once, and never unmounts it.
    """
    STATES.mkdir(parents=True, exist_ok=True)
    if not FOLDER.is_mount():
        OWN_MOUNT_MARK.touch()


def _end_visitors(state: State, namespaces: list[Namespace]) -> None:
    """End processes that entered one of the cluster's network namespaces from elsewhere, such as a test's client."""
    ours = {namespace.path.stat().st_ino for namespace in namespaces}
    deadline = time.monotonic() + 10
    while visitors := [pid for pid in _all_pids() if _network_namespace(pid) in ours]:
        for pid in visitors:
            kill_quietly(pid)
        if time.monotonic() > deadline:
            raise TimeoutError(f"Processes in the namespaces of {state.name} do not end: {visitors}")
        time.sleep(0.02)


def _await_burial(pids: list[int], timeout_seconds: float = 10) -> None:
    """Wait until init has collected what we killed, so that not even a zombie is left to see."""
    deadline = time.monotonic() + timeout_seconds
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)


def _all_pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _network_namespace(pid: int) -> int | None:
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    except OSError:
        return None


def _delete_device(name: str) -> None:
    """The kernel may have removed it already, with the namespace of its other end."""
    deadline = time.monotonic() + 5
    while Path(f"/sys/class/net/{name}").exists():
        try:
            succeed(["ip", "link", "delete", name])
        except Exception:
            if time.monotonic() > deadline:
                raise


def _unmount_namespace_folder() -> None:
    if OWN_MOUNT_MARK.exists() and FOLDER.is_dir() and not any(FOLDER.iterdir()):
        succeed(["umount", str(FOLDER)])
        FOLDER.rmdir()
        OWN_MOUNT_MARK.unlink()
