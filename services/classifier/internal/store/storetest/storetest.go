// Package storetest holds every store of the classifier to the specification in
// package store.
package storetest

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/services/classifier/internal/store"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Open returns a store that is empty and reopen, which closes it and opens it
// again over the same data.
type Open func(t testing.TB) (s *store.Store, reopen func() *store.Store)

// Run runs every test.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"Feedback": feedback, "Samples": samples, "TrimSamples": trimSamples, "TrimFeedback": trimFeedback, "OneSource": oneSource,
		"Versions": versions, "Activate": activate, "Canary": canary, "Rollback": rollback, "OneActive": oneActive,
		"Trainings": trainings, "DeadTraining": deadTraining, "OneTraining": oneTraining, "Reopen": reopened,
		"Heads": heads, "TrimVersions": trimVersions, "TrimActivations": trimActivations, "TrimTrainings": trimTrainings,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, open) })
	}
}

var epoch = time.Date(2026, 11, 20, 12, 0, 0, 123456000, time.UTC)

func at(n int) *timestamppb.Timestamp {
	return timestamppb.New(epoch.Add(time.Duration(n) * time.Second))
}

func same(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform(), cmpopts.EquateEmpty(), cmpopts.EquateErrors()); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func ok(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sample(n int, head, source string) *store.Sample {
	return &store.Sample{Owner: "o", TrainingSample: &classifierv1.TrainingSample{
		Id: fmt.Sprintf("smp_%03d", n), Head: head, Text: fmt.Sprintf("text %d 試", n), Group: "g", Label: []string{"a", "b"}[n%2],
		Origin: classifierv1.SampleOrigin_SAMPLE_ORIGIN_TASK, SourceId: source, CreateTime: at(n / 2),
	}}
}

func feedback(t *testing.T, open Open) {
	s, _ := open(t)
	ctx := t.Context()
	f := &classifierv1.Feedback{Id: "f", Owner: "o", Head: "h", Text: "x", Label: "a", Helpful: proto.Bool(false), CreateTime: at(0)}
	ok(t, s.AddFeedback(ctx, f, sample(1, "h", "f"), 1))
	same(t, must[*classifierv1.Feedback](t)(s.Feedback(ctx, "o", "f")), f)
	same(t, s.AddFeedback(ctx, f, sample(2, "h", "other"), 1), store.ErrExists)
	_, err := s.Feedback(ctx, "other", "f")
	same(t, err, store.ErrNotFound)
	f2 := proto.CloneOf(f)
	f2.Owner = "p"
	ok(t, s.AddFeedback(ctx, f2, nil, 1))
	same(t, must[[]store.HeadCount](t)(s.Counts(ctx)), []store.HeadCount{
		{Head: "h", Samples: 1, Feedback: 2, Labels: []*classifierv1.LabelCount{{Label: "b", Count: 1}}},
	})
	for i, label := range []string{"a", "b", "", "b"} { // right, wrong, denied, right
		ok(t, s.AddFeedback(ctx, &classifierv1.Feedback{
			Id: fmt.Sprint(i), Owner: "o", Head: "h", Text: "x", Predicted: []string{"a", "a", "a", "b"}[i], Label: label, CreateTime: at(i + 1),
		}, nil, 1))
	}
	for _, c := range []struct {
		head          string
		since         time.Time
		limit         int
		judged, right int
	}{
		{"h", time.Time{}, 100, 4, 2}, {"h", at(2).AsTime(), 100, 3, 1}, {"h", time.Time{}, 1, 1, 1}, {"other", time.Time{}, 100, 0, 0},
	} {
		judged, right, err := s.Judged(ctx, c.head, c.since, c.limit)
		ok(t, err)
		same(t, []int{judged, right}, []int{c.judged, c.right})
	}
}

func samples(t *testing.T, open Open) {
	s, _ := open(t)
	ctx := t.Context()
	var list []*store.Sample
	for n := range 10 {
		list = append(list, sample(n, []string{"h", "i"}[n/8], fmt.Sprint(n)))
	}
	list[3].Owner = "p"
	same(t, must[int](t)(s.AddSamples(ctx, list)), 10)
	same(t, must[int](t)(s.AddSamples(ctx, list[:3])), 0)
	ids := func(q store.SampleQuery) (ids []string) {
		t.Helper()
		if q.Limit == 0 {
			q.Limit = 100
		}
		for _, got := range must[[]*store.Sample](t)(s.Samples(ctx, q)) {
			ids = append(ids, got.GetId()[4:])
		}
		return ids
	}
	same(t, must[[]*store.Sample](t)(s.Samples(ctx, store.SampleQuery{SourceID: "3", Limit: 1})), []*store.Sample{list[3]})
	same(t, ids(store.SampleQuery{Head: "h"}), []string{"007", "006", "005", "004", "003", "002", "001", "000"})
	same(t, ids(store.SampleQuery{Owner: "p"}), []string{"003"})
	same(t, ids(store.SampleQuery{Head: "h", Owner: "o", Before: list[5].TrainingSample, Limit: 2}), []string{"004", "002"})
	same(t, ids(store.SampleQuery{Before: list[4].TrainingSample}), []string{"003", "002", "001", "000"})
	same(t, must[int64](t)(s.CountSince(ctx, "h", at(2).AsTime())), int64(4))
	same(t, must[[]store.HeadCount](t)(s.Counts(ctx)), []store.HeadCount{
		{Head: "h", Samples: 8, Labels: []*classifierv1.LabelCount{{Label: "a", Count: 4}, {Label: "b", Count: 4}}},
		{Head: "i", Samples: 2, Labels: []*classifierv1.LabelCount{{Label: "a", Count: 1}, {Label: "b", Count: 1}}},
	})
}

func trimSamples(t *testing.T, open Open) {
	s, _ := open(t)
	ctx := t.Context()
	for n := range 6 {
		must[int](t)(s.AddSamples(ctx, []*store.Sample{sample(n, "h", fmt.Sprint(n)), sample(n+10, "i", fmt.Sprint(n))}))
	}
	same(t, must[int64](t)(s.TrimSamples(ctx, "h", 2)), int64(4))
	same(t, must[int64](t)(s.TrimSamples(ctx, "h", 2)), int64(0))
	var kept []string
	for _, got := range must[[]*store.Sample](t)(s.Samples(ctx, store.SampleQuery{Head: "h", Limit: 10})) {
		kept = append(kept, got.GetSourceId())
	}
	same(t, kept, []string{"5", "4"})
	same(t, len(must[[]*store.Sample](t)(s.Samples(ctx, store.SampleQuery{Head: "i", Limit: 10}))), 6)
}

func trimFeedback(t *testing.T, open Open) {
	s, _ := open(t)
	ctx := t.Context()
	for n, place := range []string{"o 1", "o 2", "p 0", "p 2"} { // the last three at one time
		owner, id, _ := strings.Cut(place, " ")
		for _, head := range []string{"h", "i"} {
			ok(t, s.AddFeedback(ctx, &classifierv1.Feedback{
				Id: head + id, Owner: owner, Head: head, Text: "x", Label: "a", CreateTime: at(min(n, 1)),
			}, sample(n, head, head+place), 2))
		}
	}
	same(t, must[int64](t)(s.TrimFeedback(ctx, "h", 4)), int64(0))
	same(t, must[int64](t)(s.TrimFeedback(ctx, "h", 2)), int64(2))
	same(t, must[int64](t)(s.TrimFeedback(ctx, "h", 2)), int64(0))
	for place, want := range map[string]error{"o h1": store.ErrNotFound, "o h2": store.ErrNotFound, "p h0": nil, "p h2": nil, "o i1": nil} {
		owner, id, _ := strings.Cut(place, " ")
		_, err := s.Feedback(ctx, owner, id)
		same(t, err, want)
	}
	counts := must[[]store.HeadCount](t)(s.Counts(ctx))
	same(t, []int64{counts[0].Feedback, counts[0].Samples, counts[1].Feedback}, []int64{2, 4, 4})
}

// Many that bring the same source at once store it once.
func oneSource(t *testing.T, open Open) {
	s, _ := open(t)
	var added atomic.Int64
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			k, err := s.AddSamples(t.Context(), []*store.Sample{sample(n, "h", "task")})
			if err != nil {
				t.Error(err)
			}
			added.Add(int64(k))
		})
	}
	all.Wait()
	same(t, added.Load(), int64(1))
}

