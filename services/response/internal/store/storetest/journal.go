package storetest

import (
	"fmt"
	"testing"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/services/response/internal/store"
)

// journaled runs the part of the suite that is about pieces of running answers.
func journaled(t *testing.T, open func(t *testing.T) store.Store) {
	t.Run("journal", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		follow := func(id string, after int64) string {
			t.Helper()
			running, frames, err := s.Follow(ctx, "me", id, after)
			ok(t, err)
			return fmt.Sprint(running, " ", string(frames))
		}
		a, b := answer("a", "me", 0), answer("b", "me", 0)
		ok(t, s.Begin(ctx, a, "one"))
		ok(t, s.Begin(ctx, b, "dead"))
		_, _, err := s.Follow(ctx, "you", "a", 0)
		want(t, err, store.ErrNotFound)
		same(t, follow("a", 0), "true ")
		ok(t, s.Journal(ctx, []store.Piece{
			{ResponseID: "a", First: 1, Last: 3, Frames: []byte("one ")},
			{ResponseID: "b", First: 1, Last: 1, Frames: []byte("part")},
			{ResponseID: "nobody", First: 1, Last: 1, Frames: []byte("lost")},
		}))
		same(t, follow("a", 0), "true one ") // a store may join pieces that nobody looked for between
		ok(t, s.Journal(ctx, []store.Piece{{ResponseID: "a", First: 4, Last: 5, Frames: []byte("two ")}}))
		same(t, follow("a", 0), "true one two ")
		same(t, follow("a", 2), "true one two ")
		same(t, follow("a", 3), "true two ")
		// One whose commit was not acknowledged comes again, and longer.
		ok(t, s.Journal(ctx, []store.Piece{{ResponseID: "a", First: 4, Last: 7, Frames: []byte("two and three")}}))
		same(t, follow("a", 5), "true two and three")

		ok(t, s.Finish(ctx, store.Final{Response: finished(a, responsev1.Response_STATE_COMPLETED), Log: []byte("whole"), Journaled: true}))
		same(t, follow("a", 0), "false ")
		ok(t, s.Journal(ctx, []store.Piece{{ResponseID: "a", First: 8, Last: 9, Frames: []byte("late")}}))
		log, err := s.Log(ctx, "a")
		ok(t, err)
		same(t, string(log), "whole")

		n, err := s.Interrupt(ctx, store.Sweep{All: true, Except: "one", Now: epoch, Limit: 9, End: func(r *responsev1.Response, frames []byte) []byte {
			r.LastSequence = 2
			return append(frames, " and its end"...)
		}})
		ok(t, err)
		same(t, n, 1)
		log, err = s.Log(ctx, "b")
		ok(t, err)
		same(t, string(log), "part and its end")
		same(t, follow("b", 0), "false ")
	})

	t.Run("pieces that outlive their answer", func(t *testing.T) {
		t.Parallel()
		s, ctx := open(t), t.Context()
		for _, id := range []string{"a", "b", "c"} {
			ok(t, s.Begin(ctx, answer(id, "me", 0), "one"))
			ok(t, s.Journal(ctx, []store.Piece{{ResponseID: id, First: 1, Last: 2, Frames: []byte("part of " + id)}}))
			_, _, err := s.Follow(ctx, "me", id, 0) // a store may keep back what nobody looks for
			ok(t, err)
		}
		for _, id := range []string{"a", "b"} { // whose ends know of no piece
			ok(t, s.Finish(ctx, store.Final{Response: finished(answer(id, "me", 0), responsev1.Response_STATE_COMPLETED), Log: []byte("whole")}))
		}
		for _, want := range []int{1, 1, 0} {
			n, err := s.Tidy(ctx, 1)
			ok(t, err)
			same(t, n, want)
		}
		running, frames, err := s.Follow(ctx, "me", "c", 0)
		ok(t, err)
		same(t, fmt.Sprint(running, " ", string(frames)), "true part of c")
	})
}
