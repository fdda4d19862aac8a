package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gptmesh/gptmesh/pkg/pgtest"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 && args[0] == "mock" {
		return serveMock(args[1])
	}
	if len(args) == 3 && args[0] == "floor" {
		return serveFloor(args[1], args[2])
	}
	if len(args) == 3 && args[0] == "fast" {
		return serveFast(args[1], args[2])
	}
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	binary := flags.String("gptmesh", "bin/gptmesh", "the program to measure")
	before := flags.String("before", "", "another gptmesh, to be measured in the same rounds")
	rounds := flags.Int("rounds", 5, "rounds of each scenario")
	length := flags.Duration("duration", 3*time.Second, "length of a round")
	only := flags.String("only", "", "scenarios whose name contains this")
	all := flags.Bool("all", false, "every scenario of the matrix, not only the short list")
	file := flags.String("config", "", "a file with the configuration of the program; that of -before has none")
	shape := flags.String("shape", "up", "the mesh's processes: up, lean or full")
	thin := flags.Bool("thin", false, "with a split shape: one processor for each process without the gateway")
	database := flags.String("database", "", "a PostgreSQL to keep rows in; empty means the embedded stores")
	sessions := flags.Bool("sessions", false, "keep each turn in a session")
	face := flags.String("face", "chat", "how the mesh is asked: chat, or messages or ollama, which it translates into the provider's wire and back")
	wire := flags.String("provider", "openai", "the wire of the mesh's provider: openai, or anthropic, gemini or ollama")
	soaking := flags.Duration("soak", 0, "put mixed load on the mesh for so long and look at its memory, and measure nothing else")
	growing := flags.String("growth", "", "print how the cost of a turn grows with these, with commas between, and measure nothing else: all, cores, sessions, rows, keys, providers")
	most := flags.Int("rows", 1_000_000, "with -growth rows: the largest tables")
	vital := flags.Bool("vitals", false, "print the program's size, its time to ready and its idle memory too")
	durable := flags.Bool("postgres", false, "keep rows in a throw-away PostgreSQL that flushes what it commits")
	profiles := flags.String("profiles", "", "write profiles of CPU and allocations of each scenario into this folder, and measure nothing else")
	if err := flags.Parse(args); err != nil {
		return err
	}
	p := plan{
		binary: *binary, before: *before, rounds: *rounds, length: *length, only: *only, profiles: *profiles,
		all: *all, shape: *shape, thin: *thin, database: *database, sessions: *sessions,
		vitals: *vital, config: *file,
	}
	var err error
	if p.face, err = faceOf(*face); err != nil {
		return err
	}
	if p.provider, err = dialectOf(*wire); err != nil {
		return err
	}
	if *durable {
		// As a server is set up by itself, but for its cache.
		server, err := pgtest.Start(context.Background(), "fsync=on", "synchronous_commit=on", "full_page_writes=on", "autovacuum=on", "shared_buffers=256MB", "max_wal_size=4GB")
		if err != nil {
			return err
		}
		defer server.Stop()
		p.database = server.URL()
	}
	if *growing != "" {
		return climb(p, *growing, *most)
	}
	if *soaking > 0 {
		return soak(p, *soaking)
	}
	return measure(p)
}

// plan is what one run does.
type plan struct {
	binary   string
	before   string // empty for none
	rounds   int
	length   time.Duration
	only     string
	profiles string
	all      bool
	shape    string
	thin     bool   // GOMAXPROCS=1 for processes without the gateway
	database string // empty means the embedded stores
	sessions bool
	face     face
	provider string // a dialect; empty means OpenAI's
	vitals   bool   // print what the program takes before it has done anything

	environment []string // more variables of the mesh
	config      string   // file with its configuration; empty for none
	withoutKey  bool     // the configuration has the clients' keys
}

// scripted says that the provider finds what it is to do in the messages.
func (p plan) scripted() bool { return p.provider != "" && p.provider != "openai" }

