package main

import (
	"errors"
	"fmt"
	"time"

	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	"google.golang.org/protobuf/types/known/timestamppb"
)

type eventsReplay struct {
	clientFlags
	placeFlags
	Until    string   `help:"End before this time; with --type." placeholder:"TIME"`
	Subject  []string `help:"Keep types that match; with --type." short:"s" placeholder:"PATTERN"`
	Consumer string   `help:"Move this consumer back to the place." placeholder:"NAME" xor:"target" required:""`
	Type     string   `help:"Add copies under this type, such as replay.request_completed." placeholder:"TYPE" xor:"target" required:""`
}

// Run replays.
func (c eventsReplay) Run() error {
	start, err := c.start(time.Now())
	if err != nil {
		return err
	}
	if start == nil {
		return errors.New("say where to begin: --since, --after-id or --earliest")
	}
	req := &eventv1.ReplayRequest{Start: start, Subjects: c.Subject}
	if c.Until != "" {
		until, err := parseTime(c.Until, time.Now())
		if err != nil {
			return fmt.Errorf("--until: %w", err)
		}
		req.UntilTime = timestamppb.New(until)
	}
	if c.Consumer != "" {
		req.Target = &eventv1.ReplayRequest_Consumer{Consumer: c.Consumer}
	} else {
		req.Target = &eventv1.ReplayRequest_Type{Type: c.Type}
	}
	ctx, service, done, err := c.events()
	if err != nil {
		return err
	}
	defer done()
	copied := int64(0)
	for {
		resp, err := service.Replay(ctx, req)
		if err != nil {
			return c.explain(err)
		}
		copied += resp.GetCopied()
		if !resp.GetMore() {
			break
		}
		req.Start = &eventv1.Start{At: &eventv1.Start_AfterCursor{AfterCursor: resp.GetCursor()}}
	}
	if c.Consumer != "" {
		fmt.Printf("consumer %s goes on from there\n", c.Consumer)
	} else {
		fmt.Printf("%d events copied as %s\n", copied, c.Type)
	}
	return nil
}