func version(id, head string) *classifierv1.ModelVersion {
	return &classifierv1.ModelVersion{
		Id: id, Head: head, State: classifierv1.ModelVersion_STATE_CANDIDATE, Origin: classifierv1.ModelVersion_ORIGIN_RETRAINED,
		Labels: []string{"a", "b"}, FileDigest: "digest of " + id, Evaluation: &classifierv1.Evaluation{Rows: 3, Accuracy: 0.5}, CreateTime: at(1),
	}
}

func add(t testing.TB, s *store.Store, id, head string) *classifierv1.ModelVersion {
	t.Helper()
	return must[*classifierv1.ModelVersion](t)(s.AddVersion(t.Context(), version(id, head), []byte("file of "+id), 9))
}

func versions(t *testing.T, open Open) {
	s, _ := open(t)
	ctx := t.Context()
	want := version("b", "h")
	want.Number = 1
	same(t, add(t, s, "b", "h"), want)
	same(t, must[*classifierv1.ModelVersion](t)(s.Version(ctx, "b")), want)
	same(t, string(must[[]byte](t)(s.File(ctx, "b"))), "file of b")
	same(t, add(t, s, "a", "h").GetNumber(), int64(2))
	same(t, add(t, s, "c", "g").GetNumber(), int64(1))
	twin := version("twin", "h")
	twin.FileDigest = want.GetFileDigest()
	same(t, must[*classifierv1.ModelVersion](t)(s.AddVersion(ctx, twin, []byte("x"), 0)), want)
	_, err := s.Version(ctx, "twin")
	same(t, err, store.ErrNotFound)
	_, err = s.File(ctx, "twin")
	same(t, err, store.ErrNotFound)
	ids := func(q store.VersionQuery) (ids string) {
		q.Limit = max(q.Limit, 1)
		for _, v := range must[[]*classifierv1.ModelVersion](t)(s.Versions(ctx, q)) {
			ids += v.GetId()
		}
		return ids
	}
	same(t, ids(store.VersionQuery{Limit: 9}), "cab")
	same(t, ids(store.VersionQuery{Head: "h", Limit: 9}), "ab")
	same(t, ids(store.VersionQuery{AfterHead: "g", AfterNumber: 1}), "a")
	same(t, ids(store.VersionQuery{AfterHead: "h", AfterNumber: 2}), "b")
}

