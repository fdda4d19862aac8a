#!/bin/sh
# Compares the contracts with those at a git ref (default: origin/main, else the
# commit before HEAD). The third-party .proto files are not committed, so the
# ref's own tree does not build alone: it is exported next to today's .protodeps
# and compared as a folder.
set -eu
cd "$(dirname "$0")/.."
ref=${1:-}
if [ -z "$ref" ]; then
	ref=HEAD^
	if git rev-parse -q --verify origin/main >/dev/null; then ref=origin/main; fi
fi
if ! base=$(git merge-base HEAD "$ref" 2>/dev/null); then
	echo "no commit to compare with"
	exit 0
fi
if ! git cat-file -e "$base:buf.yaml" 2>/dev/null; then
	echo "no contracts at $base: nothing to compare"
	exit 0
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
git archive "$base" buf.yaml proto | tar -x -C "$tmp"
cp -r .protodeps "$tmp/.protodeps"
buf breaking --against "$tmp"
