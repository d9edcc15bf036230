#!/usr/bin/env bash
# Runs in the container once its services answer. The stack creates what it needs; this bucket is for
# trying things by hand.
set -euo pipefail
awslocal s3api create-bucket --bucket playground >/dev/null
echo "seeded"