// lineup is the active versions and canaries of all heads.
func lineup(t testing.TB, s *store.Store) (revision int64, text string) {
	t.Helper()
	revision, list, err := s.Lineup(t.Context())
	ok(t, err)
	same(t, must[int64](t)(s.Revision(t.Context())), revision)
	for _, v := range list {
		text += fmt.Sprintf("%s:%s:%d ", v.GetHead(), v.GetId(), v.GetCanaryPercent())
	}
	return revision, text
}

func activate(t *testing.T, open Open) {
	s, _ := open(t)
	ctx := t.Context()
	add(t, s, "a", "h")
	add(t, s, "b", "h")
	before, text := lineup(t, s)
	same(t, text, "")
	ok(t, s.Activate(ctx, "h", "a", epoch))
	after, text := lineup(t, s)
	same(t, text, "h:a:0 ")
	if before == after {
		t.Error("the revision stayed")
	}
	ok(t, s.Activate(ctx, "h", "b", epoch.Add(time.Second)))
	same(t, must[*classifierv1.ModelVersion](t)(s.Version(ctx, "a")).GetState(), classifierv1.ModelVersion_STATE_RETIRED)
	got := must[*classifierv1.ModelVersion](t)(s.Version(ctx, "b"))
	same(t, []any{got.GetState(), got.GetActivateTime()}, []any{classifierv1.ModelVersion_STATE_ACTIVE, at(1)})
	same(t, s.Activate(ctx, "h", "none", epoch), store.ErrNotFound)
	same(t, s.Activate(ctx, "g", "a", epoch), store.ErrNotFound)
	_, text = lineup(t, s)
	same(t, text, "h:b:0 ")
	ok(t, s.Activate(ctx, "h", "", epoch))
	_, text = lineup(t, s)
	same(t, text, "")
}

