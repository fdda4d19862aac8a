#!/bin/sh
# Runs the Go benchmarks of packages of this tree and of the commit REF, and
# compares them with benchstat: bench-diff.sh REF PACKAGE...
# Both trees' programs of a package run by turns, six times each, and every other
# time in the other order: a machine that slows down or speeds up meanwhile does
# so for both. A package that only one tree has, or that does not build there, is
# named and left out.
set -eu
cd "$(dirname "$0")/.."
ref=$1
shift
tmp=$(mktemp -d)
cleanup() { git worktree remove --force "$tmp/before" || true; rm -rf "$tmp"; }
trap cleanup EXIT
git worktree prune
git worktree add -q --detach "$tmp/before" "$ref"

run() { # run SIDE TREE FOLDER
	(cd "$2/$3" && "$tmp/$1.test" -test.run '^$' -test.bench . -test.benchmem -test.benchtime 100ms) >>"$tmp/$1.txt" 2>&1 ||
		echo "$3: a benchmark fails ($1)" >&2
}
root=$PWD
for folder in $(go list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.Dir}}{{end}}' "$@" | sed "s|^$root/||"); do
	grep -qs '^func Benchmark' "$folder"/*_test.go || continue
	if ! (cd "$tmp/before" && go test -vet=off -c -o "$tmp/before.test" "./$folder") 2>/dev/null ||
		! go test -vet=off -c -o "$tmp/after.test" "./$folder"; then
		echo "$folder: only one of the trees builds its benchmarks" >&2
		continue
	fi
	for round in 1 2 3; do
		run before "$tmp/before" "$folder"
		run after "$root" "$folder"
		run after "$root" "$folder"
		run before "$tmp/before" "$folder"
	done
done
mkdir -p bin
cp "$tmp/before.txt" "$tmp/after.txt" bin/
go run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da "before=$tmp/before.txt" "after=$tmp/after.txt"
