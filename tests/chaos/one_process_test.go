package chaos

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// TestOneProcess kills the one process with its embedded stores under load, again
// and again, and counts what is lost.
func TestOneProcess(t *testing.T) {
	clients, last := 24, 10*time.Second
	if *long {
		clients, last = 100, *span
	}
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("seed %d", *seed)
	p := provider.Start(t, provider.Config{OpenAI: []string{model}})
	mesh := harness.Start(t, harness.Config{Provider: p, Settings: settings()})
	mesh.HTTP().Transport.(*http.Transport).MaxIdleConnsPerHost = clients

	var turns []*turn
	var mu sync.Mutex
	var stop atomic.Bool
	var load sync.WaitGroup
	for worker := range clients {
		own := rand.New(rand.NewPCG(*seed, uint64(worker)+1))
		load.Go(func() {
			for i := 0; !stop.Load(); i++ {
				next := newTurn(p, own, fmt.Sprintf("o%d-%d", worker, i))
				if own.IntN(4) == 0 && next.stream {
					next.face = face.Anthropic{}
				}
				next.run(context.Background(), mesh)
				mu.Lock()
				turns = append(turns, next)
				mu.Unlock()
			}
		})
	}
	random := rand.New(rand.NewPCG(*seed, 0))
	result := &report{Faults: map[string]int{}}
	up := mesh.Processes[0]
	for began := time.Now(); time.Since(began) < last; {
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		up.Kill()
		result.Faults["kill -9"]++
		// Now and then it dies at its start, amid what it mends.
		if up.Begin(t); random.IntN(3) == 0 {
			time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
			up.Kill()
			result.Faults["kill -9 at the start"]++
			up.Begin(t)
		}
		up.AwaitReady(t)
	}
	stop.Store(true)
	load.Wait()
	slices.SortFunc(turns, func(a, b *turn) int { return cmp.Compare(b.took, a.took) })
	check := &checker{t: t, mesh: mesh, provider: p, report: result}
	check.check(t.Context(), turns)
	t.Logf("%d clients, %v of faults, the slowest turn %v\n%v", clients, last, turns[0].took.Round(time.Millisecond), result)
	if result.Outcomes[answered] == 0 {
		t.Error("no turn is answered")
	}
}
