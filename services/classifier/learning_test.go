package classifier_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	orchestrationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/orchestration/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/page"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/classifier"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// school is a room with a store.
type school struct {
	classifierv1.ClassifierServiceCaller
	classifierv1.LearningServiceCaller
}

// stores are both stores; each call of a factory opens the same database.
func stores(t *testing.T) map[string]func(*classifier.Deps) {
	path, url := filepath.Join(t.TempDir(), "classifier.db"), ""
	liteFS, pgFS := classifier.Migrations()
	var lite *sqlite.DB
	return map[string]func(*classifier.Deps){
		"sqlite": func(d *classifier.Deps) {
			if lite == nil {
				var err error
				if lite, err = sqlite.Open(t.Context(), sqlite.Config{Path: path, Synchronous: sqlite.Off}); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { lite.Close() })
				if _, err := lite.Migrate(t.Context(), liteFS); err != nil {
					t.Fatal(err)
				}
			}
			d.SQLite = lite
		},
		"postgres": func(d *classifier.Deps) {
			if url == "" {
				url = pgtest.DB(t)
			}
			db, err := postgres.Open(t.Context(), postgres.Config{URL: url, Schema: "classifier"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(db.Close)
			if _, err := db.Migrate(t.Context(), pgFS); err != nil {
				t.Fatal(err)
			}
			d.Postgres = db
		},
	}
}

func enrol(t *testing.T, store func(*classifier.Deps), change func(*classifier.Config, *classifier.Deps)) school {
	t.Helper()
	cfg, deps := classifier.DefaultConfig(), classifier.Deps{BuiltIn: small}
	cfg.Learning.NewSamples, cfg.Learning.Every = 0, 0
	cfg.Learning.RefreshInterval = 20 * time.Millisecond
	store(&deps)
	if change != nil {
		change(&cfg, &deps)
	}
	s, err := classifier.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return school{classifierv1.LocalClassifierService(s, nil), classifierv1.LocalLearningService(s.Learning(), nil)}
}

// each runs a test on both stores.
func each(t *testing.T, test func(t *testing.T, store func(*classifier.Deps))) {
	for name := range stores(t) {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, stores(t)[name]) })
	}
}

// until waits for what is bound to happen.
func until(t *testing.T, what string, happened func() bool) {
	t.Helper()
	deadline := time.After(3 * time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !happened() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("never happened: " + what)
		}
	}
}

