package sqlite

import (
	"fmt"
	"testing"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Pieces that were written one by one are one row, in order; one that comes again
// stays a row of its own.
func TestPiecesAreJoined(t *testing.T) {
	t.Parallel()
	s, _ := journaled(t)
	ctx := t.Context()
	for _, id := range []string{"a", "b"} {
		if err := s.Begin(ctx, &responsev1.Response{
			Id: id, Owner: "me", State: responsev1.Response_STATE_RUNNING, CreateTime: timestamppb.Now(),
		}, "one"); err != nil {
			t.Fatal(err)
		}
	}
	for i := range int64(4) {
		if err := s.Journal(ctx, []store.Piece{
			{ResponseID: "a", First: 2*i + 1, Last: 2*i + 2, Frames: fmt.Appendf(nil, "a%d ", i)},
			{ResponseID: "b", First: i + 1, Last: i + 1, Frames: fmt.Appendf(nil, "b%d ", i)},
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Journal(ctx, []store.Piece{{ResponseID: "b", First: 4, Last: 5, Frames: []byte("again")}}); err != nil {
		t.Fatal(err)
	}
	for id, want := range map[string]string{"a": "a0 a1 a2 a3 ", "b": "b0 b1 b2 b3 again"} {
		running, frames, err := s.Follow(ctx, "me", id, 0)
		if err != nil || !running || string(frames) != want {
			t.Errorf("%s: %t, %q, %v; want %q", id, running, frames, err, want)
		}
	}
	var rows int
	if err := s.db.QueryRow(ctx, "select count(*) from response_journal").Scan(&rows); err != nil || rows != 3 {
		t.Errorf("%d rows, %v; want one of a and two of b", rows, err)
	}
}

// Pieces that are run behind the end of their answer leave nothing.
func TestPiecesOfAnEndedAnswer(t *testing.T) {
	t.Parallel()
	s, _ := journaled(t)
	ctx := t.Context()
	r := &responsev1.Response{Id: "a", Owner: "me", State: responsev1.Response_STATE_RUNNING, CreateTime: timestamppb.Now()}
	if err := s.Begin(ctx, r, "one"); err != nil {
		t.Fatal(err)
	}
	if err := s.Journal(ctx, []store.Piece{{ResponseID: "a", First: 1, Last: 2, Frames: []byte("part")}}); err != nil {
		t.Fatal(err)
	}
	r.State, r.FinishTime, r.LastSequence = responsev1.Response_STATE_COMPLETED, timestamppb.Now(), 3
	if err := s.Finish(ctx, store.Final{Response: r, Log: []byte("whole"), Journaled: true}); err != nil {
		t.Fatal(err)
	}
	log, err := s.Log(ctx, "a")
	if err != nil || string(log) != "whole" {
		t.Errorf("%q, %v", log, err)
	}
	var rows int
	if err := s.db.QueryRow(ctx, "select count(*) from response_journal").Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d pieces are left, %v", rows, err)
	}
}