func canary(t *testing.T, open Open) {
	s, _ := open(t)
	ctx := t.Context()
	for _, id := range []string{"a", "b", "c"} {
		add(t, s, id, "h")
	}
	ok(t, s.Activate(ctx, "h", "a", epoch))
	same(t, s.SetCanary(ctx, "h", "a", 10), store.ErrExists)
	same(t, s.SetCanary(ctx, "h", "none", 10), store.ErrNotFound)
	ok(t, s.SetCanary(ctx, "h", "b", 10))
	ok(t, s.SetCanary(ctx, "h", "c", 20))
	_, text := lineup(t, s)
	same(t, text, "h:a:0 h:c:20 ")
	ok(t, s.SetCanary(ctx, "h", "c", 30))
	ok(t, s.Activate(ctx, "h", "b", epoch))
	_, text = lineup(t, s)
	same(t, text, "h:b:0 h:c:30 ")
	ok(t, s.Activate(ctx, "h", "c", epoch))
	_, text = lineup(t, s)
	same(t, text, "h:c:0 ")
	ok(t, s.SetCanary(ctx, "h", "a", 1))
	ok(t, s.EndCanary(ctx, "h"))
	ok(t, s.EndCanary(ctx, "h"))
	_, text = lineup(t, s)
	same(t, text, "h:c:0 ")
}

func rollback(t *testing.T, open Open) {
	s, _ := open(t)
	ctx := t.Context()
	_, err := s.Rollback(ctx, "h", true, epoch)
	same(t, err, store.ErrNoPrevious)
	for _, id := range []string{"a", "b", "c"} {
		add(t, s, id, "h")
		ok(t, s.Activate(ctx, "h", id, epoch))
	}
	ok(t, s.SetCanary(ctx, "h", "a", 5))
	same(t, must[string](t)(s.Rollback(ctx, "h", true, epoch)), "b")
	_, text := lineup(t, s)
	same(t, text, "h:b:0 ")
	same(t, must[string](t)(s.Rollback(ctx, "h", false, epoch)), "a")
	_, err = s.Rollback(ctx, "h", false, epoch)
	same(t, err, store.ErrNoPrevious)
	_, text = lineup(t, s)
	same(t, text, "h:a:0 ")
	same(t, must[string](t)(s.Rollback(ctx, "h", true, epoch)), "")
	_, text = lineup(t, s)
	same(t, text, "")
	ok(t, s.Activate(ctx, "h", "c", epoch))
	same(t, must[string](t)(s.Rollback(ctx, "h", true, epoch)), "")
}

