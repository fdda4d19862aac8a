package path

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/collector"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// run runs the program as the mesh's first process would be, with other
// arguments, and returns what it wrote and its exit code.
func (w *world) run(t *testing.T, env []string, args ...string) (string, int) {
	t.Helper()
	binary, _, common := w.Processes[0].Command()
	cmd := exec.CommandContext(limit(t), binary, args...)
	cmd.Dir, cmd.Env = t.TempDir(), append(common, env...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// TestSecondProcess shows that a data directory belongs to one process.
func TestSecondProcess(t *testing.T) {
	t.Parallel()
	w := start(t, harness.Combination{})
	_, args, _ := w.Processes[0].Command()
	for i, arg := range args {
		if slices.Contains([]string{"--grpc", "--http", "--admin"}, arg) {
			args[i+1] = harness.Address(t)
		}
	}
	out, code := w.run(t, nil, args...)
	data := args[slices.Index(args, "--data")+1]
	if code == 0 || !strings.Contains(out, data) || !strings.Contains(out, "process") {
		t.Errorf("a second process on %s ended with %d and said:\n%s", data, code, out)
	}
	// The first one is unharmed.
	if answer := w.ask(t, face.OpenAI{}, face.Ask{Model: openAIModel, Text: "Still there?"}); !answer.Complete {
		t.Errorf("%+v", answer)
	}
}

// TestOneTrace shows one trace over all rooms, out to the provider, under the
// client's own span, and what it tells of the client's limit.
func TestOneTrace(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, c harness.Combination) {
		traces := collector.Start(t)
		config := settings()
		config["traces"] = map[string]any{"otlp_endpoint": traces.Address, "otlp_insecure": true}
		w := startWith(t, harness.Config{Combination: c, Settings: config, Env: map[string]string{"OTEL_BSP_SCHEDULE_DELAY": "100"}})
		for i, f := range face.All() {
			trace, parent := fmt.Sprintf("%031x%x", 0xabc, i+1), "00f067aa0ba902b7"
			scene := t.Name() + f.Name()
			answer := w.ask(t, f, face.Ask{
				Model: openAIModel, Text: provider.Prompt(scene), Stream: true, Session: "new",
				Header: map[string]string{"Traceparent": "00-" + trace + "-" + parent + "-01"},
			})
			if !answer.Complete {
				t.Fatalf("%+v", answer)
			}
			sent := w.provider.Await(t, scene, 0).Header.Get("Traceparent")
			if !strings.HasPrefix(sent, "00-"+trace+"-") || strings.Contains(sent, parent) {
				t.Errorf("%s: the provider was sent traceparent %q, want one of trace %s with a span of the mesh", f.Name(), sent, trace)
			}
			eventually(t, func() error {
				spans := traces.Spans(trace)
				ids, services := map[string]bool{parent: true}, map[string]bool{}
				text := ""
				for _, s := range spans {
					ids[s.ID] = true
					services[s.Service] = true
					text += s.Name + "\n"
				}
				for _, method := range []string{"RequestService/Submit", "ResponseService/Generate", "GPTService/Generate"} {
					if !strings.Contains(text, method) {
						return fmt.Errorf("%s: no span of %s in\n%s", f.Name(), method, text)
					}
				}
				for _, s := range spans {
					if !ids[s.Parent] {
						return fmt.Errorf("%s: span %s hangs under %q, which is none of the trace", f.Name(), s.Name, s.Parent)
					}
				}
				if sentBy := strings.Split(sent, "-"); len(sentBy) == 4 && !ids[sentBy[2]] {
					return fmt.Errorf("%s: the provider's parent %s is none of the trace's spans", f.Name(), sentBy[2])
				}
				want := map[harness.Shape]int{harness.Up: 1, harness.Lean: 3, harness.Full: 4}[c.Shape]
				if len(services) < want {
					return fmt.Errorf("%s: %d processes took part in the trace, want %d at least: %v", f.Name(), len(services), want, services)
				}
				return nil
			})
		}
		testTimeLeft(t, w, traces)
	})
}

