package harness

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience bounds how long a test waits for what must happen. It is no measure
// of speed: the machine may be busy.
const Patience = 45 * time.Second

// Process is one process of the mesh.
type Process struct {
	// Name tells processes apart.
	Name string
	// Rooms are what it runs.
	Rooms []string
	// GRPC and Admin are its addresses.
	GRPC, Admin string

	binary string
	args   []string
	env    []string
	dir    string

	output output
	cmd    *exec.Cmd
	exited chan struct{}
}

// output keeps what a process wrote, over all its lives.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// Output is all that the process wrote so far.
func (p *Process) Output() string {
	p.output.mu.Lock()
	defer p.output.mu.Unlock()
	return p.output.text.String()
}

// Log returns the lines of the log so far that are JSON, decoded.
func (p *Process) Log() []map[string]any {
	var lines []map[string]any
	for line := range strings.Lines(p.Output()) {
		var entry map[string]any
		if json.Unmarshal([]byte(line), &entry) == nil {
			lines = append(lines, entry)
		}
	}
	return lines
}

// Begin starts the process without waiting until it is ready.
func (p *Process) Begin(t testing.TB) {
	t.Helper()
	cmd := exec.Command(p.binary, p.args...)
	cmd.Dir, cmd.Env = p.dir, p.env
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	cmd.SysProcAttr = attributes()
	p.cmd, p.exited = cmd, make(chan struct{})
	// The goroutine keeps its thread: the signal of the parent's death comes
	// when the thread that started the process ends.
	started := make(chan error)
	go func(exited chan struct{}) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is read from its state
			close(exited)
		}
	}(p.exited)
	if err := <-started; err != nil {
		t.Fatalf("%s: %v", p.Name, err)
	}
}

// AwaitReady waits until the process says that it is ready.
func (p *Process) AwaitReady(t testing.TB) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	defer client.CloseIdleConnections()
	state := "nobody listens"
	Poll(t, func() bool {
		select {
		case <-p.exited:
			t.Fatalf("%s ended at its start (%v)\n%s", p.Name, p.cmd.ProcessState, tail(p.Output()))
		default:
		}
		resp, err := client.Get("http://" + p.Admin + "/readyz")
		if err != nil {
			return false
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		state = fmt.Sprintf("%d %s", resp.StatusCode, body)
		return resp.StatusCode == http.StatusOK
	}, func() string { return fmt.Sprintf("%s is not ready: %s\n%s", p.Name, state, tail(p.Output())) })
}

// Kill ends the process as a power cut would.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill()
	<-p.exited
}

// Suspend has the process hang until it is killed. It hangs when Suspend returns.
func (p *Process) Suspend(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatalf("%s: %v", p.Name, err)
	}
	// A thread that runs on another processor goes on until the signal reaches it.
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	patience := time.After(Patience)
	for !stopped(p.cmd.Process.Pid) {
		select {
		case <-tick.C:
		case <-patience:
			t.Fatalf("%s does not stop", p.Name)
		}
	}
}

// stopped says whether no thread of a process runs, or that nobody can tell.
func stopped(pid int) bool {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // it has ended
		}
		// The name before the state may have any sign in it.
		if _, state, _ := strings.Cut(string(text[bytes.LastIndexByte(text, ')')+1:]), " "); !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}

// Terminate asks the process to end.
func (p *Process) Terminate(t testing.TB) {
	t.Helper()
	p.Signal(t, syscall.SIGTERM)
}

// Signal sends the process a signal.
func (p *Process) Signal(t testing.TB, signal os.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatalf("%s: %v", p.Name, err)
	}
}

// Exited is closed when the process is gone.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// AwaitExit waits for the end of the process and returns its exit code.
func (p *Process) AwaitExit(t testing.TB) int {
	t.Helper()
	select {
	case <-p.exited:
	case <-time.After(Patience):
		t.Fatalf("%s does not end\n%s", p.Name, tail(p.Output()))
	}
	return p.cmd.ProcessState.ExitCode()
}

// Restart starts the process again, on the same addresses, and waits until it
// is ready.
func (p *Process) Restart(t testing.TB) {
	t.Helper()
	p.Begin(t)
	p.AwaitReady(t)
}

// state says whether the process runs, or how it ended.
func (p *Process) state() string {
	if p.cmd == nil {
		return "never started"
	}
	select {
	case <-p.exited:
		return p.cmd.ProcessState.String()
	default:
		return "running"
	}
}

// stop ends the process where it still runs.
func (p *Process) stop() {
	if p.cmd == nil {
		return
	}
	select {
	case <-p.exited:
	default:
		p.Kill()
	}
}

// tail is the end of a text, for messages.
func tail(s string) string {
	const most = 6000
	if len(s) <= most {
		return s
	}
	return "…" + s[len(s)-most:]
}

// Poll waits until done, or fails the test with what describe says. For what
// happens in other processes only.
func Poll(t testing.TB, done func() bool, describe func() string) {
	t.Helper()
	deadline := time.Now().Add(Patience)
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for !done() {
		if time.Now().After(deadline) {
			t.Fatal(describe())
		}
		<-ticker.C
	}
}
