package gate

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T, config Config) *Gate {
	t.Helper()
	g, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	return g
}

// Few pass at once: nobody waits and no keeper is needed.
func TestFewPass(t *testing.T) {
	t.Parallel()
	g := open(t, Config{Free: 3, Window: time.Hour})
	for range 3 {
		if g.join() != nil {
			t.Fatal("one of three has to wait")
		}
	}
	if g.join() == nil {
		t.Error("a fourth has not")
	}
}

// A window later as many pass again.
func TestWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &Gate{config: Config{Free: 1, Window: time.Second}} // no poller: nobody waits
		for range 3 {
			g.Pass()
			time.Sleep(time.Second)
		}
	})
}

// Of a crowd everybody passes, none before those who came earlier.
func TestCrowd(t *testing.T) {
	t.Parallel()
	g := open(t, Config{Free: 1, Window: time.Hour})
	g.Pass()
	turns := make([]<-chan struct{}, 500)
	for i := range turns {
		if turns[i] = g.join(); turns[i] == nil {
			if i == 0 {
				t.Fatal("the second of one need not wait")
			}
			turns = turns[:i] // all had passed by then
			break
		}
	}
	for i := len(turns) - 1; i >= 0; i -= 99 {
		<-turns[i]
		for j, turn := range turns[:i] {
			select {
			case <-turn:
			default:
				t.Errorf("number %d passed before number %d", i, j)
			}
		}
	}
}

// Of a crowd nobody passes before the sockets were looked at, and few pass then: what has
// come from them goes before the rest, in every round anew. Who comes later waits behind.
func TestEventsGoFirst(t *testing.T) {
	t.Parallel()
	few, fewByClock := byRound*runtime.GOMAXPROCS(0), byClock*runtime.GOMAXPROCS(0)
	for name, want := range map[string]struct {
		idle bool // how each round ends
		few  int
	}{"idle": {true, few}, "by the clock": {false, fewByClock}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := open(t, Config{Free: 1, Window: time.Hour})
			looks, looked := make(chan struct{}), make(chan bool)
			g.round = func(time.Duration) bool { looks <- struct{}{}; return <-looked }
			g.Pass()
			const rounds = 5
			crowd := make([]<-chan struct{}, rounds*want.few-1)
			for i := range crowd {
				crowd[i] = g.join()
			}
			passed := func() (n int) {
				for _, turn := range crowd {
					select {
					case <-turn:
						n++
					default:
					}
				}
				return n
			}
			for round := range rounds {
				<-looks // events are handled while the keeper waits here
				if n := passed(); n != round*want.few {
					t.Errorf("in round %d %d have passed, want %d", round, n, round*want.few)
				}
				if round == 2 {
					crowd = append(crowd, g.join())
				}
				looked <- want.idle
			}
			for _, turn := range crowd {
				<-turn
			}
		})
	}
}

// Many crowds at once, with one that closes the gate.
func TestCloseLetsPass(t *testing.T) {
	t.Parallel()
	g := open(t, Config{Free: 1, Window: time.Hour})
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(g.Pass)
	}
	wg.Go(g.Close)
	wg.Wait()
	g.Pass()
	g.Close()
	var none *Gate
	none.Pass()
	none.Close()
}

// A round that nobody's idleness ends is ended by the clock, and the next one waits
// as long as any.
func TestRoundByTheClock(t *testing.T) {
	t.Parallel()
	var p poller
	if err := p.open(); err != nil {
		t.Fatal(err)
	}
	defer p.close()
	p.round(-time.Second) // over before it began
	if !p.round(time.Minute) {
		t.Error("the next one was not seen")
	}
	if !p.round(time.Minute) {
		t.Error("nor the one behind")
	}
}

func BenchmarkPass(b *testing.B) {
	g, err := New(Config{Free: 1 << 60})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	for b.Loop() {
		g.Pass()
	}
}

func BenchmarkCrowd(b *testing.B) {
	g, err := New(Config{Free: 1, Window: time.Hour})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			g.Pass()
		}
	})
}
