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
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// extent is how many clients a test has and how long it makes faults: short, or as the
// flags say with the most clients. It chooses the seed where none is given, and tells it.
func extent(t *testing.T, few, most int, short time.Duration) (clients int, last time.Duration) {
	if *seed == 0 {
		*seed = rand.Uint64()
	}
	t.Logf("seed %d", *seed)
	if *long {
		return most, *span
	}
	return few, short
}

// crowd is clients that ask one turn after the other, until they are to end.
type crowd struct {
	over    atomic.Bool
	clients sync.WaitGroup

	mu    sync.Mutex
	turns []*turn
}

// gather begins the clients. vary, where it is not nil, changes a turn before it is asked.
func gather(mesh *harness.Mesh, p *provider.Provider, clients int, vary func(*turn, *rand.Rand)) *crowd {
	mesh.HTTP().Transport.(*http.Transport).MaxIdleConnsPerHost = clients
	c := &crowd{}
	for worker := range clients {
		own := rand.New(rand.NewPCG(*seed, uint64(worker)+1))
		c.clients.Go(func() {
			for i := 0; !c.over.Load(); i++ {
				next := newTurn(p, own, fmt.Sprintf("c%d-%d", worker, i))
				if vary != nil {
					vary(next, own)
				}
				next.run(context.Background(), mesh)
				c.mu.Lock()
				c.turns = append(c.turns, next)
				c.mu.Unlock()
			}
		})
	}
	return c
}

// end lets each client end its turn, and returns all turns, the slowest first.
func (c *crowd) end() []*turn {
	c.over.Store(true)
	c.clients.Wait()
	slices.SortFunc(c.turns, func(a, b *turn) int { return cmp.Compare(b.took, a.took) })
	return c.turns
}
