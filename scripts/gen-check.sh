#!/bin/sh
# Fails when gen/ is not what the contracts generate. Leaves the work tree alone.
set -eu
cd "$(dirname "$0")/.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
buf generate -o "$tmp"
for d in "$tmp"/gen/*; do
	diff -r "$d" "gen/$(basename "$d")" || { echo "gen/ is stale: run make generate" >&2; exit 1; }
done