// testTimeLeft shows that a client's limit shrinks on its way: no room, nor the
// call of the provider, has as much time as the one that called it.
func testTimeLeft(t *testing.T, w *world, traces *collector.Collector) {
	const seconds = 20
	for i, f := range face.All() {
		trace := fmt.Sprintf("%031x%x", 0xdef, i+1)
		ctx, header := limit(t), map[string]string{"Traceparent": "00-" + trace + "-00f067aa0ba902b7-01"}
		if f.Name() == (face.GRPC{}).Name() {
			bounded, cancel := context.WithTimeout(ctx, seconds*time.Second) // becomes grpc-timeout
			defer cancel()
			ctx = bounded
		} else {
			header["X-Request-Timeout"] = fmt.Sprint(seconds)
		}
		answer, err := f.Ask(ctx, w.Mesh, face.Ask{Model: openAIModel, Text: provider.Prompt(t.Name() + f.Name()), Stream: true, Header: header})
		if err != nil || !answer.Complete {
			t.Fatalf("%s: %v %+v", f.Name(), err, answer)
		}
		eventually(t, func() error {
			left := float64(seconds)
			spans := traces.Spans(trace)
			for _, hop := range []string{"RequestService/Submit", "ResponseService/Generate", "GPTService/Generate", "chat "} {
				at := slices.IndexFunc(spans, func(s collector.Span) bool { return strings.Contains(s.Name, hop) })
				if at < 0 {
					return fmt.Errorf("%s: no span of %s", f.Name(), hop)
				}
				if got := spans[at].Numbers["gptmesh.time_left_seconds"]; got <= 0 || got >= left {
					return fmt.Errorf("%s: %s began with %v s, which is not less than the %v s of whoever called it", f.Name(), hop, got, left)
				} else {
					left = got
				}
			}
			return nil
		})
	}
}

// TestKeys shows that a mesh with keys asks for one at every door, and that
// what one key owns no other sees.
func TestKeys(t *testing.T) {
	t.Parallel()
	harness.Each(t, func(t *testing.T, c harness.Combination) {
		w := startWith(t, harness.Config{Combination: c, Settings: settings(), Key: "first-key", Env: map[string]string{"GPTMESH_API_KEYS": "first-key,second-key"}})
		var mine string
		for _, f := range face.All() {
			answer := w.ask(t, f, face.Ask{Model: openAIModel, Text: "hello", Stream: true, Session: "new"})
			if !answer.Complete {
				t.Fatalf("%s with the key: %+v %+v", f.Name(), answer.Error, answer)
			}
			mine = answer.SessionID
		}
		for _, key := range []string{"", "wrong-key"} {
			other := *w.Mesh
			other.Key = key
			for _, f := range face.All()[:2] {
				answer, err := f.Ask(limit(t), &other, face.Ask{Model: openAIModel, Text: "hello", Stream: true})
				if err != nil || answer.Status != http.StatusUnauthorized || answer.Error == nil {
					t.Errorf("%s with key %q: %v %+v %+v", f.Name(), key, err, answer.Error, answer)
				}
			}
			for _, path := range []string{"/v1/models", "/api/tags", "/mesh/v1/sessions"} {
				if status := get(t, &other, path); status != http.StatusUnauthorized {
					t.Errorf("GET %s with key %q: %d, want 401", path, key, status)
				}
			}
		}
		for _, path := range []string{"/healthz", "/readyz"} {
			other := *w.Mesh
			other.Key = ""
			if status := get(t, &other, path); status != http.StatusOK {
				t.Errorf("GET %s without a key: %d, want 200", path, status)
			}
		}
		w.eachKey(t, mine)
	})
}

