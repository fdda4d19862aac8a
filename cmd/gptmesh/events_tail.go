package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	_ "github.com/gptmesh/gptmesh/gen/go/gptmesh/orchestration/v1" // payloads of outside producers are shown too
	"google.golang.org/protobuf/encoding/protojson"
)

type eventsTail struct {
	clientFlags
	placeFlags
	Subject  []string `help:"Keep types that match: \"request.*\", \"session.ended\". May be given several times." short:"s" placeholder:"PATTERN"`
	Session  string   `help:"Keep the events of one session (or of one request without a session)." placeholder:"ID"`
	Consumer string   `help:"Read as this consumer: go on behind what it has seen, and acknowledge what is shown." placeholder:"NAME"`
	UntilNow bool     `help:"End behind the newest event." name:"until-now"`
	JSON     bool     `help:"One JSON object per line." name:"json"`
}

// Run shows events until it is interrupted. A lost connection is made again
// where it was.
func (c eventsTail) Run() error {
	start, err := c.start(time.Now())
	if err != nil {
		return err
	}
	ctx, service, done, err := c.events()
	if err != nil {
		return err
	}
	defer done()
	req := &eventv1.SubscribeRequest{
		Consumer: c.Consumer, Subjects: c.Subject, Start: start, Key: c.Session, UntilNow: c.UntilNow,
	}
	for stood := false; ; {
		err := service.Subscribe(ctx, req, func(m *eventv1.SubscribeResponse) error {
			if m.GetGap() {
				fmt.Fprintln(os.Stderr, "gptmesh: the log does not reach back that far: events may be missing")
			}
			stood = true
			if err := c.show(ctx, service, m); err != nil {
				return err
			}
			req.Start = &eventv1.Start{At: &eventv1.Start_AfterCursor{AfterCursor: m.GetCursor()}}
			return nil
		})
		switch {
		case ctx.Err() != nil, err == nil && c.UntilNow:
			return nil
		case !stood || err == nil || !passes(err):
			return c.explain(err)
		}
		fmt.Fprintln(os.Stderr, "gptmesh: the connection was lost; trying again")
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}

// show prints an event and acknowledges it.
func (c eventsTail) show(ctx context.Context, service eventv1.EventServiceCaller, m *eventv1.SubscribeResponse) error {
	if m.GetEvent() == nil {
		return nil
	}
	if err := printEvent(os.Stdout, m.GetEvent(), c.JSON); err != nil {
		return err
	}
	if c.Consumer == "" {
		return nil
	}
	_, err := service.Acknowledge(ctx, &eventv1.AcknowledgeRequest{Consumer: c.Consumer, Cursor: m.GetCursor()})
	return err
}

// printEvent prints an event on one line.
func printEvent(w io.Writer, e *eventv1.Event, asJSON bool) error {
	if asJSON {
		body, err := compact(protojson.MarshalOptions{UseProtoNames: true}.Marshal(e))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", body)
		return err
	}
	payload := "?"
	if message, err := e.GetPayload().UnmarshalNew(); err == nil {
		if body, err := compact(protojson.MarshalOptions{UseProtoNames: true}.Marshal(message)); err == nil {
			payload = string(body)
		}
	}
	_, err := fmt.Fprintf(w, "%s  %-28s %s  %s\n", e.GetTime().AsTime().Local().Format("15:04:05.000"), e.GetType(), e.GetKey(), payload)
	return err
}
