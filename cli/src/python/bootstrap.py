"""Starts Lambda's runtime client for a function, as Lambda starts it.

Called with the folder of the packages that sidestep brings. As on Lambda the function's own folder
comes first, then the packages that it requires. Those that sidestep brings come last, so that a
function's own version of boto3 counts.
"""

import http.client
import os
import sys

root = os.environ["LAMBDA_TASK_ROOT"]
brought = sys.argv[1]
here = os.path.dirname(os.path.abspath(__file__))
if sys.path and os.path.abspath(sys.path[0]) == here:
    del sys.path[0]
sys.path.insert(0, root)
if brought not in sys.path:
    sys.path.append(brought)
# `argparse` in a function finds no arguments.
sys.argv = ["/var/runtime/bootstrap.py"]

from awslambdaric import bootstrap  # noqa: E402
from awslambdaric.lambda_runtime_client import LambdaRuntimeClient  # noqa: E402
from awslambdaric.lambda_runtime_marshaller import to_json  # noqa: E402


def text(value):
    """Returns text that can be sent: a lone surrogate is shown as its escape."""
    return value.encode("utf-8", "backslashreplace").decode()


class Client(LambdaRuntimeClient):
    """Reports errors whose texts are no Unicode or are long, so that they keep their types."""

    def post_invocation_error(self, invoke_id, error, xray_fault, *rest):
        # The cause for X-Ray is a header, and nothing reads it here.
        super().post_invocation_error(invoke_id, text(error), "", *rest)

    def post_init_error(self, error, error_type_override=None):
        kind = error_type_override or error["errorType"]
        connection = http.client.HTTPConnection(self.lambda_runtime_address)
        headers = {"Lambda-Runtime-Function-Error-Type": text(kind).encode("utf-8")}
        body = text(to_json(error)).encode("utf-8")
        connection.request("POST", "/2018-06-01/runtime/init/error", body, headers)
        connection.getresponse().read()


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")
    bootstrap.run(os.environ["_HANDLER"], Client(os.environ["AWS_LAMBDA_RUNTIME_API"]))
