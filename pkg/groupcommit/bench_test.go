package groupcommit

import (
	"context"
	"fmt"
	"testing"
)

// nothing is an Engine whose commits cost nothing: what is left is the price of
// sharing them.
type nothing struct{}

func (nothing) Begin() (struct{}, error)  { return struct{}{}, nil }
func (nothing) Commit(struct{}) error     { return nil }
func (nothing) Rollback(struct{})         {}
func (nothing) Savepoint(struct{}) error  { return nil }
func (nothing) Release(struct{}) error    { return nil }
func (nothing) RollbackTo(struct{}) error { return nil }

func BenchmarkDo(b *testing.B) {
	for _, callers := range []int{1, 16, 128} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			c := New[struct{}](nothing{}, Config{})
			defer c.Close()
			write := func(context.Context, struct{}) error { return nil }
			b.SetParallelism(callers)
			b.ReportAllocs()
			b.RunParallel(func(p *testing.PB) {
				for p.Next() {
					if err := c.Do(context.Background(), write); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
