package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// eventsCommand reads and feeds the log of events of a running mesh.
type eventsCommand struct {
	Tail      eventsTail      `cmd:"" help:"Show events as they happen."`
	Replay    eventsReplay    `cmd:"" help:"Deliver events once more: to a consumer, or as copies under another type."`
	Dead      eventsDead      `cmd:"" help:"List, requeue or discard events that a consumer gave up."`
	Consumers eventsConsumers `cmd:"" help:"List consumers and when they last moved."`
	Publish   eventsPublish   `cmd:"" help:"Publish an event of your own."`
}

// events connects, and ends with an interrupt.
func (f clientFlags) events() (context.Context, eventv1.EventServiceCaller, func(), error) {
	conn, err := f.dial()
	if err != nil {
		return nil, nil, nil, err
	}
	ctx, stop := signal.NotifyContext(f.context(context.Background()), os.Interrupt, syscall.SIGTERM)
	return ctx, eventv1.RemoteEventService(conn), func() { stop(); closeConn(conn) }, nil
}

func closeConn(conn *grpc.ClientConn) { _ = conn.Close() }

// placeFlags say where in the log to begin.
type placeFlags struct {
	Since    string `help:"Begin with events of this time on: RFC 3339, or a duration back such as 10m." placeholder:"TIME" xor:"place"`
	AfterID  string `help:"Begin behind the event of this id." placeholder:"ID" name:"after-id" xor:"place"`
	Earliest bool   `help:"Begin with the oldest event that is kept." xor:"place"`
}

// start is the place; nil where none was given.
func (f placeFlags) start(now time.Time) (*eventv1.Start, error) {
	switch {
	case f.Earliest:
		return &eventv1.Start{At: &eventv1.Start_Earliest{Earliest: true}}, nil
	case f.AfterID != "":
		return &eventv1.Start{At: &eventv1.Start_AfterId{AfterId: f.AfterID}}, nil
	case f.Since != "":
		t, err := parseTime(f.Since, now)
		if err != nil {
			return nil, fmt.Errorf("--since: %w", err)
		}
		return &eventv1.Start{At: &eventv1.Start_Time{Time: timestamppb.New(t)}}, nil
	}
	return nil, nil
}

// parseTime reads a time, or how long ago it was.
func parseTime(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return t, fmt.Errorf("%q: want a time such as %s, or a duration such as 10m", text, now.UTC().Format(time.RFC3339))
	}
	return t, nil
}

type eventsConsumers struct{ clientFlags }

// Run lists consumers.
func (c eventsConsumers) Run() error {
	ctx, service, done, err := c.events()
	if err != nil {
		return err
	}
	defer done()
	resp, err := service.ListConsumers(ctx, &eventv1.ListConsumersRequest{})
	if err != nil {
		return c.explain(err)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "CONSUMER\tMOVED\tCURSOR")
	for _, consumer := range resp.GetConsumers() {
		fmt.Fprintf(w, "%s\t%s\t%s\n", consumer.GetName(), consumer.GetUpdateTime().AsTime().Local().Format(time.DateTime), consumer.GetCursor())
	}
	return w.Flush()
}

// compact takes the spaces out of JSON, which protojson puts in at will.
func compact(body []byte, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = json.Compact(&out, body)
	return out.Bytes(), err
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// passes says that an error may pass by itself.
func passes(err error) bool {
	code := fault.From(err).Code
	return code == codes.Unavailable || code == codes.Canceled
}
