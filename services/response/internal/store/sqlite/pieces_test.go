package sqlite

import (
	"bytes"
	"fmt"
	"testing"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The table gets what its room hands out when it is asked, once.
func TestPiecesAreAskedFor(t *testing.T) {
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
	want := map[string]string{}
	for i := range int64(6) {
		pieces := []store.Piece{
			{ResponseID: "a", First: 2*i + 1, Last: 2*i + 2, Frames: fmt.Appendf(nil, "a%d ", i)},
			{ResponseID: "b", First: i + 1, Last: i + 1, Frames: fmt.Appendf(nil, "b%d ", i)},
		}
		for _, p := range pieces {
			want[p.ResponseID] += string(p.Frames)
		}
		if err := s.Journal(ctx, pieces); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			continue // nobody reads between
		}
		for id, want := range want {
			running, frames, err := s.Follow(ctx, "me", id, 0)
			if err != nil || !running || string(frames) != want {
				t.Errorf("%s: %t, %q, %v; want %q", id, running, frames, err, want)
			}
		}
		if len(s.pieces) > 0 {
			t.Errorf("%d pieces were not told to be stored", len(s.pieces))
		}
	}
	// One whose write was not acknowledged comes again.
	if err := s.Journal(ctx, []store.Piece{{ResponseID: "b", First: 6, Last: 7, Frames: []byte("again")}}); err != nil {
		t.Fatal(err)
	}
	if _, frames, err := s.Follow(ctx, "me", "b", 5); err != nil || string(frames) != "again" {
		t.Errorf("%q, %v", frames, err)
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
	check(101)
}

// A batch is stored by its statement, as after a crash.
func TestBatchIsRead(t *testing.T) {
	t.Parallel()
	s, _ := journaled(t)
	ctx := t.Context()
	const long = "an id of ünusual length"
	for _, id := range []string{"a", long} {
		if err := s.Begin(ctx, &responsev1.Response{
			Id: id, Owner: "me", State: responsev1.Response_STATE_RUNNING, CreateTime: timestamppb.Now(),
		}, "one"); err != nil {
			t.Fatal(err)
		}
	}
	like := bytes.Repeat([]byte("\x10data: {\"a\":\"b\"}\n\n"), 9)
	for _, pieces := range [][]store.Piece{
		nil,
		{
			{ResponseID: "a", First: 1, Last: 9, Frames: like},
			{ResponseID: long, First: 9999999, Last: 10000000, Frames: []byte("one")},
			{ResponseID: "nobody's", First: 1, Last: 1, Frames: []byte("lost")},
			{ResponseID: "a", First: 10, Last: 10, Frames: []byte("two")},
		},
		{{ResponseID: "a", First: 10, Last: 11, Frames: []byte("two and three")}}, // it comes again
	} {
		batch := []byte{}
		for _, p := range pieces {
			batch = appendBatch(batch, p)
		}
		if _, err := s.db.Exec(ctx, batchSQL, batch); err != nil {
			t.Fatal(err)
		}
	}
	for id, want := range map[string]string{"a": string(like) + "two and three", long: "one"} {
		running, frames, err := s.Follow(ctx, "me", id, 0)
		if err != nil || !running || string(frames) != want {
			t.Errorf("%s: %t, %q, %v; want %q", id, running, frames, err, want)
		}
	}
	var last int64
	if err := s.db.QueryRow(ctx, "select sum(last_sequence) from response_journal").Scan(&last); err != nil || last != 9+10000000+11 {
		t.Errorf("sequences %d, %v", last, err)
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
