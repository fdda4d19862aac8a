package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	orchestrationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/orchestration/v1"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"
)

type eventsPublish struct {
	clientFlags
	Type    string `arg:"" help:"Type, such as orchestration.task_completed."`
	Payload string `arg:"" help:"Payload in JSON; \"-\" reads it from standard input." default:"{}"`
	Session string `help:"Session (or another key) that order is kept for." placeholder:"ID"`
	ID      string `help:"Id of your own: publishing it again does nothing." name:"id" placeholder:"ID"`
}

// Run publishes one event.
func (c eventsPublish) Run() error {
	text := []byte(c.Payload)
	if c.Payload == "-" {
		var err error
		if text, err = io.ReadAll(os.Stdin); err != nil {
			return err
		}
	}
	payload, err := payloadOf(c.Type, text)
	if err != nil {
		return fmt.Errorf("payload: %w", err)
	}
	ctx, service, done, err := c.events()
	if err != nil {
		return err
	}
	defer done()
	resp, err := service.Publish(ctx, &eventv1.PublishRequest{Events: []*eventv1.Event{{Id: c.ID, Type: c.Type, Key: c.Session, Payload: payload}}})
	if err != nil {
		return c.explain(err)
	}
	fmt.Println(strings.Join(resp.GetEventIds(), "\n"))
	return nil
}

// payloadOf reads a payload: of the message named by "@type", else of the one
// that belongs to the type, else free JSON.
func payloadOf(kind string, text []byte) (*anypb.Any, error) {
	var named struct {
		Type string `json:"@type"`
	}
	if err := json.Unmarshal(text, &named); err != nil {
		return nil, err
	}
	if named.Type != "" {
		payload := new(anypb.Any)
		return payload, protojson.Unmarshal(text, payload)
	}
	var message proto.Message = new(structpb.Struct)
	if kind == "orchestration.task_completed" {
		message = new(orchestrationv1.TaskCompleted)
	}
	if err := protojson.Unmarshal(text, message); err != nil {
		return nil, err
	}
	return anypb.New(message)
}
