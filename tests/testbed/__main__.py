"""`python -m testbed`: the test bed on the command line."""

import sys

from testbed.cli import main

sys.exit(main())
