package sessiontest

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/services/session/internal/refuse"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// WatchSession implements the contract.
func (f *Fake) WatchSession(req *sessionv1.WatchSessionRequest, stream grpc.ServerStreamingServer[sessionv1.WatchSessionResponse]) error {
	if err := f.enter("WatchSession"); err != nil {
		return err
	}
	ctx, after := stream.Context(), req.GetAfterVersion()
	e, err := f.find(ctx, req.GetSessionId())
	grave := f.graves[callctx.Owner(ctx)+"\x00"+req.GetSessionId()]
	f.mu.Unlock()
	if err != nil {
		if grave == nil {
			return refuse.NotFound(req.GetSessionId())
		}
		e = &entry{session: &sessionv1.Session{}, gone: grave}
	}
	for {
		f.mu.Lock()
		if e.gone == nil {
			e.settle(f.now())
		}
		events, over, changed := e.since(after), e.gone != nil || e.over(), f.changed
		f.mu.Unlock()
		for _, event := range events {
			if err := stream.Send(event); err != nil {
				return err
			}
			after = event.GetVersion()
		}
		if over {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return status.FromContextError(ctx.Err()).Err()
		}
	}
}

// since returns the changes after a version; of a deleted session the deletion
// alone.
func (e *entry) since(after int64) (events []*sessionv1.WatchSessionResponse) {
	if e.gone != nil {
		if e.gone.GetVersion() > after {
			events = append(events, e.gone)
		}
		return events
	}
	for _, c := range e.log {
		if c.version <= after {
			continue
		}
		event := &sessionv1.WatchSessionResponse{Kind: c.kind, Version: c.version, Session: e.view()}
		if c.kind == sessionv1.WatchSessionResponse_KIND_MESSAGES_APPENDED {
			var added []*conversationv1.Message
			for _, m := range e.messages {
				if m.GetVersion() == c.version {
					added = append(added, m)
				}
			}
			event.Messages = clones(added)
		}
		events = append(events, event)
	}
	return events
}
