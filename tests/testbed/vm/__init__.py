"""A virtual machine with a kernel that has what this machine's may lack; clusters run in it as they do outside."""

from testbed.vm.kernel import why_not_run
from testbed.vm.machine import Ended, VirtualMachine

__all__ = ["Ended", "VirtualMachine", "why_not_run"]
