package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/journal"
	kit "github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store/storetest"
)

// fill adds n settled rows of a thousand owners, with ids from the past.
const fill = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
	INSERT INTO attempts (id, request_id, response_id, session_id, owner, user_id, provider, model, number, state,
		input_tokens, output_tokens, cached_input_tokens, cache_write_tokens, reasoning_tokens, usage_source,
		cost_nanos, currency, price_version, reserve_micros, instance)
	SELECT printf('att_00%024d', i), printf('req_00%024d', i), printf('resp_00%024d', i), '', printf('owner%d', i % 1000), 'u', 'openai', 'm', 1, 2,
		1, 2, 0, 0, 0, 1, 5, 'USD', 'v', i, 'i' FROM n`

// BenchmarkGrowth reserves, settles and stores rows, and reads a page of one
// owner, in tables of growing size.
func BenchmarkGrowth(b *testing.B) {
	for _, rows := range []int{10_000, 100_000, 1_000_000} {
		dir := b.TempDir()
		j, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "journal")})
		if err != nil {
			b.Fatal(err)
		}
		defer j.Close()
		db, err := kit.Open(b.Context(), kit.Config{Path: filepath.Join(dir, "gpt.db"), Journal: j, Name: "gpt"})
		if err != nil {
			b.Fatal(err)
		}
		defer db.Close()
		if _, err := db.Migrate(b.Context(), Migrations()); err != nil {
			b.Fatal(err)
		}
		if _, err := db.Exec(b.Context(), fill, rows); err != nil {
			b.Fatal(err)
		}
		s := New(db)
		s.fresh = &seen{}
		next := 0
		b.Run(fmt.Sprintf("write/rows=%d", rows), func(b *testing.B) {
			const batch = 512
			for b.Loop() {
				next++
				a := storetest.Attempt(next, nil)
				a.Owner = fmt.Sprint("owner", next%1000)
				l, err := db.Later(context.Background(), reserved(keptValues(a, "i"), a))
				if err == nil && next%batch == 0 {
					err = l.Wait(context.Background())
					_, _ = s.List(context.Background(), store.Filter{Owner: "nobody", Limit: 1}) // runs what is pending
				}
				if err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("list/rows=%d", rows), func(b *testing.B) {
			for b.Loop() {
				if _, err := s.List(context.Background(), store.Filter{Owner: "owner7", Before: time.Now(), Limit: 20}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
