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
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one measured program.
type process struct {
	name    string
	address string
	admin   string // where profiles are; empty without
	cmd     *exec.Cmd
}

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

// spawnMesh starts gptmesh on a free port and waits until it is ready.
func spawnMesh(binary, upstream, data string, extra ...string) (*process, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	admin, err := freeAddress()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, "up", "--http", address, "--grpc", "127.0.0.1:0", "--admin", admin, "--data", data)
	cmd.Env = append(os.Environ(), append([]string{
		"OPENAI_API_KEY=k", "OPENAI_BASE_URL=" + upstream + "/v1", "GPTMESH_API_KEYS=bench", "GPTMESH_LOG_FORMAT=json",
	}, extra...)...)
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
	p := &process{name: "gptmesh", address: address, admin: admin, cmd: cmd}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for {
		resp, err := http.Get("http://" + address + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return p, nil
			}
		}
		select {
		case <-ctx.Done():
			p.stop()
			return nil, fmt.Errorf("gptmesh is not ready: see %s/log", data)
		case <-time.After(20 * time.Millisecond):
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
		case "gptmesh_sqlite_commits_total":
			c.commits += n
		case "gptmesh_sqlite_writes_total":
			c.writes += n
		}
	}
	return c
}

// memory is the largest resident set so far, in bytes.
func (p *process) memory() int64 {
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
