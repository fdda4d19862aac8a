package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

// samples is how often a soak looks at the program.
const samples = 40

// growth is how much more memory the last third of a soak may take than the
// second: allocators and the garbage collector breathe by about that much.
const growth = 1.1

// soak puts mixed load on a mesh for a long time and looks at its memory,
// goroutines and files: answers whole and streamed, turns of sessions, clients
// that leave in the middle. The error says what grew.
func soak(p plan, length time.Duration) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	mock, err := spawn("mock", self, "mock", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer mock.stop()
	data, err := os.MkdirTemp("", "gptmesh-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(data)
	mesh, err := spawnMesh(p, p.binary, "http://"+mock.address, data)
	if err != nil {
		return err
	}
	defer mesh.stop()

	ctx, cancel := context.WithTimeout(context.Background(), length)
	defer cancel()
	fmt.Printf("%s, %s, %v of mixed load, shape %s\n\n", time.Now().Format(time.DateOnly), loadAverage(), length, p.shape)
	var done atomic.Int64
	failed := make(chan error, 1)
	var wg sync.WaitGroup
	for _, kind := range mixture() {
		for range kind.connections {
			wg.Go(func() {
				if err := kind.keepOn(ctx, mesh, &done); err != nil {
					select {
					case failed <- fmt.Errorf("%s: %w", kind.name, err):
					default:
					}
					cancel()
				}
			})
		}
	}
	seen := watchGrowth(ctx, mesh, &done, length)
	wg.Wait()
	select {
	case err := <-failed:
		return fmt.Errorf("%w; what the program said last:\n%s", err, lastWords(data))
	default:
	}
	// Idle again: what is left over is what leaks.
	time.Sleep(2 * time.Second)
	last := lookAt(mesh)
	fmt.Printf("\nidle again: %d goroutines, %d files, heap %.1f MB\n", last.goroutines, last.files, last.heap)
	return judge(seen)
}

// kind is one kind of client of a soak.
type kind struct {
	scenario
	leaves bool // goes away in the middle of each answer
}

func mixture() []kind {
	whole := scenario{name: "json", connections: 8, promptBytes: 4 << 10, script: "?size=1300&first=20ms", face: chat}
	stream := scenario{name: "sse", connections: 16, stream: true, promptBytes: 1 << 10, script: "?tokens=50&gap=10ms", tokens: 50, face: chat}
	session := whole
	session.name, session.sessions, session.connections = "sessions", true, 4
	large := whole
	large.name, large.promptBytes, large.connections = "json 64 KB", 64<<10, 2
	leaving := stream
	leaving.name, leaving.connections = "leaving", 4
	return []kind{{whole, false}, {stream, false}, {session, false}, {large, false}, {leaving, true}}
}

// keepOn asks until the time is up.
func (k kind) keepOn(ctx context.Context, p *process, done *atomic.Int64) error {
	client, err := upstream.New(upstream.Config{})
	if err != nil {
		return err
	}
	defer client.Close()
	target, err := upstream.ParseTarget("http://" + p.address + "/v1/chat/completions")
	if err != nil {
		return err
	}
	request, unread := k.requests(target), newResult()
	for ctx.Err() == nil {
		if k.leaves {
			err = leave(ctx, client, request(0))
		} else {
			err = once(context.WithoutCancel(ctx), client, request(0), k.scenario, time.Now(), unread)
		}
		if err != nil && ctx.Err() == nil {
			return err
		}
		done.Add(1)
	}
	return nil
}

// leave reads the beginning of a stream and goes away.
func leave(ctx context.Context, client upstream.Doer, request *upstream.Request) error {
	resp, err := client.Do(ctx, request)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.ReadFull(resp.Body, make([]byte, 512))
	return err
}

// sample is a look at a program: its resident memory and heap in MB.
type sample struct {
	resident, heap    float64
	goroutines, files int
}

func watchGrowth(ctx context.Context, p *process, done *atomic.Int64, length time.Duration) (seen []sample) {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "after\tanswers\tresident MB\theap MB\tgoroutines\tfiles\t")
	tick := time.NewTicker(length / samples)
	defer tick.Stop()
	for begin := time.Now(); ; {
		select {
		case <-ctx.Done():
			return seen
		case <-tick.C:
			s := lookAt(p)
			seen = append(seen, s)
			fmt.Fprintf(w, "%v\t%d\t%.1f\t%.1f\t%d\t%d\t\n", time.Since(begin).Round(time.Second), done.Load(), s.resident, s.heap, s.goroutines, s.files)
			w.Flush()
		}
	}
}

func lookAt(p *process) (s sample) {
	for _, one := range p.all() {
		if text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", one.cmd.Process.Pid)); err == nil {
			if fields := strings.Fields(string(text)); len(fields) > 1 {
				pages, _ := strconv.ParseFloat(fields[1], 64)
				s.resident += pages * float64(os.Getpagesize()) / (1 << 20)
			}
		}
		resp, err := http.Get("http://" + one.admin + "/metrics")
		if err != nil {
			continue
		}
		lines := bufio.NewScanner(resp.Body)
		for lines.Scan() {
			name, value, _ := strings.Cut(lines.Text(), " ")
			n, _ := strconv.ParseFloat(value, 64)
			switch name {
			case "go_memstats_heap_alloc_bytes":
				s.heap += n / (1 << 20)
			case "go_goroutines":
				s.goroutines += int(n)
			case "process_open_fds":
				s.files += int(n)
			}
		}
		resp.Body.Close()
	}
	return s
}

// judge compares the last third with the one before.
func judge(seen []sample) error {
	if len(seen) < 6 {
		return errors.New("too short for a judgement")
	}
	third := len(seen) / 3
	middle, last := seen[len(seen)-2*third:len(seen)-third], seen[len(seen)-third:]
	var grown []error
	for _, of := range []struct {
		name string
		get  func(sample) float64
	}{
		{"resident memory", func(s sample) float64 { return s.resident }},
		{"goroutines", func(s sample) float64 { return float64(s.goroutines) }},
		{"open files", func(s sample) float64 { return float64(s.files) }},
	} {
		before, after := middleOf(middle, of.get), middleOf(last, of.get)
		fmt.Printf("%s: %.1f in the second third, %.1f in the last\n", of.name, before, after)
		if after > before*growth {
			grown = append(grown, fmt.Errorf("%s grew from %.1f to %.1f", of.name, before, after))
		}
	}
	return errors.Join(grown...)
}

func middleOf(list []sample, of func(sample) float64) float64 {
	values := make([]float64, len(list))
	for i, s := range list {
		values[i] = of(s)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// lastWords are the last warnings in the logs of a mesh.
func lastWords(data string) string {
	const most = 20
	var list []string
	logs, _ := filepath.Glob(data + "/*/log")
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			continue
		}
		for _, line := range strings.Split(string(text), "\n") {
			if strings.Contains(line, `"level":"WARN"`) || strings.Contains(line, `"level":"ERROR"`) {
				list = append(list, line)
			}
		}
	}
	return strings.Join(list[max(0, len(list)-most):], "\n")
}