func scenarios(p plan) []scenario {
	json := func(kilobytes, connections int) scenario {
		return scenario{
			name: fmt.Sprintf("json %dKB x%d", kilobytes, connections), connections: connections, duration: p.length,
			promptBytes: kilobytes << 10, script: "?size=1300", sessions: p.sessions, face: p.face, scripted: p.scripted(),
		}
	}
	sse := func(name, gap string, connections int) scenario {
		return scenario{
			name: fmt.Sprintf("sse %s x%d", name, connections), stream: true, connections: connections, duration: p.length, promptBytes: 1 << 10,
			script: "?tokens=200&gap=" + gap, tokens: 200, sessions: p.sessions, face: p.face, scripted: p.scripted(),
		}
	}
	// A service at work: as many streams as ever, of which some begin and some end.
	spread := func(s scenario, tokens int, each time.Duration) scenario {
		s.name, s.tokens, s.spread = s.name+" spread", tokens, each
		s.script = strings.Replace(s.script, "tokens=200", fmt.Sprintf("tokens=%d", tokens), 1)
		s.duration = s.spread + max(p.length, each)
		return s
	}
	// Longer than a row may wait for its turn's end: see docs/adr/0008.
	slow := json(4, 64)
	slow.name, slow.script = "json 4KB slow x64", slow.script+"&first=200ms"
	// As much is answered as is asked.
	long := json(4, 64)
	long.name, long.script = "json 4KB long x64", "?size=4096"
	// A turn of a coding agent: a prompt, its tools and what was said before.
	agent := sse("agent burst", "0s", 32)
	agent.promptBytes, agent.tools, agent.history = 8<<10, 16, 40
	// Requests begin by the clock, whatever became of those before.
	constant := json(4, 64)
	constant.name, constant.rate = "json 4KB 200/s", 200
	list := []scenario{
		json(1, 1), json(4, 1), json(4, 64), json(64, 32), long, slow, constant,
		sse("burst", "0s", 32), sse("5ms", "5ms", 32), sse("20ms", "20ms", 256), agent,
		spread(sse("20ms", "20ms", 256), 200, 4*time.Second),
	}
	if !p.all {
		return list
	}
	for _, kilobytes := range []int{1, 4, 64} {
		for _, connections := range []int{1, 32, 256} {
			if s := json(kilobytes, connections); !slices.ContainsFunc(list, func(other scenario) bool { return other.name == s.name }) {
				list = append(list, s)
			}
		}
	}
	return append(list, sse("burst", "0s", 256), sse("20ms", "20ms", 32), sse("100ms", "100ms", 2000),
		spread(sse("100ms", "100ms", 2000), 100, 10*time.Second))
}

func measure(p plan) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	mock, err := spawn("mock", self, "mock", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer mock.stop()
	upstream := "http://" + mock.address
	floor, err := spawn("floor", self, "floor", "127.0.0.1:0", upstream)
	if err != nil {
		return err
	}
	defer floor.stop()
	fast, err := spawn("fasthttp", self, "fast", "127.0.0.1:0", upstream)
	if err != nil {
		return err
	}
	defer fast.stop()
	data, err := os.MkdirTemp("", "gptmesh-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	if p.vitals {
		if err := vitals(p, upstream); err != nil {
			return err
		}
	}
	mesh, err := spawnMesh(p, p.binary, upstream, data)
	if err != nil {
		return err
	}
	defer mesh.stop()
	programs := []*process{mock, floor, fast, mesh}
	server, err := openDatabase(p.database)
	if err != nil {
		return err
	}
	defer server.close()
	if p.before != "" {
		older, err := os.MkdirTemp("", "gptmesh-load-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(older)
		plain := p
		plain.config = ""
		if p.database != "" {
			if plain.database, err = newDatabase(p.database, "before"); err != nil {
				return err
			}
		}
		before, err := spawnMesh(plain, p.before, upstream, older)
		if err != nil {
			return err
		}
		defer before.stop()
		before.name = "before"
		programs = append(programs, before)
	}

	fmt.Printf("%s, GOMAXPROCS %d, %s; shape %s, thin %t, sessions %t, PostgreSQL %t; idle memory of gptmesh: %.1f MB\n\n", time.Now().Format(time.DateOnly),
		runtime.GOMAXPROCS(0), loadAverage(), p.shape, p.thin, p.sessions, p.database != "", float64(mesh.memory())/(1<<20))
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "scenario\tof\treq/s\tCPU/req\tCPU/event\tp50\tp99\tfirst p50\tfirst p99\tevent p99\tpeak MB\tallocs/req\tKB/req\twrites/req\twrites/commit\t")
	for _, s := range scenarios(p) {
		if !strings.Contains(s.name, p.only) {
			continue
		}
		if p.profiles != "" {
			if err := profile(s, mesh, p.profiles); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			continue
		}
		if err := compare(w, s, p.rounds, programs, server); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		w.Flush()
	}
	return nil
}

// loadAverage tells how busy the machine is with other work.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "load unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return "load " + first
}

// profile runs a scenario against the mesh while its CPU and its allocations are
// sampled.
func profile(s scenario, mesh *process, folder string) error {
	name := filepath.Join(folder, s.file())
	sampled := make(chan error, 2)
	go func() { sampled <- mesh.profile("profile", s.duration, name+".pprof") }()
	go func() { sampled <- mesh.profile("allocs", s.duration, name+".allocs.pprof") }()
	_, err := load(context.Background(), s, mesh)
	fmt.Println(name+".pprof", name+".allocs.pprof")
	return errors.Join(err, <-sampled, <-sampled)
}

// file is the scenario's name as that of a file.
func (s scenario) file() string {
	return strings.NewReplacer(" ", "-", "/", "-per-").Replace(s.name)
}

// meshes is where meshes begin among the programs: behind the provider itself,
// the floor and the other proxy.
const meshes = 3