// teach gives n feedbacks that texts with one of the words have a label.
func (s school) teach(t *testing.T, n int, label string, words ...string) {
	t.Helper()
	for i := range n {
		_, err := s.RecordFeedback(t.Context(), &classifierv1.RecordFeedbackRequest{
			Text: fmt.Sprintf("please look at the %s of part %d today", words[i%len(words)], i), Label: label,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// train waits for a training to end.
func (s school) train(t *testing.T, req *classifierv1.RetrainRequest) *classifierv1.Training {
	t.Helper()
	if req.MinSamples == 0 {
		req.MinSamples = 100
	}
	resp, err := s.Retrain(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	return s.ended(t, resp.GetTraining().GetId())
}

func (s school) ended(t *testing.T, id string) (training *classifierv1.Training) {
	t.Helper()
	until(t, "the training ends", func() bool {
		resp, err := s.GetTraining(t.Context(), &classifierv1.GetTrainingRequest{TrainingId: id})
		if err != nil {
			t.Fatal(err)
		}
		training = resp.GetTraining()
		return training.GetState() != classifierv1.Training_STATE_RUNNING
	})
	return training
}

func (s school) says(t *testing.T, text string) (taskType, version string) {
	t.Helper()
	c := classify(t, s, &classifierv1.ClassifyRequest{Text: text})
	return strings.ToLower(strings.TrimPrefix(c.GetTaskType().String(), "TASK_TYPE_")), c.GetModelVersion()
}

func reasonOf(err error) meshv1.ErrorReason {
	if err == nil {
		return 0
	}
	return fault.From(err).Reason
}

// Feedback changes the next model, which answers without a restart; one call
// takes it back; another process notices; both survive a restart.
func TestLearnFromFeedback(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, store func(*classifier.Deps)) {
		room := enrol(t, store, nil)
		var other school
		shared := strings.HasSuffix(t.Name(), "postgres")
		if shared {
			other = enrol(t, store, nil)
		}
		const text = "please look at the rockets of part 3 today"
		before, builtIn := room.says(t, text)
		same(t, []string{before, builtIn}, []string{"deployment", "built-in:task_type"})

		_, err := room.Retrain(t.Context(), &classifierv1.RetrainRequest{MinSamples: 100})
		same(t, reasonOf(err), meshv1.ErrorReason_ERROR_REASON_TOO_FEW_SAMPLES)
		room.teach(t, 60, "test", "rockets", "boosters")
		_, err = room.Retrain(t.Context(), &classifierv1.RetrainRequest{MinSamples: 100})
		if f := fault.From(err); f.Metadata["missing"] != "40" || !strings.Contains(f.Message, "40 are lacking") {
			t.Errorf("got %v", err)
		}
		room.teach(t, 60, "refactor", "bells", "whistles")
		training := room.train(t, &classifierv1.RetrainRequest{})
		v := training.GetVersion()
		if training.GetState() != classifierv1.Training_STATE_ACTIVATED || training.GetSamples() != 120 || v.GetState() != classifierv1.ModelVersion_STATE_ACTIVE ||
			v.GetEvaluation().GetAccuracy() != 1 || v.GetEvaluation().GetRows()+v.GetTrainingRows() != 120 || v.GetBaseline().GetAccuracy() != 0 || v.GetBaselineVersion() != builtIn {
			t.Errorf("got %v", training)
		}
		after, version := room.says(t, text)
		same(t, []string{after, version}, []string{"test", v.GetId()})
		if shared {
			until(t, "another process takes up the version", func() bool { _, version := other.says(t, text); return version == v.GetId() })
		}

		again := enrol(t, store, nil) // as after a restart
		_, version = again.says(t, text)
		same(t, version, v.GetId())

		back, err := room.RollbackModel(t.Context(), &classifierv1.RollbackModelRequest{Head: "task_type"})
		if err != nil || back.GetVersion().GetId() != builtIn {
			t.Fatalf("got %v, %v", back, err)
		}
		after, version = room.says(t, text)
		same(t, []string{after, version}, []string{"deployment", builtIn})
		if shared {
			until(t, "another process goes back", func() bool { _, version := other.says(t, text); return version == builtIn })
		}
		_, err = room.RollbackModel(t.Context(), &classifierv1.RollbackModelRequest{Head: "task_type"})
		same(t, reasonOf(err), meshv1.ErrorReason_ERROR_REASON_NO_PREVIOUS_VERSION)

		if _, err := room.ActivateModelVersion(t.Context(), &classifierv1.ActivateModelVersionRequest{VersionId: v.GetId()}); err != nil {
			t.Fatal(err)
		}
		_, version = room.says(t, text)
		same(t, version, v.GetId())
		list, err := room.ListModelVersions(t.Context(), &classifierv1.ListModelVersionsRequest{Head: "task_type"})
		if err != nil || len(list.GetVersions()) != 2 || list.GetVersions()[1].GetState() != classifierv1.ModelVersion_STATE_RETIRED {
			t.Errorf("got %v, %v", list, err)
		}
	})
}

// A version that is worse than the active one on the same samples is kept, and
// not used.
func TestWorseIsNotActivated(t *testing.T) {
	t.Parallel()
	word := func(label, i int) string { return fmt.Sprintf("%x", sha256.Sum256([]byte{byte(label), byte(i)}))[:12] }
	labels := []string{"test", "refactor"}
	var all []learn.Row
	for i := range 130 {
		for label := range labels {
			for range 3 {
				all = append(all, learn.Row{Document: learn.Document{Text: "mind " + word(label, i)}, Label: labels[label]})
			}
		}
	}
	scholar, err := learn.Train(t.Context(), all, learn.TrainConfig{Head: "task_type", Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	room := enrol(t, stores(t)["sqlite"], func(_ *classifier.Config, d *classifier.Deps) {
		d.BuiltIn = func() (*learn.Set, error) { return learn.NewSet(scholar) }
	})
	for i := range 130 {
		label := i % 2 // no word comes twice: what is kept out cannot be known
		if _, err := room.RecordFeedback(t.Context(), &classifierv1.RecordFeedbackRequest{Text: "mind " + word(label, i), Label: labels[label]}); err != nil {
			t.Fatal(err)
		}
	}
	training := room.train(t, &classifierv1.RetrainRequest{})
	if v := training.GetVersion(); training.GetState() != classifierv1.Training_STATE_REJECTED || v.GetState() != classifierv1.ModelVersion_STATE_REJECTED ||
		v.GetEvaluation().GetAccuracy() >= v.GetBaseline().GetAccuracy() || !strings.Contains(training.GetMessage(), "it is worse in accuracy (") {
		t.Errorf("got %v", training)
	}
	_, version := room.says(t, "mind "+word(0, 0)+" and mind it")
	same(t, version, "built-in:task_type")
}

func TestFeedback(t *testing.T) {
	t.Parallel()
	room := enrol(t, stores(t)["sqlite"], nil)
	const text = "please look at the rockets today"
	yes, no := proto.Bool(true), proto.Bool(false)
	for _, c := range []struct {
		name  string
		req   *classifierv1.RecordFeedbackRequest
		field string // that is refused
		label string
	}{
		{"a correction", &classifierv1.RecordFeedbackRequest{Text: text, Predicted: "feature", Label: "test"}, "", "test"},
		{"a confirmation", &classifierv1.RecordFeedbackRequest{Text: text, Predicted: "feature", Helpful: yes}, "", "feature"},
		{"good work", &classifierv1.RecordFeedbackRequest{Text: text, Predicted: "feature", Quality: proto.Float64(0.7)}, "", "feature"},
		{"poor work", &classifierv1.RecordFeedbackRequest{Text: text, Predicted: "feature", Quality: proto.Float64(0.69)}, "", ""},
		{"helpful but poor", &classifierv1.RecordFeedbackRequest{Text: text, Predicted: "feature", Helpful: yes, Quality: proto.Float64(0.1)}, "", ""},
		{"a denial", &classifierv1.RecordFeedbackRequest{Text: text, Predicted: "feature", Helpful: no}, "", ""},
		{"of another head", &classifierv1.RecordFeedbackRequest{Text: text, Head: "complexity", Label: "complex"}, "", "complex"},
		{"of a head of their own", &classifierv1.RecordFeedbackRequest{Text: text, Head: "mood", Label: "gay"}, "", "gay"},
		{"9 characters", &classifierv1.RecordFeedbackRequest{Text: "123456789", Label: "test"}, "text", ""},
		{"10,001 characters", &classifierv1.RecordFeedbackRequest{Text: strings.Repeat("x", 10_001), Label: "test"}, "text", ""},
		{"no such label", &classifierv1.RecordFeedbackRequest{Text: text, Label: "prose"}, "label", ""},
		{"no such prediction", &classifierv1.RecordFeedbackRequest{Text: text, Label: "test", Predicted: "prose"}, "predicted", ""},
		{"nothing said", &classifierv1.RecordFeedbackRequest{Text: text, Predicted: "test"}, "label", ""},
		{"helpful for what", &classifierv1.RecordFeedbackRequest{Text: text, Helpful: yes}, "predicted", ""},
		{"a head without labels", &classifierv1.RecordFeedbackRequest{Text: text, Head: "route", Label: "weak"}, "head", ""},
		{"no text of a store", &classifierv1.RecordFeedbackRequest{Text: text + "\x00", Label: "test"}, "text", ""},
		{"no group of a store", &classifierv1.RecordFeedbackRequest{Text: text, Group: "\x00", Label: "test"}, "group", ""},
	} {
		resp, err := room.RecordFeedback(t.Context(), c.req)
		if c.field != "" {
			if err == nil || fault.From(err).Field() != c.field {
				t.Errorf("%s: got %v, want field %s", c.name, err, c.field)
			}
			continue
		}
		if f := resp.GetFeedback(); err != nil || f.GetLabel() != c.label || (f.GetSampleId() == "") != (c.label == "") {
			t.Errorf("%s: got %v, %v", c.name, resp, err)
		}
	}
	req := &classifierv1.RecordFeedbackRequest{FeedbackId: "mine", Text: text, Label: "test"}
	first, err := room.RecordFeedback(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	second, err := room.RecordFeedback(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	same(t, second, first)
	req.Label = "feature"
	_, err = room.RecordFeedback(t.Context(), req)
	same(t, reasonOf(err), meshv1.ErrorReason_ERROR_REASON_ALREADY_EXISTS)

	list, err := room.ListTrainingSamples(t.Context(), &classifierv1.ListTrainingSamplesRequest{PageSize: 4})
	if err != nil || len(list.GetSamples()) != 4 || list.GetSamples()[0].GetSourceId() != "feedback:local:mine" {
		t.Fatalf("got %v, %v", list, err)
	}
	forged := page.Token(fmt.Sprintf("samples %q %q %q", "local", "", ""), "not a place")
	_, err = room.ListTrainingSamples(t.Context(), &classifierv1.ListTrainingSamplesRequest{PageToken: forged})
	same(t, reasonOf(err), meshv1.ErrorReason_ERROR_REASON_INVALID_PAGE_TOKEN)
	rest, err := room.ListTrainingSamples(t.Context(), &classifierv1.ListTrainingSamplesRequest{PageSize: 4, PageToken: list.GetNextPageToken()})
	if err != nil || len(rest.GetSamples()) != 2 || rest.GetNextPageToken() != "" {
		t.Errorf("got %v, %v", rest, err)
	}
	stranger := callctx.With(t.Context(), callctx.Call{Principal: callctx.Principal{ID: "key:other", Kind: callctx.Key}})
	if list, err := room.ListTrainingSamples(stranger, &classifierv1.ListTrainingSamplesRequest{}); err != nil || len(list.GetSamples()) != 0 {
		t.Errorf("a stranger sees %v, %v", list, err)
	}
	stats, err := room.GetLearningStatistics(t.Context(), &classifierv1.GetLearningStatisticsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range stats.GetHeads() {
		if h.GetHead() == "task_type" && (h.GetSamples() != 4 || h.GetNewSamples() != 4 || h.GetFeedback() != 7 || h.GetActive().GetId() != "built-in:task_type") {
			t.Errorf("got %v", h)
		}
	}
}

// bus delivers what is pushed, each event as often as it is asked to.
type bus struct {
	handle  events.Handler
	ready   chan struct{}
	subject string
}

func (b *bus) Subscribe(ctx context.Context, sub events.Subscription, handle events.Handler) error {
	b.handle, b.subject = handle, sub.Subjects[0]
	close(b.ready)
	<-ctx.Done()
	return nil
}

// A completed task is one sample, however often and under how many event ids it
// comes.
func TestCompletedTask(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, store func(*classifier.Deps)) {
		b := &bus{ready: make(chan struct{})}
		room := enrol(t, store, func(_ *classifier.Config, d *classifier.Deps) { d.Subscriber = b })
		<-b.ready
		same(t, b.subject, "orchestration.task_completed")
		event := func(id string, task *orchestrationv1.TaskCompleted) *events.Event {
			payload, err := anypb.New(task)
			if err != nil {
				t.Fatal(err)
			}
			return &eventv1.Event{Id: id, Type: b.subject, Owner: "local", Payload: payload}
		}
		task := &orchestrationv1.TaskCompleted{TaskId: "t1", Description: "make the rockets fly again", Type: "bug_fix", Success: true}
		for _, id := range []string{"evt_1", "evt_1", "evt_2"} {
			if err := b.handle(t.Context(), event(id, task)); err != nil {
				t.Fatal(err)
			}
		}
		list, err := room.ListTrainingSamples(t.Context(), &classifierv1.ListTrainingSamplesRequest{})
		if err != nil || len(list.GetSamples()) != 1 {
			t.Fatalf("got %v, %v", list, err)
		}
		got := list.GetSamples()[0]
		same(t, []any{got.GetHead(), got.GetText(), got.GetLabel(), got.GetOrigin(), got.GetSourceId()},
			[]any{"task_type", "make the rockets fly again", "bug_fix", classifierv1.SampleOrigin_SAMPLE_ORIGIN_TASK, "task:t1"})
		for name, bad := range map[string]*orchestrationv1.TaskCompleted{
			"no id":              {Description: "make the rockets fly again", Type: "bug_fix"},
			"no text":            {TaskId: "t2", Description: "short", Type: "bug_fix"},
			"no type":            {TaskId: "t3", Description: "make the rockets fly again"},
			"some type":          {TaskId: "t4", Description: "make the rockets fly again", Type: "prose"},
			"no text of a store": {TaskId: "t5", Description: "make the rockets fly\x00again", Type: "bug_fix"},
		} {
			if err := b.handle(t.Context(), event("evt_3", bad)); !events.IsRejected(err) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	})
}

// The same key gets the same version, and the counts say how the two agree.
func TestCanary(t *testing.T) {
	t.Parallel()
	room := enrol(t, stores(t)["sqlite"], nil)
	room.teach(t, 60, "test", "rockets", "boosters")
	room.teach(t, 60, "refactor", "bells", "whistles")
	training := room.train(t, &classifierv1.RetrainRequest{CanaryPercent: 30})
	v := training.GetVersion()
	same(t, []any{training.GetState(), v.GetState(), v.GetCanaryPercent()},
		[]any{classifierv1.Training_STATE_ACTIVATED, classifierv1.ModelVersion_STATE_CANARY, int32(30)})
	ask := func(key string) string {
		return classify(t, room, &classifierv1.ClassifyRequest{Text: "please look at the rockets today", Key: key}).GetModelVersion()
	}
	assigned := map[string]bool{}
	for i := range 400 {
		key := fmt.Sprint("user-", i)
		assigned[key] = ask(key) == v.GetId()
		if again := ask(key) == v.GetId(); again != assigned[key] {
			t.Fatalf("%s moved", key)
		}
	}
	count := func() (n int64) {
		for _, yes := range assigned {
			if yes {
				n++
			}
		}
		return n
	}
	first := count()
	if first < 80 || first > 160 {
		t.Errorf("%d of 400 keys at 30 %%", first)
	}
	got, err := room.GetCanary(t.Context(), &classifierv1.GetCanaryRequest{Head: "task_type"})
	if err != nil || got.GetAssigned() != 2*first || got.GetAgreed() != 0 || got.GetCanary().GetId() != v.GetId() || got.GetCanaryConfidence() < 0.5 {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := room.ActivateModelVersion(t.Context(), &classifierv1.ActivateModelVersionRequest{VersionId: v.GetId(), CanaryPercent: 60}); err != nil {
		t.Fatal(err)
	}
	for key, before := range assigned {
		if assigned[key] = ask(key) == v.GetId(); before && !assigned[key] {
			t.Fatalf("%s lost the canary by a higher percentage", key)
		}
	}
	if more := count(); more <= first {
		t.Errorf("%d keys at 60 %%, %d at 30 %%", more, first)
	}
	if _, err := room.EndCanary(t.Context(), &classifierv1.EndCanaryRequest{Head: "task_type"}); err != nil {
		t.Fatal(err)
	}
	same(t, ask("user-1"), "built-in:task_type")
}

func TestTrainingsOneAtATime(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, store func(*classifier.Deps)) {
		room := enrol(t, store, nil)
		room.teach(t, 300, "test", "rockets", "boosters")
		room.teach(t, 300, "refactor", "bells", "whistles")
		resp, err := room.Retrain(t.Context(), &classifierv1.RetrainRequest{MinSamples: 100})
		if err != nil {
			t.Fatal(err)
		}
		id := resp.GetTraining().GetId()
		if _, err := room.Retrain(t.Context(), &classifierv1.RetrainRequest{MinSamples: 100}); reasonOf(err) != meshv1.ErrorReason_ERROR_REASON_TRAINING_RUNNING || fault.From(err).Metadata["training_id"] != id {
			t.Errorf("got %v", err)
		}
		if _, err := room.CancelTraining(t.Context(), &classifierv1.CancelTrainingRequest{TrainingId: id}); err != nil {
			t.Fatal(err)
		}
		same(t, room.ended(t, id).GetState(), classifierv1.Training_STATE_CANCELLED)
		_, version := room.says(t, "please look at the rockets today")
		same(t, version, "built-in:task_type")
		same(t, room.train(t, &classifierv1.RetrainRequest{}).GetState(), classifierv1.Training_STATE_ACTIVATED)
		list, err := room.ListTrainings(t.Context(), &classifierv1.ListTrainingsRequest{})
		if err != nil || len(list.GetTrainings()) != 2 {
			t.Errorf("got %v, %v", list, err)
		}
		for _, n := range []int32{1, 99, 100_001} {
			if _, err := room.Retrain(t.Context(), &classifierv1.RetrainRequest{MinSamples: n}); fault.From(err).Field() != "min_samples" {
				t.Errorf("%d: got %v", n, err)
			}
		}
		if _, err := room.GetTraining(t.Context(), &classifierv1.GetTrainingRequest{TrainingId: "none"}); reasonOf(err) != meshv1.ErrorReason_ERROR_REASON_TRAINING_NOT_FOUND {
			t.Errorf("got %v", err)
		}
	})
}
