package storetest

import (
	"fmt"
	"testing"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store"
)

// Of heads there are no more than may be, whatever makes them, and those that are
// there take more.
func heads(t *testing.T, open Open) {
	s, _ := open(t)
	tell := func(id, head string) error {
		f := &classifierv1.Feedback{Id: id, Owner: "o", Head: head, Text: "x", Label: "a", CreateTime: at(0)}
		return s.AddFeedback(t.Context(), f, sample(1, head, id), 3)
	}
	ok(t, tell("1", "h"))
	add(t, s, "v", "h")
	add(t, s, "w", "i")
	ok(t, tell("2", "j"))
	same(t, tell("3", "k"), store.ErrTooManyHeads)
	_, err := s.AddVersion(t.Context(), version("x", "k"), nil, 3)
	same(t, err, store.ErrTooManyHeads)
	_, err = s.Feedback(t.Context(), "o", "3")
	same(t, err, store.ErrNotFound)
	same(t, must[[]*store.Sample](t)(s.Samples(t.Context(), store.SampleQuery{Head: "k", Limit: 1})), []*store.Sample{})
	for n, head := range []string{"h", "i", "j"} {
		ok(t, tell(fmt.Sprint("more", n), head))
		add(t, s, "more"+head, head)
	}
}

// The oldest versions go, but those that answer or may answer again.
func trimVersions(t *testing.T, open Open) {
	s, _ := open(t)
	ctx := t.Context()
	kept := func(head string) (ids string) {
		for _, v := range must[[]*classifierv1.ModelVersion](t)(s.Versions(ctx, store.VersionQuery{Head: head, Limit: 100})) {
			ids += v.GetId()
		}
		return ids
	}
	for _, id := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		add(t, s, id, "h")
	}
	add(t, s, "i", "other")
	for _, id := range []string{"d", "a", "b", "c"} {
		ok(t, s.Activate(ctx, "h", id, epoch))
	}
	ok(t, s.SetCanary(ctx, "h", "e", 5))
	before, _ := lineup(t, s)
	same(t, must[int64](t)(s.TrimVersions(ctx, 4)), int64(0))
	same(t, must[int64](t)(s.TrimVersions(ctx, 2)), int64(2)) // a and d
	same(t, must[int64](t)(s.TrimVersions(ctx, 2)), int64(0))
	same(t, kept("h"), "gfecb")
	same(t, kept("other"), "i")
	after, text := lineup(t, s)
	same(t, []any{after, text}, []any{before, "h:c:0 h:e:5 "})
	_, err := s.File(ctx, "a")
	same(t, err, store.ErrNotFound)
	same(t, add(t, s, "j", "h").GetNumber(), int64(8))
	same(t, must[string](t)(s.Rollback(ctx, "h", true, epoch)), "b")
	same(t, must[string](t)(s.Rollback(ctx, "h", true, epoch)), "") // a and d are gone
	same(t, must[int64](t)(s.TrimVersions(ctx, 1)), int64(5))
	same(t, kept("h"), "j")
	same(t, add(t, s, "k", "h").GetNumber(), int64(9))
}

func trimActivations(t *testing.T, open Open) {
	s, _ := open(t)
	ctx := t.Context()
	add(t, s, "a", "h")
	add(t, s, "b", "h")
	add(t, s, "c", "i")
	for n := range 6 {
		ok(t, s.Activate(ctx, "h", []string{"a", "b"}[n%2], epoch))
	}
	ok(t, s.Activate(ctx, "i", "c", epoch))
	same(t, must[int64](t)(s.TrimActivations(ctx, 6)), int64(0))
	same(t, must[int64](t)(s.TrimActivations(ctx, 3)), int64(3))
	same(t, must[string](t)(s.Rollback(ctx, "h", true, epoch)), "a")
	same(t, must[string](t)(s.Rollback(ctx, "h", true, epoch)), "b")
	same(t, must[string](t)(s.Rollback(ctx, "h", true, epoch)), "") // before that, nothing is known
	_, text := lineup(t, s)
	same(t, text, "i:c:0 ")
}

func trimTrainings(t *testing.T, open Open) {
	s, _ := open(t)
	ctx := t.Context()
	for n := range 6 {
		head := []string{"h", "i"}[n%2]
		row := &classifierv1.Training{Id: fmt.Sprint("trn_", n), Head: head, State: classifierv1.Training_STATE_RUNNING, CreateTime: at(n)}
		_, err := s.BeginTraining(ctx, row, at(n).AsTime(), at(n-1).AsTime())
		ok(t, err)
		if n < 5 { // the last one runs
			row.State = classifierv1.Training_STATE_REJECTED
			ok(t, s.EndTraining(ctx, row))
		}
	}
	same(t, must[int64](t)(s.TrimTrainings(ctx, 3)), int64(0))
	same(t, must[int64](t)(s.TrimTrainings(ctx, 1)), int64(3)) // of h two, of i one
	same(t, must[int64](t)(s.TrimTrainings(ctx, 1)), int64(0))
	var kept []string
	for _, row := range must[[]*classifierv1.Training](t)(s.ListTrainings(ctx, "", "", 10)) {
		kept = append(kept, row.GetId())
	}
	same(t, kept, []string{"trn_5", "trn_4", "trn_3"})
	same(t, must[bool](t)(s.Beat(ctx, "trn_5", at(9).AsTime())), false)
}
