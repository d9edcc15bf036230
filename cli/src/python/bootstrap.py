"""Starts Lambda's runtime client for a function.

Called with the folder of the packages that sidestep brings. As on Lambda the function's own folder
comes first, then the packages that it requires. Those that sidestep brings come last, so that a
function's own version of boto3 counts.
"""

import os
import sys

root = os.environ["LAMBDA_TASK_ROOT"]
brought = sys.argv.pop(1)
here = os.path.dirname(os.path.abspath(__file__))
if sys.path and os.path.abspath(sys.path[0]) == here:
    del sys.path[0]
sys.path.insert(0, root)
if brought not in sys.path:
    sys.path.append(brought)

from awslambdaric.__main__ import main  # noqa: E402

if __name__ == "__main__":
    # The client takes the handler as an argument; the function's own code finds none.
    main([sys.argv[0], os.environ["_HANDLER"]])
