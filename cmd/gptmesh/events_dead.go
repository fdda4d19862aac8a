package main

import (
	"errors"
	"fmt"
	"os"
	"text/tabwriter"
	"time"

	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

type eventsDead struct {
	List    deadList    `cmd:"" default:"withargs" help:"List them, the oldest first."`
	Requeue deadRequeue `cmd:"" help:"Deliver them to their consumers again."`
	Discard deadDiscard `cmd:"" help:"Remove them for good."`
}

// deadFlags select dead letters.
type deadFlags struct {
	clientFlags
	Consumer string `help:"Keep those of one consumer." placeholder:"NAME"`
}

// each visits the selected dead letters.
func (f deadFlags) each(visit func(*eventv1.DeadLetter) error) error {
	ctx, service, done, err := f.events()
	if err != nil {
		return err
	}
	defer done()
	req := &eventv1.ListDeadLettersRequest{Consumer: f.Consumer, PageSize: 500}
	for {
		resp, err := service.ListDeadLetters(ctx, req)
		if err != nil {
			return f.explain(err)
		}
		for _, letter := range resp.GetDeadLetters() {
			if err := visit(letter); err != nil {
				return err
			}
		}
		if req.PageToken = resp.GetNextPageToken(); req.PageToken == "" {
			return nil
		}
	}
}

// ids are those given, or with all those selected.
func (f deadFlags) ids(given []string, all bool) ([]string, error) {
	if !all {
		if len(given) == 0 {
			return nil, errors.New("name dead letters by id, or say --all")
		}
		return given, nil
	}
	var ids []string
	err := f.each(func(letter *eventv1.DeadLetter) error {
		ids = append(ids, letter.GetId())
		return nil
	})
	return ids, err
}

type deadList struct {
	deadFlags
	JSON bool `help:"One JSON object per line." name:"json"`
}

// Run lists.
func (c deadList) Run() error {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	if !c.JSON {
		fmt.Fprintln(w, "ID\tWHEN\tCONSUMER\tTYPE\tEVENT\tTRIES\tERROR")
	}
	err := c.each(func(letter *eventv1.DeadLetter) error {
		if c.JSON {
			body, err := compact(protojson.MarshalOptions{UseProtoNames: true}.Marshal(letter))
			fmt.Printf("%s\n", body)
			return err
		}
		_, err := fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\n", letter.GetId(), letter.GetTime().AsTime().Local().Format(time.DateTime), letter.GetConsumer(),
			letter.GetEvent().GetType(), letter.GetEvent().GetId(), letter.GetAttempts(), firstLine(letter.GetError()))
		return err
	})
	return errors.Join(err, w.Flush())
}

type deadRequeue struct {
	deadFlags
	IDs []string `arg:"" optional:"" name:"id" help:"Dead letters."`
	All bool     `help:"All of them, or all of --consumer."`
}

// Run requeues.
func (c deadRequeue) Run() error {
	return c.done(c.IDs, c.All, "requeued", func(f deadFlags, ids []string) (int32, error) {
		ctx, service, done, err := f.events()
		if err != nil {
			return 0, err
		}
		defer done()
		resp, err := service.RequeueDeadLetters(ctx, &eventv1.RequeueDeadLettersRequest{Ids: ids})
		return resp.GetRequeued(), f.explain(err)
	})
}

type deadDiscard struct {
	deadFlags
	IDs []string `arg:"" optional:"" name:"id" help:"Dead letters."`
	All bool     `help:"All of them, or all of --consumer."`
}

// Run discards.
func (c deadDiscard) Run() error {
	return c.done(c.IDs, c.All, "discarded", func(f deadFlags, ids []string) (int32, error) {
		ctx, service, done, err := f.events()
		if err != nil {
			return 0, err
		}
		defer done()
		resp, err := service.DiscardDeadLetters(ctx, &eventv1.DiscardDeadLettersRequest{Ids: ids})
		return resp.GetDiscarded(), f.explain(err)
	})
}

// done does something to dead letters, many at a time.
func (f deadFlags) done(given []string, all bool, what string, do func(deadFlags, []string) (int32, error)) error {
	ids, err := f.ids(given, all)
	if err != nil {
		return err
	}
	total := int32(0)
	for len(ids) > 0 {
		n := min(len(ids), 1000)
		did, err := do(f, ids[:n])
		if total += did; err != nil {
			return err
		}
		ids = ids[n:]
	}
	fmt.Printf("%d %s\n", total, what)
	return nil
}
