package classifier_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/events/embedded"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/classifier"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
	"google.golang.org/protobuf/proto"
)

// logOf is a log of what a room's store tells.
func logOf(t *testing.T, room classifier.Deps) *embedded.Broker {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "events.db"), Synchronous: sqlite.Off})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	deps := embedded.Deps{SQLite: db, RoomsSQLite: map[string]*sqlite.DB{"classifier": room.SQLite}}
	liteFS, pgFS := embedded.Migrations()
	if room.Postgres != nil {
		own, err := postgres.Open(t.Context(), postgres.Config{URL: room.Postgres.Pool().Config().ConnString(), Schema: "events"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(own.Close)
		if _, err := own.Migrate(t.Context(), pgFS); err != nil {
			t.Fatal(err)
		}
		deps = embedded.Deps{Postgres: own, RoomsPostgres: map[string]*postgres.DB{"classifier": room.Postgres}}
	} else if _, err := db.Migrate(t.Context(), liteFS); err != nil {
		t.Fatal(err)
	}
	log, err := embedded.New(embedded.Config{}, deps)
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { log.Close() })
	return log
}

// Feedback is told once, with what it says and to its owner; what is refused, or
// was kept before, is not.
func TestFeedbackIsTold(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, store func(*classifier.Deps)) {
		var deps classifier.Deps
		room := enrol(t, store, func(_ *classifier.Config, d *classifier.Deps) {
			d.Events = events.NewRecorder("classifier")
			deps = *d
		})
		ctx := callctx.With(t.Context(), callctx.Call{RequestID: "call", Principal: callctx.Principal{ID: "key:me", Kind: callctx.Key}})
		const text = "please look at the rockets today"
		for _, req := range []*classifierv1.RecordFeedbackRequest{
			{FeedbackId: "one", Text: text, Predicted: "feature", Helpful: proto.Bool(false)},
			{FeedbackId: "one", Text: text, Predicted: "feature", Helpful: proto.Bool(false)},
			{FeedbackId: "two", Text: text, Label: "test", RequestId: "req"},
		} {
			if _, err := room.RecordFeedback(ctx, req); err != nil {
				t.Fatal(err)
			}
		}
		_, err := room.RecordFeedback(ctx, &classifierv1.RecordFeedbackRequest{FeedbackId: "two", Text: text, Label: "feature"})
		same(t, reasonOf(err), meshv1.ErrorReason_ERROR_REASON_ALREADY_EXISTS)
		if _, err := room.RecordFeedback(ctx, &classifierv1.RecordFeedbackRequest{FeedbackId: "three", Text: text, Label: "test"}); err != nil {
			t.Fatal(err)
		}

		var got []string
		log := logOf(t, deps)
		reading, enough := context.WithTimeout(t.Context(), time.Minute)
		defer enough()
		err = log.Subscribe(reading, events.Subscription{Start: events.Start{Earliest: true}}, func(_ context.Context, e *events.Event) error {
			told := &classifierv1.FeedbackReceived{}
			if err := e.GetPayload().UnmarshalTo(told); err != nil {
				t.Error(err)
			}
			got = append(got, fmt.Sprint(e.GetType(), " ", e.GetOwner(), " ", e.GetCorrelationId(), " ", e.GetKey(), ": ",
				told.GetFeedbackId(), " ", told.GetHead(), " ", told.GetPredicted(), ">", told.GetLabel(), " ", told.GetSource()))
			if told.GetFeedbackId() == "three" {
				enough()
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		const begin = "classifier.feedback_received key:me call "
		same(t, got, []string{
			begin + "one: one task_type feature> user", begin + "req: two task_type >test user", begin + "three: three task_type >test user",
		})
	})
}

// Of a head no more samples and feedback stay than are to be kept, though nothing
// is trained.
func TestOldFeedbackGoes(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, store func(*classifier.Deps)) {
		room := enrol(t, store, func(cfg *classifier.Config, _ *classifier.Deps) {
			cfg.Learning.MinPrecision, cfg.Learning.CheckInterval = 0, 10*time.Millisecond
			cfg.Learning.MinSamples, cfg.Learning.MaxSamples = 100, 100
		})
		room.teach(t, 130, "test", "rockets")
		until(t, "the oldest go", func() bool {
			stats, err := room.GetLearningStatistics(t.Context(), &classifierv1.GetLearningStatisticsRequest{})
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range stats.GetHeads() {
				if h.GetHead() == "task_type" {
					return h.GetSamples() == 100 && h.GetFeedback() == 100
				}
			}
			return false
		})
	})
}

// Heads of a client's own are as many as may be, and those of the mesh are not
// among them.
func TestHeadsHaveABound(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, store func(*classifier.Deps)) {
		room := enrol(t, store, func(cfg *classifier.Config, _ *classifier.Deps) { cfg.Learning.MaxHeads = 2 })
		tell := func(head string) error {
			_, err := room.RecordFeedback(t.Context(), &classifierv1.RecordFeedbackRequest{Head: head, Text: "please look at the rockets", Label: "yes"})
			return err
		}
		for _, head := range []string{"mine", "other", "mine", "tools"} {
			if err := tell(head); err != nil {
				t.Fatal(head, err)
			}
		}
		refused := fault.From(tell("third"))
		same(t, refused.Reason, meshv1.ErrorReason_ERROR_REASON_INVALID_FIELD)
		same(t, refused.Metadata["field"], "head")
	})
}

// Of many calls at once one begins a training, and the others hear of it.
func TestRetrainAtOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, store func(*classifier.Deps)) {
		asked := make(chan struct{})
		room := enrol(t, store, func(_ *classifier.Config, d *classifier.Deps) {
			d.BuiltIn = func() (*learn.Set, error) { <-asked; return small() } // which a training is compared with
		})
		room.teach(t, 60, "test", "rockets", "boosters")
		room.teach(t, 60, "refactor", "bells", "whistles")
		var begun atomic.Pointer[classifierv1.Training]
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				resp, err := room.Retrain(t.Context(), &classifierv1.RetrainRequest{MinSamples: 100})
				switch {
				case err != nil && reasonOf(err) != meshv1.ErrorReason_ERROR_REASON_TRAINING_RUNNING:
					t.Error(err)
				case err == nil && begun.Swap(resp.GetTraining()) != nil:
					t.Error("two began")
				}
			})
		}
		all.Wait()
		close(asked)
		if begun.Load() == nil {
			t.Fatal("none began")
		}
		same(t, room.ended(t, begun.Load().GetId()).GetState(), classifierv1.Training_STATE_ACTIVATED)
	})
}
