#!/usr/bin/env bash
# Makes what is released: for each architecture an archive with the program, its man pages and the licence, the
# components that it is made of as CycloneDX, and the checksums of all of it.
#
#   release/archives.sh                 for x86_64 and arm64 Linux, into target/release-archives/
#   release/archives.sh x86_64          for one
#
# The programs run with glibc 2.34 or newer: Amazon Linux 2023, Ubuntu 22.04, Debian 12, RHEL 9. No Docker is needed. The
# same commit gives the same archives. macOS needs a Mac: `cargo install --locked --path .` with Xcode's command line tools
# makes the program there.
set -euo pipefail
cd "$(dirname "$0")/.."

[ $# -gt 0 ] || set -- x86_64 arm64
CARGO_TARGET_DIR=$(realpath -m "${CARGO_TARGET_DIR:-target}")
export CARGO_TARGET_DIR
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
out=$CARGO_TARGET_DIR/release-archives
made=$(git log -1 --format=%ct 2>/dev/null || date +%s)
rm -rf "$out"
mkdir -p "$out"

bom=$CARGO_TARGET_DIR/tools/bin/cargo-cyclonedx
[ -x "$bom" ] || cargo install --quiet --locked --debug --root "$CARGO_TARGET_DIR/tools" cargo-cyclonedx

for architecture in "$@"; do
    case "$architecture" in
        arm64) target=aarch64-unknown-linux-gnu ;;
        x86_64) target=x86_64-unknown-linux-gnu ;;
        *) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
    lambda/build.sh "$architecture"
    name=soflow-$version-linux-$architecture
    folder=$out/$name
    mkdir -p "$folder"
    cp "$CARGO_TARGET_DIR/lambda/soflow-$architecture" "$folder/soflow"
    cp LICENSE README.md CHANGELOG.md "$folder"
    # Pages are the same on all machines: the program of this one writes them.
    cargo run --quiet --locked -- man "$folder/man" >/dev/null
    tar --create --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$made" --directory "$out" "$name" \
        | gzip --no-name --best >"$out/$name.tar.gz"
    rm -r "$folder"
    SOURCE_DATE_EPOCH=$made "$bom" cyclonedx --quiet --format json --target "$target" --override-filename soflow.cdx
    mv soflow.cdx.json "$out/$name.cdx.json"
done
(cd "$out" && sha256sum soflow-* >SHA256SUMS && cat SHA256SUMS)
