package sqlite

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
)

var body = []byte(strings.Repeat("x", 400))

func BenchmarkWrite(b *testing.B) {
	for _, mode := range []Synchronous{Full, Normal} {
		for _, callers := range []int{1, 16, 128} {
			b.Run(fmt.Sprintf("%s/callers=%d", mode, callers), func(b *testing.B) {
				db := open(b, Config{Synchronous: mode})
				var next atomic.Int64
				b.ReportAllocs()
				b.SetParallelism(max(1, callers/2)) // times GOMAXPROCS, 2 where this was measured
				write := func() error {
					id := next.Add(1)
					return db.Write(context.Background(), func(ctx context.Context, tx *Tx) error {
						_, err := tx.Exec(ctx, "insert into rows (id, name, body) values (?, ?, ?)", id, id, body)
						return err
					})
				}
				if callers == 1 {
					for b.Loop() {
						if err := write(); err != nil {
							b.Fatal(err)
						}
					}
				} else {
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							if err := write(); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				s := db.Stats()
				b.ReportMetric(float64(s.Writes)/float64(s.Batches), "writes/batch")
			})
		}
	}
}

// BenchmarkExec is BenchmarkWrite's statement by Exec.
func BenchmarkExec(b *testing.B) {
	for _, callers := range []int{1, 128} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			db := open(b, Config{})
			var next atomic.Int64
			b.ReportAllocs()
			b.SetParallelism(max(1, callers/2))
			write := func() error {
				id := next.Add(1)
				_, err := db.Exec(context.Background(), "insert into rows (id, name, body) values (?, ?, ?)", id, id, body)
				return err
			}
			if callers == 1 {
				for b.Loop() {
					if err := write(); err != nil {
						b.Fatal(err)
					}
				}
			} else {
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if err := write(); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			s := db.Stats()
			b.ReportMetric(float64(s.Writes)/float64(s.Batches), "writes/batch")
		})
	}
}

func BenchmarkReadOneRow(b *testing.B) {
	db := open(b, Config{})
	if err := db.Write(b.Context(), insert(1, "one")); err != nil {
		b.Fatal(err)
	}
	const query = "select name from rows where id = ?"
	var name string
	b.Run("prepared", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := db.QueryRow(context.Background(), query, 1).Scan(&name); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("unprepared", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := db.Read().QueryRow(query, 1).Scan(&name); err != nil {
				b.Fatal(err)
			}
		}
	})
}
