#!/usr/bin/env bash
# train.sh FILE [--out MODEL]: makes the environment that training needs, once, and learns the sentiment model in it.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
venv="$here/../.soflow/training"
if ! cmp -s "$here/requirements.lock" "$venv/requirements.lock"; then
    rm -rf "$venv"
    python3.11 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$here/requirements.lock"
    cp "$here/requirements.lock" "$venv/requirements.lock"
fi
exec "$venv/bin/python" "$here/train.py" "$@"
