package sqlite

import (
	"bytes"
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

// Frames that are alike are stored as what they differ in, joined or not, and read as
// they were given, though the memory that they were given in has changed since.
func TestPiecesArePacked(t *testing.T) {
	t.Parallel()
	s, _ := journaled(t)
	ctx := t.Context()
	if err := s.Begin(ctx, &responsev1.Response{
		Id: "a", Owner: "me", State: responsev1.Response_STATE_RUNNING, CreateTime: timestamppb.Now(),
	}, "one"); err != nil {
		t.Fatal(err)
	}
	var want, lent []byte
	write := func(from, to int64) {
		lent = lent[:0]
		for i := from; i <= to; i++ {
			lent = fmt.Appendf(lent, "\x60data: {\"id\":\"chatcmpl-1\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":\"%06d\"}]}\n\n", i)
		}
		want = append(want, lent...)
		if err := s.Journal(ctx, []store.Piece{{ResponseID: "a", First: from, Last: to, Frames: lent}}); err != nil {
			t.Fatal(err)
		}
		clear(lent)
	}
	check := func(most int) {
		t.Helper()
		running, frames, err := s.Follow(ctx, "me", "a", 0)
		if err != nil || !running || !bytes.Equal(frames, want) {
			t.Fatalf("%t, %q, %v; want %q", running, frames, err, want)
		}
		var rows, size int
		if err := s.db.QueryRow(ctx, "select count(*), sum(length(frames)) from response_journal").Scan(&rows, &size); err != nil || rows > most || size > len(want)/3 {
			t.Errorf("%d rows of %d bytes for %d, %v", rows, size, len(want), err)
		}
	}
	write(1, 20)
	check(1)
	for i := range int64(100) {
		write(21+40*i, 60+40*i)
	}
	check(2 + len(want)/mostJoined)
}

// Pieces as an earlier release stored them are read and joined with packed ones.
func TestPiecesOfBefore(t *testing.T) {
	t.Parallel()
	frames := bytes.Repeat([]byte("\x10data: {\"a\":\"b\"}\n\n"), 9)
	packed := appendPiece(nil, frames)
	if packed[0] != packedPiece {
		t.Fatal("not packed")
	}
	joined := joinPieces([][]any{{"a", int64(1), int64(9), frames, "a"}, {"a", int64(10), int64(18), packed, "a"}})
	if len(joined) != 1 || joined[0][2] != int64(18) {
		t.Fatal(joined)
	}
	if got, err := unpackPiece(nil, joined[0][3].([]byte)); err != nil || !bytes.Equal(got, append(frames, frames...)) {
		t.Errorf("%q, %v", got, err)
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
