package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// rung is one step of a ladder: a mesh in which something has grown to n, and
// the load that is put on it.
type rung struct {
	load scenario
	n    int
	mesh *process
	note string // what else was seen of it
}

// ladders say what can grow, and make the meshes in which it has. What they make
// ends with the climber.
var ladders = map[string]func(c *climber) ([]rung, error){
	"cores": cores, "sessions": sessions, "rows": rows, "keys": keys, "providers": providers,
}

// climber makes the meshes of a ladder, in front of one scripted provider.
type climber struct {
	plan
	upstream string
	folder   string // of everything that is made
	rows     int    // the largest tables
	meshes   []*process
}

// mesh starts a mesh in a folder of that name.
func (c *climber) mesh(p plan, name string) (*process, error) {
	mesh, err := spawnMesh(p, p.binary, c.upstream, c.folder+"/"+name)
	if err == nil {
		c.meshes = append(c.meshes, mesh)
	}
	return mesh, err
}

func (c *climber) stop() {
	for _, mesh := range c.meshes {
		mesh.stop()
	}
	c.meshes = nil
}

// climb prints what a turn costs on each step of the ladders, which are named
// with commas between. All steps of a ladder are measured in the same rounds, so
// that a machine that grows slower does not look like a mesh that does.
func climb(p plan, names string, most int) error {
	chosen := strings.Split(names, ",")
	if names == "all" {
		chosen = slices.Sorted(maps.Keys(ladders))
	}
	for _, name := range chosen {
		if ladders[name] == nil {
			return fmt.Errorf("growth %q: want all or some of %s", name, strings.Join(slices.Sorted(maps.Keys(ladders)), ","))
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	mock, err := spawn("mock", self, "mock", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer mock.stop()
	fmt.Printf("%s, %d cores, %s; shape %s, PostgreSQL %t\n", time.Now().Format(time.DateOnly), runtime.NumCPU(), loadAverage(), p.shape, p.database != "")
	for _, name := range chosen {
		if err := climbOne(p, name, "http://"+mock.address, most); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func climbOne(p plan, name, upstream string, most int) error {
	folder, err := os.MkdirTemp("", "gptmesh-growth-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	c := &climber{plan: p, upstream: upstream, folder: folder, rows: most}
	defer c.stop()
	steps, err := ladders[name](c)
	if err != nil {
		return err
	}
	steps = slices.DeleteFunc(steps, func(step rung) bool { return !strings.Contains(step.load.name, p.only) })
	results := make([][]*result, len(steps))
	if p.profiles != "" {
		for _, step := range steps {
			step.load.name = fmt.Sprint(step.load.name, " ", step.n)
			if err := profile(step.load, step.mesh, p.profiles); err != nil {
				return err
			}
		}
		return nil
	}
	for range p.rounds {
		for i, step := range steps {
			r, err := load(context.Background(), step.load, step.mesh)
			if err != nil {
				return fmt.Errorf("%s, n = %d: %w", step.load.name, step.n, err)
			}
			results[i] = append(results[i], r)
		}
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintf(w, "\n%s\tn\treq/s\tCPU/req\tof first\tp50\tp99\tallocs/req\tKB/req\t\n", name)
	var first float64
	for i, step := range steps {
		perRequest := func(of func(*result) float64) float64 {
			return median(results[i], func(r *result) float64 { return of(r) / float64(max(r.requests.Load(), 1)) })
		}
		quantile := func(q float64) time.Duration {
			return time.Duration(median(results[i], func(r *result) float64 { return float64(r.total.quantile(q)) })).Round(10 * time.Microsecond)
		}
		cpu := perRequest(func(r *result) float64 { return float64(r.cpu) })
		if i == 0 || steps[i-1].load.name != step.load.name {
			first = cpu
		}
		fmt.Fprintf(w, "%s\t%d\t%.0f\t%v\t%.2f\t%v\t%v\t%.0f\t%.1f\t%s\n", step.load.name, step.n, median(results[i], (*result).rate),
			time.Duration(cpu).Round(time.Microsecond), cpu/cmp.Or(first, 1), quantile(0.5), quantile(0.99),
			perRequest(func(r *result) float64 { return r.counts.allocations }), perRequest(func(r *result) float64 { return r.counts.allocated / 1024 }), step.note)
	}
	return w.Flush()
}

// turn is the load of most ladders: a short whole answer.
func (c *climber) turn(name string, connections int) scenario {
	return scenario{name: name, connections: connections, duration: c.length, promptBytes: 1 << 10, script: "?size=700"}
}

// cores gives the mesh one processor, then two.
func cores(c *climber) (steps []rung, err error) {
	var meshes []*process
	for n := 1; n <= runtime.NumCPU(); n *= 2 {
		p := c.plan
		p.environment = append(p.environment, fmt.Sprint("GOMAXPROCS=", n))
		mesh, err := c.mesh(p, fmt.Sprint("cores", n))
		if err != nil {
			return nil, err
		}
		meshes = append(meshes, mesh)
	}
	all := scenarios(c.plan)
	for _, name := range []string{"json 4KB x1", "json 4KB x64", "sse burst x32", "sse 5ms x32"} {
		for i, mesh := range meshes {
			at := slices.IndexFunc(all, func(s scenario) bool { return s.name == name })
			steps = append(steps, rung{load: all[at], n: 1 << i, mesh: mesh})
		}
	}
	return steps, nil
}

// keys lets more and more principals ask in turn.
func keys(c *climber) (steps []rung, err error) {
	for _, n := range []int{10, 100, 1_000, 10_000} {
		name := func(i int) string { return fmt.Sprintf("sk-%032d", i%n) }
		var config strings.Builder
		config.WriteString("api_keys:\n")
		for i := range n {
			fmt.Fprintf(&config, "  - %s\n", name(i))
		}
		p := c.plan
		p.environment = append(p.environment, "GPTMESH_RATE_LIMITS_GPT=1000000")
		if p.config, err = c.configure(fmt.Sprint("keys", n), config.String()); err != nil {
			return nil, err
		}
		p.withoutKey = true
		mesh, err := c.mesh(p, fmt.Sprint("keys", n))
		if err != nil {
			return nil, err
		}
		load := c.turn("a turn by one of n keys", 16)
		load.key = func(turn int) string { return name(turn * 7919) } // a prime, so that all have their turn
		steps = append(steps, rung{load: load, n: n, mesh: mesh, note: idle(mesh)})
	}
	return steps, nil
}

// idle is what a mesh takes that has nothing to do.
func idle(mesh *process) string { return fmt.Sprintf("idle: %.1f MB", float64(mesh.memory())/(1<<20)) }

// configure writes a file with a mesh's configuration.
func (c *climber) configure(name, text string) (file string, err error) {
	file = c.folder + "/" + name + ".yaml"
	return file, os.WriteFile(file, []byte(text), 0o600)
}

// providers configures more and more of them, and gives a route more and more
// targets.
func providers(c *climber) (steps []rung, err error) {
	const targets = 32 // the most of a route
	var named, routed, chosen []rung
	for _, n := range []int{1, 10, 50} {
		var config strings.Builder
		config.WriteString("gpt:\n  providers:\n")
		for i := range n {
			fmt.Fprintf(&config, "    p%d: {base_url: %q, api_key: k, models: [m%d]}\n", i, c.upstream+"/v1", i)
		}
		config.WriteString("  routes:\n    all:\n      strategy: latency\n      targets:\n")
		for i := range min(n, targets) {
			fmt.Fprintf(&config, "        - {model: p%d/m%d}\n", i, i)
		}
		config.WriteString("  models:\n")
		for i := range n {
			fmt.Fprintf(&config, "    p%d/m%d: {prices: {input: 1, output: 2}, context_length: 100000}\n", i, i)
		}
		p := c.plan
		if p.config, err = c.configure(fmt.Sprint("providers", n), config.String()); err != nil {
			return nil, err
		}
		mesh, err := c.mesh(p, fmt.Sprint("providers", n))
		if err != nil {
			return nil, err
		}
		load := c.turn("a model of one of n providers", 16)
		load.model = fmt.Sprintf("p%d/m%d", n-1, n-1)
		named = append(named, rung{load: load, n: n, mesh: mesh, note: idle(mesh)})
		load = c.turn("a route of n targets", 16)
		load.model = "all"
		routed = append(routed, rung{load: load, n: min(n, targets), mesh: mesh})
		load = c.turn("auto, of n models", 16)
		load.model = "auto"
		chosen = append(chosen, rung{load: load, n: n, mesh: mesh})
	}
	return slices.Concat(named, routed, chosen), nil
}
