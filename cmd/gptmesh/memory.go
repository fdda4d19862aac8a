package main

import (
	"context"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// collectAt is the growth of a small heap, in percent, after which garbage is
// collected. A mesh keeps little and allocates much; but memory that is touched
// for the first time in a while is dearer than collecting is, so that more is
// slower, too.
const collectAt = 150

// A heap that keeps more than smallHeap, as that of thousands of streams, grows
// by what it takes in the time of roomFor, within these bounds: many streams keep
// much and make little garbage, and need no more room for it than few. collectLeast
// is the least growth in percent: collecting costs by what is kept. Where that were
// larger than the heap has ever been, as when thousands of streams begin or end at
// once, it grows by less: what it has had is there for its garbage, and more is taken
// in steps.
const (
	smallHeap            = 24 << 20
	roomFor              = 500 * time.Millisecond
	leastRoom, mostRoom  = 12 << 20, 64 << 20
	collectLeast         = 16
	leastStep, stepLeast = 16 << 20, 8
)

// sampleEach is how many bytes are allocated, on average, from one sample of the
// profile of allocations to the next. A sample unwinds a stack, which in this
// program is deep: at the runtime's own 512 KB that is 0.7 percent of the CPU.
const sampleEach = 2 << 20

// sampleAllocations sets that, unless GODEBUG says something else. It must come
// before all goroutines.
func sampleAllocations() {
	const own = 512 << 10
	if runtime.MemProfileRate == own && !strings.Contains(os.Getenv("GODEBUG"), "memprofilerate=") {
		runtime.MemProfileRate = sampleEach
	}
}

// growth is the growth in percent for a heap that keeps so many bytes, beside
// which so many of stacks and the like are counted, takes so many in a second, and
// was to become so large before. size is how large it may become.
func growth(kept, beside, rate, before uint64) (percent int, size uint64) {
	if kept <= smallHeap {
		return collectAt, before
	}
	room := min(max(uint64(float64(rate)*roomFor.Seconds()), leastRoom), mostRoom)
	room = max(room, (kept+beside)*collectLeast/100)
	// A heap that keeps more is not to be collected at a smaller size.
	edge := max(uint64(smallHeap*(100+collectAt)/100), kept)
	room = max(room, edge-kept)
	if before = max(before, edge); kept+room > before {
		room = min(room, max(before-kept, leastStep, (kept+beside)*stepLeast/100))
	}
	percent = int(min((room*100+kept+beside-1)/(kept+beside), collectAt))
	return percent, max(before, kept+(kept+beside)*uint64(percent)/100)
}

// followHeap sets the growth to what suits the heap, after each collection, until
// ctx ends.
func followHeap(ctx context.Context) {
	collected := make(chan struct{}, 1)
	tellCollections(ctx, collected)
	const kept, stacks, globals, taken = 0, 1, 2, 3
	seen := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	last, before, size := time.Now(), uint64(0), uint64(0)
	for now := collectAt; ; {
		select {
		case <-collected:
		case <-ctx.Done():
			return
		}
		metrics.Read(seen)
		for _, sample := range seen {
			if sample.Value.Kind() != metrics.KindUint64 {
				return
			}
		}
		elapsed := max(time.Since(last), time.Millisecond)
		rate := uint64(float64(seen[taken].Value.Uint64()-before) / elapsed.Seconds())
		last, before = last.Add(elapsed), seen[taken].Value.Uint64()
		var want int
		want, size = growth(seen[kept].Value.Uint64(), seen[stacks].Value.Uint64()+seen[globals].Value.Uint64(), rate, size)
		// Each change stops the process for a moment.
		if want-now > now/8 || now-want > now/8 {
			now = want
			debug.SetGCPercent(now)
		}
	}
}

// tellCollections signals each collection until ctx ends.
func tellCollections(ctx context.Context, collected chan<- struct{}) {
	type garbage [32]byte
	var found func(*garbage)
	found = func(g *garbage) {
		select {
		case collected <- struct{}{}:
		default:
		}
		if ctx.Err() == nil {
			runtime.SetFinalizer(g, found) // found again by the next one
		}
	}
	runtime.SetFinalizer(new(garbage), found)
}

// memoryShare is how much of the memory there is the Go heap may take before
// garbage is collected more eagerly, in percent. The rest is for SQLite's pages
// and goroutine stacks of the system.
const memoryShare = 80

// tuneMemory sets the garbage collector's two limits, each unless the user has
// set its environment variable. It says whether the growth is its own to follow.
func tuneMemory(getenv func(string) string, root fs.FS) (follow bool) {
	limit := memoryLimit(root)
	if getenv("GOMEMLIMIT") == "" && limit > 0 {
		debug.SetMemoryLimit(limit / 100 * memoryShare)
	}
	// Without a limit a heap that is large for good could grow to five times
	// its size and past the machine's memory.
	if getenv("GOGC") == "" && (limit > 0 || getenv("GOMEMLIMIT") != "") {
		debug.SetGCPercent(collectAt)
		return true
	}
	return false
}

// memoryLimit is the memory that this process may use, in bytes: the least of
// the machine's and of the limits of its control groups. 0 where neither is
// known. root is the root of the file system.
func memoryLimit(root fs.FS) int64 {
	least := int64(math.MaxInt64)
	add := func(bytes int64) {
		if bytes > 0 {
			least = min(least, bytes)
		}
	}
	add(machineMemory(root))
	for _, group := range controlGroups(root) {
		// A limit binds all groups below it.
		for dir := group.path; ; dir = path.Dir(dir) {
			text, err := fs.ReadFile(root, path.Join(group.mount, dir, group.file))
			if err == nil {
				n, _ := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64) // "max" is none
				add(n)
			}
			if dir == "/" || dir == "." {
				break
			}
		}
	}
	if least == math.MaxInt64 {
		return 0
	}
	return least
}

type controlGroup struct{ mount, path, file string }

// controlGroups are the groups of this process that can limit memory, of either
// version.
func controlGroups(root fs.FS) []controlGroup {
	text, err := fs.ReadFile(root, "proc/self/cgroup")
	if err != nil {
		return nil
	}
	var groups []controlGroup
	for line := range strings.Lines(string(text)) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(fields) != 3:
		case fields[1] == "":
			groups = append(groups, controlGroup{"sys/fs/cgroup", fields[2], "memory.max"})
		case fields[1] == "memory":
			groups = append(groups, controlGroup{"sys/fs/cgroup/memory", fields[2], "memory.limit_in_bytes"})
		}
	}
	return groups
}

// machineMemory is the memory of the machine, in bytes; 0 where it is not known.
func machineMemory(root fs.FS) int64 {
	text, err := fs.ReadFile(root, "proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "MemTotal:"); ok {
			if fields := strings.Fields(rest); len(fields) > 0 {
				n, _ := strconv.ParseInt(fields[0], 10, 64)
				return n << 10
			}
		}
	}
	return 0
}

// machine is the file system that tells about this machine.
func machine() fs.FS { return os.DirFS("/") }
