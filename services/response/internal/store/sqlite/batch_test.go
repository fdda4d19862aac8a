package sqlite

import (
	"fmt"
	"testing"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// BenchmarkBatch stores a batch by its statement.
func BenchmarkBatch(b *testing.B) {
	s, _ := journaled(b)
	ctx := b.Context()
	var batch []byte
	frames := make([]byte, 2000)
	n := 0
	for ; len(batch) < mostBatch; n++ {
		id := fmt.Sprintf("resp_%026d", n)
		if err := s.Begin(ctx, &responsev1.Response{Id: id, Owner: "me", State: responsev1.Response_STATE_RUNNING, CreateTime: timestamppb.Now()}, "one"); err != nil {
			b.Fatal(err)
		}
		batch = appendBatch(batch, store.Piece{ResponseID: id, First: 1, Last: 9, Frames: frames})
	}
	for b.Loop() {
		if _, err := s.db.Exec(ctx, batchSQL, batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*n), "µs/piece")
}
