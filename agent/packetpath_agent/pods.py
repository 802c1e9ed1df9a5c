"""Whose network namespace it is, as far as the node itself can tell.

The control group names the pod's uid, and so does the hosts file that the kubelet mounts into its containers;
the cache of the CNI library names those in which no process runs.

Kernel: cgroups(7), proc_pid_mountinfo(5)
"""

import json
import re
from pathlib import Path
from typing import Any

from kubectl_packetpath.snapshot import PodReference
from packetpath_agent import files
from packetpath_agent.netns import Found

_CGROUP = re.compile(
    r"/(?:kubepods[^/]*-)?pod([0-9a-fA-F]{8}[-_][0-9a-fA-F_-]{27}|[0-9a-f]{32})(?:\.slice)?(?:/|$)",
    re.MULTILINE,
)
_HOSTS = re.compile(r"/pods/([0-9a-fA-F-]{32,36})/etc-hosts$")
MOST_PROCESSES = 16
"""Of one namespace that are looked at: any container of the pod would do."""
CACHE = "var/lib/cni/results"


def pod_of(found: Found) -> PodReference | None:
    """The pod that a namespace belongs to."""
    for pid in found.pids[:MOST_PROCESSES] or ((found.pid,) if found.pid is not None else ()):
        uid = _by_control_group(pid) or _by_hosts_file(pid)
        if uid:
            return PodReference(uid=uid)
    return _by_cache(found.name) if found.name else None


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _by_control_group(pid: int) -> str:
    match = _CGROUP.search(_text(Path(f"/proc/{pid}/cgroup")))
    return match[1].replace("_", "-") if match else ""


def _by_hosts_file(pid: int) -> str:
    """By the file that stands at /etc/hosts: the kubelet's own mounts stand elsewhere in the host's view."""
    for line in _text(Path(f"/proc/{pid}/mountinfo")).splitlines():
        fields = line.split(" ")
        if len(fields) > 4 and fields[4] == "/etc/hosts" and (match := _HOSTS.search(fields[3])):
            return match[1]
    return ""


def _by_cache(name: str) -> PodReference | None:
    folder = files.on_host(CACHE)
    try:
        entries = sorted(path for path in folder.iterdir() if path.is_file())
    except OSError:
        return None
    for entry in entries:
        cached = _parsed(entry)
        if cached.get("netns", "").rpartition("/")[2] == name:
            given = dict(pair for pair in cached.get("cniArgs") or () if len(pair) == 2)
            return PodReference(
                uid=given.get("K8S_POD_UID", ""),
                namespace=given.get("K8S_POD_NAMESPACE", ""),
                name=given.get("K8S_POD_NAME", ""),
            )
    return None


def _parsed(entry: Path) -> dict[str, Any]:
    try:
        cached = json.loads(files.inside(str(entry.parent), entry.name))
    except (OSError, ValueError):
        return {}
    return cached if isinstance(cached, dict) else {}
