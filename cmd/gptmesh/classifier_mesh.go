package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	"github.com/gptmesh/gptmesh/services/classifier"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// classifierClient says which mesh a command talks to, and how it prints.
type classifierClient struct {
	clientFlags
	JSON bool `help:"Print JSON."`
}

// with calls the mesh. What call returns is printed: as JSON, or by show.
func (c classifierClient) with(call func(context.Context, classifierv1.ClassifierServiceCaller, classifierv1.LearningServiceCaller) (proto.Message, error), show func(io.Writer) error) error {
	conn, err := c.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithTimeout(c.context(context.Background()), time.Minute)
	defer cancel()
	m, err := call(ctx, classifierv1.RemoteClassifierService(conn), classifierv1.RemoteLearningService(conn))
	if err != nil {
		return c.explain(err)
	}
	return printed(c.JSON, m, show)
}

func printed(asJSON bool, m proto.Message, show func(io.Writer) error) error {
	if !asJSON {
		return show(os.Stdout)
	}
	data, err := protojson.MarshalOptions{Multiline: true, UseProtoNames: true, EmitUnpopulated: true}.Marshal(m)
	if err != nil {
		return err
	}
	_, err = fmt.Println(string(data))
	return err
}

// given is a text argument; "-" is standard input.
func given(text string, stdin io.Reader) (string, error) {
	if text != "-" {
		return text, nil
	}
	data, err := io.ReadAll(io.LimitReader(stdin, 1<<20))
	return strings.TrimSpace(string(data)), err
}

type classifierClassifyCommand struct {
	classifierClient
	Text  string `arg:"" help:"The text, or - for standard input."`
	Local bool   `help:"Ask the models of this program, and no mesh."`
	Group string `help:"Repository, tenant or other source of the text."`
}

// Run labels one text.
func (c classifierClassifyCommand) Run() error {
	text, err := given(c.Text, os.Stdin)
	if err != nil {
		return err
	}
	req, got := &classifierv1.ClassifyRequest{Text: text, Group: c.Group}, &classifierv1.Classification{}
	show := func(w io.Writer) error { return showClassification(w, got) }
	if c.Local {
		room, err := classifier.New(classifier.DefaultConfig(), classifier.Deps{})
		if err != nil {
			return err
		}
		resp, err := room.Classify(context.Background(), req)
		if err = errors.Join(c.explain(err), room.Close()); err != nil {
			return err
		}
		proto.Merge(got, resp.GetClassification())
		return printed(c.JSON, got, show)
	}
	return c.with(func(ctx context.Context, labels classifierv1.ClassifierServiceCaller, _ classifierv1.LearningServiceCaller) (proto.Message, error) {
		resp, err := labels.Classify(ctx, req)
		proto.Merge(got, resp.GetClassification())
		return got, err
	}, show)
}

// plain is an enum's value for people.
func plain(v fmt.Stringer, prefix string) string {
	return strings.ToLower(strings.TrimPrefix(v.String(), prefix))
}

func showClassification(out io.Writer, c *classifierv1.Classification) error {
	fmt.Fprintf(out, "%s, %s (%.2f, decided by the %s tier in %d µs)\n", plain(c.GetTaskType(), "TASK_TYPE_"),
		plain(c.GetComplexity(), "COMPLEXITY_"), c.GetConfidence(), plain(c.GetTier(), "TIER_"), c.GetElapsedMicros())
	fmt.Fprintf(out, "%s\n\n", c.GetReason())
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "TIER\tSAYS\tCONFIDENCE\tNOTE")
	for _, t := range c.GetTierResults() {
		fmt.Fprintf(w, "%s\t%s\t%.2f\t%s\n", plain(t.GetTier(), "TIER_"), plain(t.GetTaskType(), "TASK_TYPE_"), t.GetConfidence(), t.GetNote())
	}
	if len(c.GetLabels()) > 0 {
		fmt.Fprintln(w, "\nHEAD\tLABEL\tCONFIDENCE\tVERSION")
	}
	for _, l := range c.GetLabels() {
		fmt.Fprintf(w, "%s\t%s\t%.2f\t%s\n", l.GetHead(), l.GetLabel(), l.GetConfidence(), l.GetModelVersion())
	}
	return w.Flush()
}

