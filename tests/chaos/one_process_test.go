package chaos

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// TestOneProcess kills the one process with its embedded stores under load, again
// and again, and counts what is lost.
func TestOneProcess(t *testing.T) {
	clients, last := extent(t, 24, 100, 10*time.Second)
	p := provider.Start(t, provider.Config{OpenAI: []string{model}})
	mesh := harness.Start(t, harness.Config{Provider: p, Settings: settings()})
	load := gather(mesh, p, clients, func(next *turn, own *rand.Rand) {
		if own.IntN(4) == 0 && next.stream {
			next.face = face.Anthropic{}
		}
	})
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
	turns := load.end()
	check := &checker{t: t, mesh: mesh, provider: p, report: result}
	check.check(t.Context(), turns)
	t.Logf("%d clients, %v of faults, the slowest turn %v\n%v", clients, last, turns[0].took.Round(time.Millisecond), result)
	if result.Outcomes[answered] == 0 {
		t.Error("no turn is answered")
	}
}
