package chaos

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	flag.Parse()
	// A link of the proxy that is cut while data waits leaves goroutines there.
	os.Exit(harness.Main(m,
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"),
		goleak.IgnoreAnyFunction("github.com/Shopify/toxiproxy/v2.(*ToxicLink).read")))
}

// settings make failures noticed soon.
func settings() map[string]any {
	return map[string]any{
		"gpt": map[string]any{
			"discovery": map[string]any{"enabled": false},
			"breaker":   map[string]any{"failures": 1 << 30},
			"retry":     map[string]any{"max_attempts": 3, "base_delay": "20ms", "max_delay": "200ms", "budget": 1},
			"ledger":    map[string]any{"heartbeat": "500ms", "grace": "3s"},
			"timeouts":  map[string]any{"first_token": "10s", "idle": "5s", "total": "30s"},
		},
		"request":  map[string]any{"heartbeat_interval": "500ms", "dead_after": "3s", "retry_interval": "300ms", "timeout": "40s"},
		"response": map[string]any{"heartbeat_interval": "500ms", "dead_after": "3s", "retry_interval": "300ms"},
	}
}

// startDatabase starts a server that keeps what it has acknowledged through a
// crash of its own, and returns its address too.
func startDatabase(t *testing.T) (*pgtest.Cluster, string) {
	t.Helper()
	address := harness.Address(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
	defer cancel()
	cluster, err := pgtest.Start(ctx, "listen_addresses=127.0.0.1", "port="+port, "synchronous_commit=on", "full_page_writes=on")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	return cluster, address
}

// TestChaos breaks everything under load.
func TestChaos(t *testing.T) {
	clients, last := extent(t, 40, 200, 15*time.Second)
	cluster, database := startDatabase(t)
	events := startBroker(t)
	lines := newLinks(t)
	config := settings()
	config["events"] = map[string]any{"driver": "nats", "url": "nats://" + lines.through("mesh", "broker", events.address)}
	p := provider.Start(t, provider.Config{OpenAI: []string{model}})
	mesh := harness.Start(t, harness.Config{
		Combination: harness.Combination{Shape: harness.Full, Store: harness.PostgreSQL}, Provider: p, Settings: config,
		Through: lines.through, Database: "postgres://unused",
		EnvOf: func(process string) map[string]string {
			return map[string]string{"GPTMESH_DATABASE_URL": "postgres://postgres@" + lines.through(process, "database", database) + "/postgres?sslmode=disable"}
		},
	})
	random := rand.New(rand.NewPCG(*seed, 0))
	result := &report{Faults: map[string]int{}}
	before := settle(t, mesh, p, random, "warm")

	load := gather(mesh, p, clients, nil)
	began := time.Now()
	crashed := 0
	for n := 0; time.Since(began) < last; n++ {
		time.Sleep(time.Duration(100+random.IntN(400)) * time.Millisecond)
		switch at := time.Since(began); {
		case at > time.Duration(crashed)*last/time.Duration(crashes())+last/time.Duration(2*crashes()) && crashed < crashes():
			ctx, cancel := context.WithTimeout(t.Context(), harness.Patience)
			if err := cluster.Restart(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
			crashed++
			result.Faults["crash of PostgreSQL"]++
			events.restart(time.Second)
			result.Faults["restart of the broker"]++
		case n%2 == 0:
			// In turn, so that each room dies in the short form too.
			process := mesh.Processes[n/2%len(mesh.Processes)]
			process.Kill()
			revive(t, process)
			result.Faults["kill -9 of "+process.Name]++
		default:
			result.Faults["link: "+lines.harm(random, time.Duration(200+random.IntN(800))*time.Millisecond)]++
		}
	}
	ended := time.Now()
	turns := load.end()
	t.Logf("the last turn ended %v after the last fault", time.Since(ended).Round(time.Millisecond))
	for _, slow := range turns[:min(6, len(turns))] {
		t.Logf("slow: %s (%s, %s, streamed %v) %v in %d calls: %s %v", slow.scene, slow.kind, slow.face.Name(), slow.stream,
			slow.took.Round(time.Millisecond), slow.calls, slow.outcome, slow.longest.Round(time.Millisecond))
	}
	mesh.AwaitReady(t)

	checking := time.Now()
	check := &checker{t: t, mesh: mesh, provider: p, report: result}
	check.check(t.Context(), turns)
	check.delivered(t.Context(), events)
	t.Logf("%d clients, %v of faults, checked in %v\n%v", clients, last, time.Since(checking).Round(time.Millisecond), result)

	after := settle(t, mesh, p, random, "cool")
	// Connections to the provider that a load has left are kept for a while.
	patience := time.Now().Add(2 * time.Minute)
	for _, process := range mesh.Processes {
		was, is := before[process.Name], after[process.Name]
		for is.more(was) && time.Now().Before(patience) {
			time.Sleep(time.Second)
			var err error
			if is, err = useOf(process); err != nil {
				t.Fatal(err)
			}
		}
		t.Logf("%s: %v before, %v after", process.Name, was, is)
		if is.more(was) {
			t.Errorf("%s holds more than at its start", process.Name)
		}
	}
}

// revive starts a process as a supervisor does: again, where it ends at its
// start because the database is away at that moment.
func revive(t *testing.T, p *harness.Process) {
	t.Helper()
	p.Begin(t)
	harness.Poll(t, func() bool {
		select {
		case <-p.Exited():
			p.Begin(t)
			return false
		default:
		}
		resp, err := http.Get("http://" + p.Admin + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, func() string { return p.Name + " does not come back" })
}

// crashes is how often the database crashes in a run.
func crashes() int {
	if *long {
		return 6
	}
	return 1
}

// settle asks a few turns that must be answered, and returns what each process
// holds when nothing runs.
func settle(t *testing.T, mesh *harness.Mesh, p *provider.Provider, random *rand.Rand, name string) map[string]use {
	t.Helper()
	for i := range 20 {
		next := newTurn(p, random, fmt.Sprintf("%s-%d", name, i))
		next.kind = "plain"
		p.Script(next.scene, provider.Script{Steps: []provider.Step{provider.Text(next.text)}})
		if next.run(t.Context(), mesh); next.outcome != answered || next.answer.Text != next.text {
			t.Fatalf("a quiet mesh does not answer: %s %v %+v", next.outcome, next.err, next.answer)
		}
	}
	mesh.HTTP().CloseIdleConnections()
	p.CloseIdle()
	time.Sleep(2 * time.Second) // streams and idle connections end
	out := map[string]use{}
	for _, process := range mesh.Processes {
		u, err := useOf(process)
		if err != nil {
			t.Fatal(err)
		}
		out[process.Name] = u
	}
	return out
}
