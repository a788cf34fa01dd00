"""What the Python scripts beside it share: named checks, and their count."""

import sys
import traceback
from contextlib import contextmanager

PASSED, FAILED = [], []


@contextmanager
def check(name):
    """One check. What fails is told and counted, and the script goes on: a later check may not need it."""
    try:
        yield
    except Exception:
        FAILED.append(name)
        told = traceback.format_exc(limit=-2).strip().splitlines()
        print(f"FAILED  {name}\n" + "\n".join(f"        {line}" for line in told[-12:]), flush=True)
    else:
        PASSED.append(name)
        print(f"ok      {name}", flush=True)


def finish():
    """The last call of a script: prints the counts and exits, 0 when every check passed."""
    print(f"{len(PASSED)} passed, {len(FAILED)} failed", flush=True)
    sys.exit(1 if FAILED else 0)