type classifierFeedbackCommand struct {
	classifierClient
	Text      string `arg:"" help:"The text that was labelled, or - for standard input."`
	Label     string `help:"The right label."`
	Predicted string `help:"What the classifier had said."`
	Head      string `help:"The head." default:"task_type"`
	Helpful   *bool  `help:"Whether what was done with the label helped." negatable:""`
	ID        string `help:"Name of the feedback, so that sending it twice keeps one." name:"id"`
	Comment   string `help:"For people."`
}

// Run records one feedback.
func (c classifierFeedbackCommand) Run() error {
	text, err := given(c.Text, os.Stdin)
	if err != nil {
		return err
	}
	got := &classifierv1.Feedback{}
	return c.with(func(ctx context.Context, _ classifierv1.ClassifierServiceCaller, learning classifierv1.LearningServiceCaller) (proto.Message, error) {
		resp, err := learning.RecordFeedback(ctx, &classifierv1.RecordFeedbackRequest{
			FeedbackId: c.ID, Head: c.Head, Text: text, Predicted: c.Predicted, Label: c.Label, Helpful: c.Helpful, Comment: c.Comment,
		})
		proto.Merge(got, resp.GetFeedback())
		return got, err
	}, func(w io.Writer) error {
		sample := "no training sample, for it names no right label"
		if got.GetSampleId() != "" {
			sample = fmt.Sprintf("training sample %s: %s", got.GetSampleId(), got.GetLabel())
		}
		_, err := fmt.Fprintf(w, "%s stored; %s\n", got.GetId(), sample)
		return err
	})
}

type classifierRetrainCommand struct {
	classifierClient
	Head       string        `help:"The head." default:"task_type"`
	MinSamples int32         `help:"How many samples there must be, 100 to 100000; 0 is as the mesh is configured."`
	Canary     int32         `help:"Make the version the canary for so many of a hundred keys." name:"canary"`
	Seed       uint64        `help:"Seed of the split and the training." default:"1"`
	Wait       time.Duration `help:"How long to wait for the end; 0 returns at once." default:"10m"`
}

// Run trains a head from the samples of the mesh.
func (c classifierRetrainCommand) Run() error {
	conn, err := c.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx := c.context(context.Background())
	learning := classifierv1.RemoteLearningService(conn)
	begun, err := learning.Retrain(ctx, &classifierv1.RetrainRequest{Head: c.Head, MinSamples: c.MinSamples, CanaryPercent: c.Canary, Seed: c.Seed})
	if err != nil {
		return c.explain(err)
	}
	t, said := begun.GetTraining(), ""
	deadline := time.Now().Add(c.Wait)
	for t.GetState() == classifierv1.Training_STATE_RUNNING && time.Now().Before(deadline) {
		if t.GetMessage() != said {
			said = t.GetMessage()
			fmt.Fprintln(os.Stderr, said)
		}
		time.Sleep(200 * time.Millisecond)
		resp, err := learning.GetTraining(ctx, &classifierv1.GetTrainingRequest{TrainingId: t.GetId()})
		if err != nil {
			return c.explain(err)
		}
		t = resp.GetTraining()
	}
	if err := printed(c.JSON, t, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s %s: %s\n", t.GetId(), plain(t.GetState(), "STATE_"), t.GetMessage())
		return err
	}); err != nil {
		return err
	}
	switch t.GetState() {
	case classifierv1.Training_STATE_RUNNING, classifierv1.Training_STATE_ACTIVATED, classifierv1.Training_STATE_REJECTED:
		return nil
	}
	return errors.New("there is no new version")
}

type classifierVersionsCommand struct {
	classifierClient
	Head string `help:"Versions of one head."`
}