func get(t *testing.T, mesh *harness.Mesh, path string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(limit(t), http.MethodGet, mesh.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if mesh.Key != "" {
		req.Header.Set("Authorization", "Bearer "+mesh.Key)
	}
	resp, err := mesh.HTTP().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}

// eachKey calls every room over gRPC with other keys. The mesh's key is read at
// each call.
func (w *world) eachKey(t *testing.T, session string) {
	t.Helper()
	defer func() { w.Key = "first-key" }()
	for _, room := range []string{"session", "request"} {
		for _, key := range []string{"", "wrong-key"} {
			w.Key = key
			var err error
			if room == "session" {
				_, err = w.Session().ListSessions(limit(t), &sessionv1.ListSessionsRequest{})
			} else {
				_, err = w.Request().ListRequests(limit(t), &requestv1.ListRequestsRequest{})
			}
			if status.Code(err) != codes.Unauthenticated || face.Reason(err) != "UNAUTHENTICATED" {
				t.Errorf("%s with key %q over gRPC: %v", room, key, err)
			}
		}
	}
	w.Key = "second-key"
	if _, err := w.Session().GetSession(limit(t), &sessionv1.GetSessionRequest{SessionId: session}); face.Reason(err) != "SESSION_NOT_FOUND" {
		t.Errorf("a session of another key: %v, want SESSION_NOT_FOUND", err)
	}
	if list, err := w.Session().ListSessions(limit(t), &sessionv1.ListSessionsRequest{}); err != nil || len(list.GetSessions()) != 0 {
		t.Errorf("the list of another key has %v, %v", list, err)
	}
}

// TestOpenAddress shows that without keys nobody but this machine can connect.
func TestOpenAddress(t *testing.T) {
	t.Parallel()
	w := start(t, harness.Combination{})
	for _, flag := range []string{"--http", "--grpc"} {
		out, code := w.run(t, nil, "up", "--data", t.TempDir(), "--admin", "off", "--http", harness.Address(t), "--grpc", harness.Address(t), flag, "0.0.0.0:0")
		if code == 0 || !strings.Contains(out, "GPTMESH_API_KEYS") {
			t.Errorf("%s 0.0.0.0:0 without keys ended with %d and said:\n%s", flag, code, out)
		}
	}
}

// TestConfigure shows that configuration is strict, printable and checked.
func TestConfigure(t *testing.T) {
	t.Parallel()
	w := start(t, harness.Combination{})
	file := filepath.Join(t.TempDir(), "gptmesh.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name, file string
		env        []string
		args       []string
		ok         bool
		says       []string
	}{
		{"verify", "session: {idle_timeout: 5m}", nil, []string{"config", "verify", "--config", file}, true, nil},
		{"unknown key", "session: {idle_timeot: 5m}", nil, []string{"config", "verify", "--config", file}, false, []string{"idle_timeot", "idle_timeout"}},
		{"wrong value", "session: {idle_timeout: soon}", nil, []string{"config", "verify", "--config", file}, false, []string{"idle_timeout"}},
		{"out of range", "session: {idle_timeout: -5m}", nil, []string{"config", "verify", "--config", file}, false, []string{"session", "idle_timeout"}},
		{"print", "{}", []string{"GPTMESH_API_KEYS=very-secret-key", "GPTMESH_SESSION_IDLE_TIMEOUT=77m"}, []string{"config", "print", "--config", file}, true, []string{"idle_timeout: 1h17m", "api_keys"}},
		{"variables", "{}", nil, []string{"config", "print", "--variables"}, true, []string{"GPTMESH_SESSION_ADDR", "GPTMESH_API_KEYS", "GPTMESH_DATABASE_URL"}},
		{"unknown room", "{}", nil, []string{"serve", "sesion"}, false, []string{"sesion", "session"}},
		{"missing address", "{}", nil, []string{"serve", "request", "--data", filepath.Join(w.Dir, "x"), "--grpc", harness.Address(t), "--admin", "off"}, false, []string{"_ADDR"}},
		{"up with a wrong file", "sesion: {}", nil, []string{"up", "--config", file}, false, []string{"sesion", "session"}},
	} {
		write(test.file)
		out, code := w.run(t, test.env, test.args...)
		if (code == 0) != test.ok {
			t.Errorf("%s: exit code %d\n%s", test.name, code, out)
		}
		for _, want := range test.says {
			if !strings.Contains(out, want) {
				t.Errorf("%s: %q is not in\n%s", test.name, want, out)
			}
		}
		if strings.Contains(out, "very-secret-key") {
			t.Errorf("%s: a secret was printed:\n%s", test.name, out)
		}
	}
}

// TestDoctor shows that the doctor finds a mesh well that is, and says what to
// do where it is not.
func TestDoctor(t *testing.T) {
	t.Parallel()
	w := start(t, harness.Combination{})
	http, grpc := strings.TrimPrefix(w.URL, "http://"), w.Processes[0].GRPC
	out, code := w.run(t, []string{"GPTMESH_HTTP=" + http, "GPTMESH_GRPC=" + grpc, "GPTMESH_ADMIN=" + w.Processes[0].Admin}, "doctor")
	if out == "" || code != 0 {
		t.Errorf("of a mesh that runs the doctor said, with %d:\n%s", code, out)
	}
}

// TestMigrate shows the state of the stores, and brings empty ones up to date.
func TestMigrate(t *testing.T) {
	t.Parallel()
	for _, store := range []harness.Store{harness.SQLite, harness.PostgreSQL} {
		t.Run(string(store), func(t *testing.T) {
			t.Parallel()
			w := &world{Mesh: harness.New(t, harness.Config{Combination: harness.Combination{Store: store}})}
			data := filepath.Join(w.Dir, "data")
			for i, step := range []struct{ command, says string }{{"status", "pending"}, {"up", "applied"}, {"status", "applied"}} {
				out, code := w.run(t, nil, "migrate", step.command, "--data", data)
				if code != 0 || !strings.Contains(out, step.says) || i == 2 && strings.Contains(out, "pending") {
					t.Errorf("migrate %s ended with %d and said:\n%s", step.command, code, out)
				}
				for _, room := range []string{"session", "request", "response", "gpt"} {
					if !strings.Contains(out, room) {
						t.Errorf("migrate %s says nothing of %s:\n%s", step.command, room, out)
					}
				}
			}
		})
	}
}
