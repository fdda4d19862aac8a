package responses

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gptmesh/gptmesh/gateway/edge"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	wireresponses "github.com/gptmesh/gptmesh/wire/responses"
)

// get tells of a response, or streams it from where the client has it.
func (f *face) get(x *edge.Exchange) {
	query := x.Request().URL.Query()
	streamed := query.Get("stream") == "true" || query.Get("stream") == "1"
	after := int64(-1)
	if id := x.Request().Header.Get("Last-Event-Id"); id != "" && streamed {
		// A browser's EventSource comes again; it began with starting_after.
		if n, err := strconv.ParseInt(id, 10, 64); err == nil && n >= 0 {
			query.Set("starting_after", id)
		}
	}
	if text := query.Get("starting_after"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			x.Fail(fault.InvalidField("starting_after", "it must be a sequence number"))
			return
		}
		if !streamed {
			x.Fail(fault.InvalidField("starting_after", "needs stream=true"))
			return
		}
		after = n
	}
	s, err := f.load(x.Context(), x.Param(), noResponse)
	if err != nil {
		x.Fail(err)
		return
	}
	if streamed {
		f.replay(x, s, after)
		return
	}
	f.show(x, s)
}

// show answers with a response as of now.
func (f *face) show(x *edge.Exchange, s *stored) {
	object, err := f.object(x.Context(), s)
	if err != nil {
		x.Fail(err)
		return
	}
	_ = x.JSON(http.StatusOK, object)
}

// replay streams the events of a response behind a sequence number: those that
// are there, and those that come.
func (f *face) replay(x *edge.Exchange, s *stored, after int64) {
	// A client that has everything gets an empty stream.
	x.Header().Set("Content-Type", contentType)
	stream := x.Stream(edge.StreamOptions{ContentType: contentType, Pause: f.config.Heartbeat, Ping: ping})
	defer stream.Close()
	codec := wireresponses.With(s.echo, after)
	if strings.Contains(x.Request().Header.Get("Accept"), contentType) {
		codec = wireresponses.Numbered(s.echo, after)
	}
	encoder := codec.NewStreamEncoder(wire.AnswerOptions{ID: s.id})
	var piece []byte
	var broken error
	ended := false
	send := func(events []*conversationv1.Event) (err error) {
		if piece, err = encoder.Encode(piece[:0], events); err != nil || len(piece) == 0 {
			return err
		}
		broken = stream.Send(piece)
		return broken
	}
	err := f.watch(x.Context(), s, func(step *responsev1.WatchResponseResponse) error {
		events := step.GetChunk().GetEvents()
		if len(events) > 0 && wire.Terminal(events[len(events)-1]) {
			ended = true
		}
		return send(events)
	})
	switch {
	case err == nil && ended:
		return
	case broken != nil:
		x.SetFailure(broken)
		return
	case x.ClientGone(): // Perhaps it closed its sending half alone.
		err = fault.From(x.Context().Err())
	case err == nil:
		err = fault.Internal(errNoEnd)
	}
	err = x.Cause(err)
	stream.Close()
	if !stream.Opened() {
		x.Header().Del("Content-Type")
		x.Fail(err)
		return
	}
	x.SetFailure(err)
	_ = send([]*conversationv1.Event{{Kind: &conversationv1.Event_Failed{Failed: wire.Failure(err)}}})
}

// poll is how often a response is looked for that is not begun yet.
const poll = 50 * time.Millisecond

// watch watches a response, and waits for one that is not begun yet.
func (f *face) watch(ctx context.Context, s *stored, sink func(*responsev1.WatchResponseResponse) error) error {
	for {
		err := f.rooms.Response.WatchResponse(ctx, &responsev1.WatchResponseRequest{ResponseId: s.id}, sink)
		if s.request == nil || !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_RESPONSE_NOT_FOUND) {
			return err
		}
		got, requestErr := f.rooms.Request.GetRequest(ctx, &requestv1.GetRequestRequest{RequestId: s.request.GetId()})
		switch {
		case requestErr != nil:
			return requestErr
		case final(got.GetRequest()):
			if failure := got.GetRequest().GetFailure(); failure != nil {
				return wire.Fault(failure)
			}
			return err
		}
		timer := time.NewTimer(poll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fault.From(ctx.Err())
		}
	}
}

func final(r *requestv1.Request) bool {
	switch r.GetState() {
	case requestv1.Request_STATE_ACCEPTED, requestv1.Request_STATE_RUNNING:
		return false
	}
	return true
}