// Run lists versions.
func (c classifierVersionsCommand) Run() error {
	got := &classifierv1.ListModelVersionsResponse{}
	return c.with(func(ctx context.Context, _ classifierv1.ClassifierServiceCaller, learning classifierv1.LearningServiceCaller) (proto.Message, error) {
		for token := ""; ; {
			resp, err := learning.ListModelVersions(ctx, &classifierv1.ListModelVersionsRequest{Head: c.Head, PageSize: 1000, PageToken: token})
			if err != nil {
				return nil, err
			}
			got.Versions = append(got.Versions, resp.GetVersions()...)
			if token = resp.GetNextPageToken(); token == "" {
				return got, nil
			}
		}
	}, func(out io.Writer) error {
		w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "HEAD\tVERSION\tNUMBER\tSTATE\tROWS\tACCURACY\tNOTE")
		for _, v := range got.GetVersions() {
			state, accuracy := plain(v.GetState(), "STATE_"), "-"
			if v.GetCanaryPercent() > 0 {
				state += fmt.Sprintf(" %d%%", v.GetCanaryPercent())
			}
			if v.GetEvaluation() != nil {
				accuracy = fmt.Sprintf("%.3f", v.GetEvaluation().GetAccuracy())
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%d\t%s\t%s\n", v.GetHead(), v.GetId(), v.GetNumber(), state, v.GetTrainingRows(), accuracy, v.GetNote())
		}
		return w.Flush()
	})
}

type classifierActivateCommand struct {
	classifierClient
	Version string `arg:"" help:"The version."`
	Canary  int32  `help:"Make it the canary for so many of a hundred keys." name:"canary"`
}

// Run makes a version the active one, or the canary.
func (c classifierActivateCommand) Run() error {
	got := &classifierv1.ModelVersion{}
	return c.with(func(ctx context.Context, _ classifierv1.ClassifierServiceCaller, learning classifierv1.LearningServiceCaller) (proto.Message, error) {
		resp, err := learning.ActivateModelVersion(ctx, &classifierv1.ActivateModelVersionRequest{VersionId: c.Version, CanaryPercent: c.Canary})
		proto.Merge(got, resp.GetVersion())
		return got, err
	}, func(w io.Writer) error { return showActive(w, got) })
}

func showActive(w io.Writer, v *classifierv1.ModelVersion) error {
	_, err := fmt.Fprintf(w, "%s: %s is %s\n", v.GetHead(), v.GetId(), plain(v.GetState(), "STATE_"))
	return err
}

type classifierRollbackCommand struct {
	classifierClient
	Head string `help:"The head." default:"task_type"`
}

// Run makes the version before active.
func (c classifierRollbackCommand) Run() error {
	got := &classifierv1.ModelVersion{}
	return c.with(func(ctx context.Context, _ classifierv1.ClassifierServiceCaller, learning classifierv1.LearningServiceCaller) (proto.Message, error) {
		resp, err := learning.RollbackModel(ctx, &classifierv1.RollbackModelRequest{Head: c.Head})
		proto.Merge(got, resp.GetVersion())
		return got, err
	}, func(w io.Writer) error { return showActive(w, got) })
}

type classifierImportCommand struct {
	classifierClient
	File string `arg:"" help:"A model file, as train writes it." type:"existingfile"`
	Note string `help:"For people."`
}

// Run gives a model file to the mesh, as a candidate.
func (c classifierImportCommand) Run() error {
	file, err := os.ReadFile(c.File)
	if err != nil {
		return err
	}
	got := &classifierv1.ModelVersion{}
	return c.with(func(ctx context.Context, _ classifierv1.ClassifierServiceCaller, learning classifierv1.LearningServiceCaller) (proto.Message, error) {
		resp, err := learning.ImportModelVersion(ctx, &classifierv1.ImportModelVersionRequest{File: file, Note: c.Note})
		proto.Merge(got, resp.GetVersion())
		return got, err
	}, func(w io.Writer) error { return showActive(w, got) })
}
