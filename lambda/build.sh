#!/usr/bin/env bash
# Builds the program that the Lambda functions of a stack run: for `soflow deploy --program target/lambda/soflow-arm64`.
#
#   lambda/build.sh           for arm64, the default of `stack: architecture:`
#   lambda/build.sh x86_64    for x86_64
#
# No Docker: Zig, a package of Python, links for the glibc of Amazon Linux 2023, 2.34, whatever this machine has. The target's
# standard library is fetched by rustup, or is there already.
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-arm64}" in
    arm64) target=aarch64-unknown-linux-gnu ;;
    x86_64) target=x86_64-unknown-linux-gnu ;;
    *) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export CARGO_TARGET_DIR
out=$CARGO_TARGET_DIR/lambda
tools=$out/tools
[ -x "$tools/bin/cargo-zigbuild" ] || { python3 -m venv "$tools" && "$tools/bin/pip" install --quiet ziglang==0.17.1 cargo-zigbuild==0.24.1; }
export PATH="$tools/bin:$PATH"
[ -d "$(rustc --print sysroot)/lib/rustlib/$target" ] || rustup target add "$target"
# What is set for this machine's own processor would end the functions on others.
env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS cargo-zigbuild zigbuild --release --locked --bin soflow --target "$target.2.34"
cp "$CARGO_TARGET_DIR/$target/release/soflow" "$out/soflow-${1:-arm64}"
ls -l "$out/soflow-${1:-arm64}"
