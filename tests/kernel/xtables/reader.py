"""The legacy tables of a namespace, read as plainly as can be: the kernel's two socket options."""

import base64
import ctypes
import json
import socket
import struct
import sys
from typing import Any

from kubectl_packetpath.snapshot import NetworkNamespace
from kubectl_packetpath.snapshot.xtables import LegacyTable
from testbed.netns import Namespace, succeed

GET_INFO, GET_ENTRIES = 64, 65
FAMILIES = {4: (socket.AF_INET, socket.IPPROTO_IP), 6: (socket.AF_INET6, socket.IPPROTO_IPV6)}


def _ask(asked: socket.socket, level: int, option: int, buffer: bytearray) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    length = ctypes.c_uint32(len(buffer))
    shared = (ctypes.c_char * len(buffer)).from_buffer(buffer)
    if library.getsockopt(asked.fileno(), level, option, shared, ctypes.byref(length)):
        raise OSError(ctypes.get_errno(), "getsockopt")


def read_here(family: int, table: str) -> dict[str, Any]:
    """One table of the namespace that this process is in."""
    domain, level = FAMILIES[family]
    with socket.socket(domain, socket.SOCK_RAW, socket.IPPROTO_RAW) as asked:
        info = bytearray(84)
        info[: len(table)] = table.encode()
        _ask(asked, level, GET_INFO, info)
        hooks, *offsets, _, size = struct.unpack_from("<I10III", info, 32)
        entries = bytearray(40 + size)
        entries[: len(table)] = table.encode()
        struct.pack_into("<I", entries, 32, size)
        _ask(asked, level, GET_ENTRIES, entries)
    blob = base64.b64encode(entries[40:]).decode()
    return {"family": family, "name": table, "hooks": hooks, "offsets": offsets, "blob": blob}


def read_tables(namespace: Namespace, *tables: tuple[int, str]) -> tuple[LegacyTable, ...]:
    """These tables of a namespace."""
    words = [f"{family}/{table}" for family, table in tables]
    module = "import sys; from kernel.xtables.reader import main; main(sys.argv[1:])"
    command = [
        *namespace.enter,
        "env",
        f"PYTHONPATH={':'.join(sys.path)}",
        sys.executable,
        "-c",
        module,
        *words,
    ]
    return tuple(
        LegacyTable(
            family=found["family"],
            name=found["name"],
            valid_hooks=found["hooks"],
            hook_entry=tuple(found["offsets"][:5]),
            underflow=tuple(found["offsets"][5:]),
            blob=base64.b64decode(found["blob"]),
        )
        for found in json.loads(succeed(command))
    )


def with_tables(tables: tuple[LegacyTable, ...], **sections: Any) -> NetworkNamespace:
    """A recording that holds these tables, and what else is given."""
    return NetworkNamespace(identity=1, is_host=True, legacy=tables, **sections)


def main(words: list[str]) -> None:
    """Print the tables that the words name."""
    asked = [word.split("/") for word in words]
    print(json.dumps([read_here(int(family), table) for family, table in asked]))
