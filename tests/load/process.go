package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one measured program: one process, or those of a mesh.
type process struct {
	name    string
	address string
	admin   string // where profiles are; empty without
	cmd     *exec.Cmd
	others  []*process // of the same mesh
}

// all are the processes of the program.
func (p *process) all() []*process { return append([]*process{p}, p.others...) }

// spawn starts a program that prints its address on its first line.
func spawn(name string, args ...string) (*process, error) {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &process{name: name, address: strings.TrimSpace(line), cmd: cmd}, nil
}

// shapes say which rooms share a process; the first has the HTTP listener.
var shapes = map[string][][]string{
	"up":   {{"gateway", "request", "response", "gpt", "session", "classifier"}},
	"lean": {{"gateway", "request", "response"}, {"gpt"}, {"session"}, {"classifier"}},
	"full": {{"gateway"}, {"request"}, {"response"}, {"gpt"}, {"session"}, {"classifier"}},
}

// spawnMesh starts gptmesh in a shape on free ports and waits until all of it is
// ready.
func spawnMesh(p plan, binary, upstream, data string) (*process, error) {
	groups, ok := shapes[p.shape]
	if !ok {
		return nil, fmt.Errorf("unknown shape %q: want up, lean or full", p.shape)
	}
	env := append(os.Environ(), "GPTMESH_LOG_FORMAT=json")
	env = append(env, environmentOf(p.provider, upstream)...)
	env = append(env, p.environment...)
	if p.profiles != "" {
		env = append(env, "GODEBUG=memprofilerate=262144") // of seconds, not of hours
	}
	if !p.withoutKey {
		env = append(env, "GPTMESH_API_KEYS="+benchKey)
	}
	if p.database != "" {
		env = append(env, "GPTMESH_DATABASE_URL="+p.database)
	}
	at := make([]string, len(groups))
	for i, group := range groups {
		var err error
		if at[i], err = freeAddress(); err != nil {
			return nil, err
		}
		for _, room := range group {
			if len(groups) > 1 && room != "gateway" {
				env = append(env, "GPTMESH_"+strings.ToUpper(room)+"_ADDR="+at[i])
			}
		}
	}
	var mesh *process
	for i := len(groups) - 1; i >= 0; i-- { // those who are called come first
		one, err := spawnRooms(p, binary, groups[i], at[i], filepath.Join(data, strconv.Itoa(i)), env)
		if err != nil {
			if mesh != nil {
				mesh.stop()
			}
			return nil, err
		}
		if mesh != nil {
			one.others = append(mesh.others, mesh)
			mesh.others = nil
		}
		mesh = one
	}
	for _, one := range mesh.all() {
		if err := one.ready(); err != nil {
			mesh.stop()
			return nil, fmt.Errorf("%w: see %s", err, data)
		}
	}
	return mesh, nil
}

// spawnRooms starts one process of a mesh.
func spawnRooms(p plan, binary string, rooms []string, grpc, data string, env []string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(data, 0o700); err != nil {
		return nil, err
	}
	args := append([]string{"serve"}, rooms...)
	if p.shape == "up" {
		args = []string{"up"}
	}
	if p.config != "" {
		args = append(args, "--config", p.config)
	}
	if rooms[0] == "gateway" {
		args = append(args, "--http", address)
	}
	cmd := exec.Command(binary, append(args, "--grpc", grpc, "--admin", admin, "--data", data)...)
	cmd.Env = env
	if p.thin && rooms[0] != "gateway" {
		cmd.Env = append(slices.Clone(env), "GOMAXPROCS=1")
	}
	log, err := os.Create(data + "/log")
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd.Stderr = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{name: "gptmesh", address: address, admin: admin, cmd: cmd}, nil
}

// ready waits until one process is ready.
func (p *process) ready() error {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	for {
		resp, err := http.Get("http://" + p.admin + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return errors.New("gptmesh is not ready")
		case <-time.After(5 * time.Millisecond):
		}
	}
}

func freeAddress() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// profile writes a profile of the next length into a file. kind is "profile",
// that of CPU time, or "allocs".
func (p *process) profile(kind string, length time.Duration, file string) error {
	resp, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/%s?seconds=%d", p.admin, kind, int(length.Seconds()+0.5)))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, resp.Body)
	return errors.Join(err, out.Close())
}

func (p *process) stop() {
	for _, other := range p.others {
		defer other.stop()
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	done := make(chan struct{})
	go func() { defer close(done); _ = p.cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-done
	}
}

// cpu is the time that all threads of the process have run, from the
// scheduler's own count in nanoseconds.
func (p *process) cpu() time.Duration {
	var total time.Duration
	for _, one := range p.all() {
		total += one.ran()
	}
	return total
}

func (p *process) ran() time.Duration {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	var total int64
	for _, task := range tasks {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/schedstat", p.cmd.Process.Pid, task.Name()))
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(text), " ")
		n, _ := strconv.ParseInt(first, 10, 64)
		total += n
	}
	return time.Duration(total)
}

// counters are the program's own counts so far; zero where it shows none.
type counters struct{ allocations, allocated, commits, writes float64 }

func (c counters) minus(before counters) counters {
	return counters{c.allocations - before.allocations, c.allocated - before.allocated, c.commits - before.commits, c.writes - before.writes}
}

// counts reads the counters from the program's metrics.
func (p *process) counts() counters {
	var c counters
	for _, one := range p.all() {
		c = c.plus(one.counted())
	}
	return c
}

func (c counters) plus(o counters) counters {
	return counters{c.allocations + o.allocations, c.allocated + o.allocated, c.commits + o.commits, c.writes + o.writes}
}

func (p *process) counted() counters {
	var c counters
	if p.admin == "" {
		return c
	}
	resp, err := http.Get("http://" + p.admin + "/metrics")
	if err != nil {
		return c
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		n, _ := strconv.ParseFloat(value, 64)
		switch name, _, _ = strings.Cut(name, "{"); name {
		case "go_memstats_mallocs_total":
			c.allocations += n
		case "go_memstats_alloc_bytes_total":
			c.allocated += n
		case "gptmesh_sqlite_commits_total", "gptmesh_journal_flushes_total", "gptmesh_postgres_commits_total":
			c.commits += n
		case "gptmesh_sqlite_writes_total", "gptmesh_journal_records_total", "gptmesh_postgres_writes_total":
			c.writes += n
		}
	}
	return c
}

// memory is the largest resident set so far, in bytes.
func (p *process) memory() int64 {
	var total int64
	for _, one := range p.all() {
		total += one.resident()
	}
	return total
}

func (p *process) resident() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return n << 10
		}
	}
	return 0
}
