package sqlite_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gptmesh/gptmesh/pkg/durable"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/session/internal/store"
	sessionsqlite "github.com/gptmesh/gptmesh/services/session/internal/store/sqlite"
	"google.golang.org/protobuf/testing/protocmp"
)

// What a store that remembers tells is what one tells that asks its tables, however
// little it can remember.
func TestSoleTellsWhatTheTablesTell(t *testing.T) {
	t.Parallel()
	for _, b := range [][4]int{{3, 900, 300, 6}, {3, 0, 0, 0}, {8, 1 << 20, 500, 40}, {4096, 8 << 20, 256 << 10, 512}} {
		t.Run(fmt.Sprint(b), func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			r := &script{Rand: rand.New(rand.NewPCG(seed, 1)), now: epoch}
			for i := range 10 {
				r.ids = append(r.ids, fmt.Sprint("s", i))
			}
			s := openQuick(t, t.TempDir())
			s.Shrink(b[0], b[1], b[2], b[3])
			db, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "plain.db"), Synchronous: sqlite.Off})
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Migrate(t.Context(), sessionsqlite.Migrations()); err != nil {
				t.Fatal(err)
			}
			sole, plain := newWorld(s), newWorld(sessionsqlite.New(db))
			kick, stop := readBeside(t, s, slices.Clone(r.ids))
			group := new(durable.Group)
			for i := range 500 {
				kick()
				do, ctx := r.next(), t.Context()
				if r.IntN(2) == 0 {
					ctx = durable.With(ctx, group)
				}
				got, want := do(ctx, sole), do(t.Context(), plain)
				if diff := cmp.Diff(want, got, protocmp.Transform(), cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("seed %d, step %d: -tables +memory\n%s", seed, i, diff)
					break
				}
				if r.IntN(10) == 0 {
					if err := group.Wait(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				if r.IntN(1000) == 0 {
					stop()
					s.close(t)
					s = openQuick(t, s.dir)
					s.Shrink(b[0], b[1], b[2], b[3])
					sole.Store = s
					kick, stop = readBeside(t, s, slices.Clone(r.ids))
				}
			}
			stop()
			if n := s.db.Lost(); n > 0 {
				t.Errorf("seed %d: %d rows were lost", seed, n)
			}
			if _, _, loading := s.Remembered(); loading != 0 {
				t.Errorf("%d sessions are being read", loading)
			}
			s.close(t)
		})
	}
}

// readBeside reads and forgets beside the test, once or not for each kick, until stop
// is called.
func readBeside(t *testing.T, s *sole, names []string) (kick, stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	kicks, done := make(chan struct{}, 1), make(chan struct{})
	r := rand.New(rand.NewPCG(rand.Uint64(), 1))
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			select {
			case <-kicks:
			case <-ctx.Done():
			}
			switch r.IntN(6) {
			case 0:
				_, _ = s.Sessions(ctx, store.SessionQuery{Owner: owners[0], Limit: 3})
			case 1:
				s.Forget()
			default:
				if got, err := s.Session(ctx, owners[0], names[r.IntN(len(names))]); err == nil {
					_, _ = s.Messages(ctx, store.MessageQuery{Key: got.Key, NewestFirst: true, Limit: 5})
				}
			}
		}
	}()
	kick = func() {
		select {
		case kicks <- struct{}{}:
		default:
		}
	}
	return kick, func() { cancel(); <-done }
}
