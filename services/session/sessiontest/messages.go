package sessiontest

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/services/session/internal/message"
	"github.com/gptmesh/gptmesh/services/session/internal/refuse"
	"github.com/gptmesh/gptmesh/services/session/internal/window"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// AppendMessages implements the contract.
func (f *Fake) AppendMessages(ctx context.Context, req *sessionv1.AppendMessagesRequest) (*sessionv1.AppendMessagesResponse, error) {
	if err := f.enter("AppendMessages"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	if len(req.GetMessages()) == 0 {
		return nil, fault.InvalidField("messages", "must hold at least one message")
	}
	if err := check(req.GetMessages()); err != nil {
		return nil, err
	}
	e, err := f.find(ctx, req.GetSessionId())
	if err != nil {
		return nil, err
	}
	news := slices.ContainsFunc(req.GetMessages(), func(m *conversationv1.Message) bool { return e.index(m.GetId()) < 0 })
	if news && e.over() {
		return nil, refuse.Ended(req.GetSessionId(), e.session.GetState())
	}
	if want := req.GetExpectedVersion(); news && want != 0 && want != e.session.GetVersion() {
		return nil, refuse.VersionConflict(want, e.session.GetVersion())
	}
	stored := e.append(req.GetMessages(), f.now())
	if news {
		f.announce()
	}
	return &sessionv1.AppendMessagesResponse{Messages: clones(stored), Session: e.view()}, nil
}

// ListMessages implements the contract, on one page.
func (f *Fake) ListMessages(ctx context.Context, req *sessionv1.ListMessagesRequest) (*sessionv1.ListMessagesResponse, error) {
	if err := f.enter("ListMessages"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	if req.GetPageToken() != "" {
		return nil, fault.InvalidField("page_token", "the fake has one page")
	}
	e, err := f.find(ctx, req.GetSessionId())
	if err != nil {
		return nil, err
	}
	list := clones(e.messages)
	if req.GetNewestFirst() {
		slices.Reverse(list)
	}
	return &sessionv1.ListMessagesResponse{Messages: list}, nil
}

// GetContext implements the contract.
func (f *Fake) GetContext(ctx context.Context, req *sessionv1.GetContextRequest) (*sessionv1.GetContextResponse, error) {
	if err := f.enter("GetContext"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	e, err := f.open(ctx, req.GetSessionId())
	if err != nil {
		return nil, err
	}
	e.use(f.now())
	budget := window.NewBudget(req.GetMaxTokens())
	head, err := window.Oldest(budget, e.entries(true))
	if err != nil {
		return nil, err
	}
	tail, err := window.Newest(budget, e.entries(false))
	if err != nil {
		return nil, err
	}
	resp := &sessionv1.GetContextResponse{Session: e.view()}
	for _, entry := range slices.Concat(head, tail) {
		resp.Messages = append(resp.Messages, proto.CloneOf(entry.Message))
		resp.TokenEstimate += entry.Tokens
	}
	resp.OmittedCount = int64(len(e.messages) - len(resp.GetMessages()))
	return resp, nil
}

// entries gives system messages oldest first, or the others newest first.
func (e *entry) entries(system bool) iter.Seq2[window.Entry, error] {
	list := slices.Clone(e.messages)
	if !system {
		slices.Reverse(list)
	}
	return func(yield func(window.Entry, error) bool) {
		for _, m := range list {
			if (m.GetRole() == conversationv1.Role_ROLE_SYSTEM) == system &&
				!yield(window.Entry{Message: m, Tokens: message.Tokens(m)}, nil) {
				return
			}
		}
	}
}

func check(messages []*conversationv1.Message) error {
	for i, m := range messages {
		if problem := message.Check(m); problem != nil {
			return fault.InvalidField(fmt.Sprintf("messages[%d].%s", i, problem.Field), problem.Description)
		}
	}
	return nil
}

// index returns the place of a message, -1 for one that is not there.
func (e *entry) index(id string) int {
	return slices.IndexFunc(e.messages, func(m *conversationv1.Message) bool { return id != "" && m.GetId() == id })
}

// append stores what is not there and returns all as stored.
func (e *entry) append(messages []*conversationv1.Message, now time.Time) []*conversationv1.Message {
	before, version := len(e.messages), e.session.GetVersion()+1
	var stored []*conversationv1.Message
	for _, m := range messages {
		if at := e.index(m.GetId()); at >= 0 {
			stored = append(stored, e.messages[at])
			continue
		}
		kept := proto.CloneOf(m)
		kept.CreateTime, kept.Version = timestamppb.New(now), version
		if kept.Id == "" {
			kept.Id = ids.New("msg")
		}
		e.messages = append(e.messages, kept)
		stored = append(stored, kept)
	}
	if len(e.messages) > before {
		e.session.MessageCount = int64(len(e.messages))
		e.change(sessionv1.WatchSessionResponse_KIND_MESSAGES_APPENDED, now)
		e.use(now)
	}
	return stored
}

// copy takes over the messages of another session, one change for each of its.
func (e *entry) copy(messages []*conversationv1.Message, now time.Time) {
	last := int64(0)
	for _, m := range messages {
		if m.GetVersion() != last {
			last = m.GetVersion()
			e.change(sessionv1.WatchSessionResponse_KIND_MESSAGES_APPENDED, now)
		}
		kept := proto.CloneOf(m)
		kept.Version = e.session.GetVersion()
		e.messages = append(e.messages, kept)
	}
	e.session.MessageCount = int64(len(e.messages))
}
