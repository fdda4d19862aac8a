package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/fstest"
)

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestMemoryLimit(t *testing.T) {
	t.Parallel()
	const mega = 1 << 20
	for name, test := range map[string]struct {
		root fstest.MapFS
		want int64
	}{
		"nothing known": {fstest.MapFS{}, 0},
		"the machine":   {fstest.MapFS{"proc/meminfo": file("MemTotal:      4096 kB\nMemFree: 1 kB\n")}, 4 * mega},
		"a container": {fstest.MapFS{
			"proc/meminfo":             file("MemTotal: 1048576 kB\n"),
			"proc/self/cgroup":         file("0::/\n"),
			"sys/fs/cgroup/memory.max": file("536870912\n"),
		}, 512 * mega},
		"a group without a limit": {fstest.MapFS{
			"proc/meminfo":                          file("MemTotal: 1048576 kB\n"),
			"proc/self/cgroup":                      file("0::/mesh.slice/a\n"),
			"sys/fs/cgroup/mesh.slice/a/memory.max": file("max\n"),
		}, 1024 * mega},
		"a limit above": {fstest.MapFS{
			"proc/meminfo":                          file("MemTotal: 1048576 kB\n"),
			"proc/self/cgroup":                      file("0::/mesh.slice/a\n"),
			"sys/fs/cgroup/mesh.slice/a/memory.max": file("max\n"),
			"sys/fs/cgroup/mesh.slice/memory.max":   file("134217728\n"),
		}, 128 * mega},
		"the first version": {fstest.MapFS{
			"proc/meminfo":     file("MemTotal: 1048576 kB\n"),
			"proc/self/cgroup": file("5:cpu:/x\n4:memory:/x\n0::/\n"),
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": file("268435456\n"),
			"sys/fs/cgroup/memory/memory.limit_in_bytes":   file("9223372036854771712\n"),
		}, 256 * mega},
		"what nobody writes": {fstest.MapFS{
			"proc/meminfo": file("MemTotal:\n"), "proc/self/cgroup": file("0\n::\nx:memory\n"),
		}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := memoryLimit(test.root); got != test.want {
				t.Fatalf("memoryLimit = %d, want %d", got, test.want)
			}
		})
	}
}

func TestGrowth(t *testing.T) {
	t.Parallel()
	const mega = 1 << 20
	for _, test := range []struct {
		kept, beside, rate, before uint64
		want                       int
	}{
		{0, 0, 0, 0, collectAt},
		{24 * mega, 0, 1000 * mega, 0, collectAt},
		{30 * mega, 0, 0, 0, 100},                 // no sooner than a smaller heap
		{40 * mega, 20 * mega, 0, 0, 34},          // 20 MB to the edge
		{80 * mega, 0, 64 * mega, 200 * mega, 40}, // what it takes in half a second
		{80 * mega, 20 * mega, 1000 * mega, 200 * mega, 64},
		{80 * mega, 0, mega, 200 * mega, collectLeast},
		{4096 * mega, 0, 1000 * mega, 8192 * mega, collectLeast},
		{80 * mega, 0, 1000 * mega, 110 * mega, 38},           // as large as it was
		{80 * mega, 20 * mega, 1000 * mega, 84 * mega, 16},    // a step more
		{1024 * mega, 0, 1000 * mega, 1000 * mega, stepLeast}, // which is larger for a larger heap
	} {
		got, size := growth(test.kept, test.beside, test.rate, test.before)
		if got != test.want {
			t.Errorf("%+v: %d %%", test, got)
		}
		if test.kept > smallHeap && size < max(test.before, test.kept) {
			t.Errorf("%+v: a size of %d", test, size)
		}
	}
}

// Each collection is told of.
func TestCollectionsAreTold(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	collected := make(chan struct{}, 1)
	tellCollections(ctx, collected)
	for range 3 {
		runtime.GC()
		<-collected
	}
}

// The limits are the process's: this test is not parallel.
func TestTuneMemoryLeavesTheUsersChoice(t *testing.T) {
	root := fstest.MapFS{"proc/meminfo": file("MemTotal: 1048576 kB\n")}
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	defer func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) }()
	set := func(env map[string]string, root fstest.MapFS) (int, int64) {
		debug.SetGCPercent(100)
		debug.SetMemoryLimit(1 << 40)
		tuneMemory(func(key string) string { return env[key] }, root)
		return debug.SetGCPercent(100), debug.SetMemoryLimit(-1)
	}
	if percent, limit := set(nil, root); percent != collectAt || limit != (1<<30)/100*memoryShare {
		t.Errorf("by default: %d %%, %d bytes", percent, limit)
	}
	if percent, limit := set(map[string]string{"GOGC": "50", "GOMEMLIMIT": "1GiB"}, root); percent != 100 || limit != 1<<40 {
		t.Errorf("both set: %d %%, %d bytes: the user's choice was changed", percent, limit)
	}
	if percent, limit := set(map[string]string{"GOMEMLIMIT": "1GiB"}, root); percent != collectAt || limit != 1<<40 {
		t.Errorf("a limit set: %d %%, %d bytes", percent, limit)
	}
	if percent, limit := set(nil, fstest.MapFS{}); percent != 100 || limit != 1<<40 {
		t.Errorf("nothing known: %d %%, %d bytes", percent, limit)
	}
}
