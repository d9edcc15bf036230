#!/usr/bin/env bash
# Runs in the container once its services answer. The stack makes what it needs itself; this is a bucket for trying things.
set -euo pipefail
awslocal s3api create-bucket --bucket playground >/dev/null
echo "seeded"