// Many that activate at once leave one active version.
func oneActive(t *testing.T, open Open) {
	s, _ := open(t)
	var all sync.WaitGroup
	for n := range 6 {
		id := fmt.Sprint("v", n)
		all.Go(func() {
			if _, err := s.AddVersion(t.Context(), version(id, "h"), []byte(id), 1); err != nil {
				t.Error(err)
			}
			if err := s.Activate(t.Context(), "h", id, epoch); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	_, list, err := s.Lineup(t.Context())
	ok(t, err)
	same(t, len(list), 1)
	for range 5 {
		must[string](t)(s.Rollback(t.Context(), "h", false, epoch))
	}
	_, err = s.Rollback(t.Context(), "h", false, epoch)
	same(t, err, store.ErrNoPrevious)
}

func training(id, head string, n int) *classifierv1.Training {
	return &classifierv1.Training{Id: id, Head: head, State: classifierv1.Training_STATE_RUNNING, Trigger: "call", CreateTime: at(n)}
}

func trainings(t *testing.T, open Open) {
	s, _ := open(t)
	ctx := t.Context()
	stale := epoch.Add(-time.Minute)
	first := training("trn_1", "h", 0)
	_, err := s.BeginTraining(ctx, first, epoch, stale)
	ok(t, err)
	same(t, must[*classifierv1.Training](t)(s.Training(ctx, "trn_1")), first)
	id, err := s.BeginTraining(ctx, training("trn_2", "g", 1), epoch, stale)
	same(t, []any{id, err}, []any{"trn_1", store.ErrBusy})
	_, err = s.Training(ctx, "trn_2")
	same(t, err, store.ErrNotFound)
	same(t, must[bool](t)(s.Beat(ctx, "trn_1", epoch)), false)
	ok(t, s.AskCancel(ctx, "trn_1"))
	same(t, must[bool](t)(s.Beat(ctx, "trn_1", epoch)), true)
	first.State, first.Message = classifierv1.Training_STATE_CANCELLED, "over"
	ok(t, s.EndTraining(ctx, first))
	same(t, s.EndTraining(ctx, first), store.ErrNotFound)
	_, err = s.Beat(ctx, "trn_1", epoch)
	same(t, err, store.ErrNotFound)
	ok(t, s.AskCancel(ctx, "trn_1"))
	_, err = s.BeginTraining(ctx, training("trn_2", "g", 1), epoch, stale)
	ok(t, err)
	ids := func(head, before string, limit int) (ids string) {
		for _, v := range must[[]*classifierv1.Training](t)(s.ListTrainings(ctx, head, before, limit)) {
			ids += v.GetId()[4:]
		}
		return ids
	}
	same(t, []string{ids("", "", 9), ids("h", "", 9), ids("", "trn_2", 9), ids("", "", 1)}, []string{"21", "1", "1", "2"})
	same(t, must[time.Time](t)(s.LastTraining(ctx, "g")), at(1).AsTime())
	same(t, must[time.Time](t)(s.LastTraining(ctx, "none")).IsZero(), true)
}

// A run whose process is gone makes room for another.
func deadTraining(t *testing.T, open Open) {
	s, _ := open(t)
	ctx := t.Context()
	_, err := s.BeginTraining(ctx, training("trn_1", "h", 0), epoch, epoch.Add(-time.Minute))
	ok(t, err)
	later := epoch.Add(time.Hour)
	_, err = s.BeginTraining(ctx, training("trn_2", "h", 1), later, later.Add(-time.Minute))
	ok(t, err)
	got := must[*classifierv1.Training](t)(s.Training(ctx, "trn_1"))
	same(t, []any{got.GetState(), got.GetFinishTime()}, []any{classifierv1.Training_STATE_INTERRUPTED, timestamppb.New(later)})
	_, err = s.Beat(ctx, "trn_1", later)
	same(t, err, store.ErrNotFound)
}

// Of many that begin at once one does.
func oneTraining(t *testing.T, open Open) {
	s, _ := open(t)
	var begun atomic.Int64
	var all sync.WaitGroup
	for n := range 6 {
		all.Go(func() {
			_, err := s.BeginTraining(t.Context(), training(fmt.Sprint("trn_", n), "h", n), epoch, epoch.Add(-time.Minute))
			switch {
			case err == nil:
				begun.Add(1)
			case !errors.Is(err, store.ErrBusy):
				t.Error(err)
			}
		})
	}
	all.Wait()
	same(t, begun.Load(), int64(1))
}

func reopened(t *testing.T, open Open) {
	s, reopen := open(t)
	ctx := t.Context()
	add(t, s, "a", "h")
	ok(t, s.Activate(ctx, "h", "a", epoch))
	must[int](t)(s.AddSamples(ctx, []*store.Sample{sample(1, "h", "x")}))
	s = reopen()
	ok(t, s.Ping(ctx))
	_, text := lineup(t, s)
	same(t, text, "h:a:0 ")
	same(t, must[int](t)(s.AddSamples(ctx, []*store.Sample{sample(2, "h", "x")})), 0)
	same(t, must[string](t)(s.Rollback(ctx, "h", true, epoch)), "")
}