// compare runs a scenario against each program in turn, round by round, and
// prints medians, those of a mesh also as ratios to the floor's.
func compare(w *tabwriter.Writer, s scenario, rounds int, programs []*process, server *database) error {
	results := make([][]*result, len(programs))
	for round := range rounds {
		for j := range programs {
			// Who comes behind whom makes some percent: every other round goes backwards.
			i := j
			if round%2 == 1 {
				i = len(programs) - 1 - j
			}
			p := programs[i]
			var before served
			if i >= meshes {
				before = server.served()
			}
			r, err := load(context.Background(), s, p)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			if i >= meshes {
				r.served = server.served().minus(before)
			}
			results[i] = append(results[i], r)
		}
	}
	for i, p := range programs {
		name := p.name
		if i == 0 {
			name = "direct" // no proxy between
		}
		row(w, s.name, name, results[i])
	}
	for i, mesh := range results[meshes:] {
		added := func(q float64, of func(*result) *histogram) time.Duration {
			quantile := func(r *result) float64 { return float64(of(r).quantile(q)) }
			return time.Duration(median(mesh, quantile) - median(results[0], quantile)).Round(100 * time.Nanosecond)
		}
		total, first, event := func(r *result) *histogram { return r.total }, func(r *result) *histogram { return r.first }, func(r *result) *histogram { return r.event }
		fmt.Fprintf(w, "%s\t%s added\t\t\t\t%v\t%v\t%v\t%v\t%v\t\t\t\t\t\t\n", s.name, programs[i+meshes].name,
			added(0.5, total), added(0.99, total), added(0.5, first), added(0.99, first), added(0.99, event))
		ratio := func(of func(*result) float64) float64 { return median(mesh, of) / max(median(results[1], of), 1e-9) }
		fmt.Fprintf(w, "%s\t%s ratio\t%.2f\t%.2f\t%.2f\t\t\t\t\t\t\t\t\t\t\t\n", s.name, programs[i+meshes].name, ratio((*result).rate),
			ratio(func(r *result) float64 { return float64(r.perRequest()) }), ratio(func(r *result) float64 { return float64(r.perEvent()) }))
	}
	if server == nil {
		return nil
	}
	if err := w.Flush(); err != nil {
		return err
	}
	alone := len(programs) == meshes+1 // its servers' counts come late, and would be taken for those of the next
	for i, mesh := range results[meshes:] {
		each := func(of func(served) float64) float64 {
			return median(mesh, func(r *result) float64 { return of(r.served) / float64(max(r.requests.Load(), 1)) })
		}
		fmt.Printf("%s, %s: the server's CPU per request %v", s.name, programs[i+meshes].name,
			time.Duration(each(func(s served) float64 { return s.cpu })).Round(time.Microsecond))
		if alone {
			fmt.Printf(", commits %.2f, rows %.1f, WAL %.1f KB, flushes %.2f", each(func(s served) float64 { return s.commits }),
				each(func(s served) float64 { return s.rows }), each(func(s served) float64 { return s.wal })/1024, each(func(s served) float64 { return s.flushes }))
		}
		fmt.Println()
	}
	return nil
}

func row(w *tabwriter.Writer, scenario, name string, rounds []*result) {
	d := func(of func(*result) time.Duration) time.Duration {
		return time.Duration(median(rounds, func(r *result) float64 { return float64(of(r)) })).Round(100 * time.Nanosecond)
	}
	fmt.Fprintf(w, "%s\t%s\t%.0f\t%v\t%v\t%v\t%v\t%v\t%v\t%v\t%.0f\t%.0f\t%.1f\t%.2f\t%.1f\t\n", scenario, name, median(rounds, (*result).rate),
		d((*result).perRequest), d((*result).perEvent),
		d(func(r *result) time.Duration { return r.total.quantile(0.5) }), d(func(r *result) time.Duration { return r.total.quantile(0.99) }),
		d(func(r *result) time.Duration { return r.first.quantile(0.5) }), d(func(r *result) time.Duration { return r.first.quantile(0.99) }),
		d(func(r *result) time.Duration { return r.event.quantile(0.99) }), float64(rounds[len(rounds)-1].memory)/(1<<20),
		median(rounds, func(r *result) float64 { return r.counts.allocations / float64(max(r.requests.Load(), 1)) }),
		median(rounds, func(r *result) float64 { return r.counts.allocated / float64(max(r.requests.Load(), 1)) / 1024 }),
		median(rounds, func(r *result) float64 { return r.counts.writes / float64(max(r.requests.Load(), 1)) }),
		median(rounds, func(r *result) float64 { return r.counts.writes / max(r.counts.commits, 1) }))
}

func median(rounds []*result, of func(*result) float64) float64 {
	values := make([]float64, 0, len(rounds))
	for _, r := range rounds {
		values = append(values, of(r))
	}
	slices.Sort(values)
	return values[len(values)/2]
}
