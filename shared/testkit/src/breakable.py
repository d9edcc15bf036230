"""MiniStack that fails on demand. Each line of the file BREAKS is `create ID`, `update ID` or `delete ID`; `update ID 2` lets one update pass."""

import collections
import os
import sys

from ministack.app import main
from ministack.services.cloudformation import stacks

COUNTS = collections.Counter()


def breaks(kind, logical_id):
    with open(os.environ["BREAKS"]) as file:
        wanted = [line.split() for line in file.read().splitlines() if line.strip()]
    for line in wanted:
        if line[:2] == [kind, logical_id]:
            COUNTS[kind, logical_id] += 1
            if COUNTS[kind, logical_id] >= int((line + ["1"])[2]):
                raise ValueError(f"{logical_id} fails because the test says so")


def breakable(kind, real, position):
    def call(*arguments):
        logical_id = arguments[position] if len(arguments) > position else None
        is_same = kind == "update" and arguments[2] == arguments[3]
        if logical_id and not is_same:
            breaks(kind, logical_id)
        return real(*arguments)

    return call


def no_conflict_with_itself(real):
    """MiniStack counts a bucket that it imports as one whose name is taken. Only names that are texts are imported."""

    def call(resources, *arguments):
        def is_import(error):
            name = (resources[error[0]].get("Properties") or {}).get("BucketName")
            return error[2] == "NAME_CONFLICT_VALIDATION" and isinstance(name, str)

        return [error for error in real(resources, *arguments) if not is_import(error)]

    return call


stacks._validation_errors = no_conflict_with_itself(stacks._validation_errors)
stacks._provision_resource = breakable("create", stacks._provision_resource, 1)
stacks._delete_resource = breakable("delete", stacks._delete_resource, 4)
stacks._update_resource = breakable("update", stacks._update_resource, 5)
sys.argv = ["ministack"]
main()
