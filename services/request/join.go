package request

import (
	"context"
	"crypto/sha256"
	"errors"
	"slices"
	"strings"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/gen/scope"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// newSession is the session id that asks for a new session.
const newSession = "new"

// joined is a turn with its session.
type joined struct {
	turn        *conversationv1.Turn      // to be answered
	newMessages []*conversationv1.Message // what the session does not hold yet
}

// joinSession joins a turn with what its session holds. A session to be made
// holds nothing.
func (s *Service) joinSession(ctx context.Context, turn *conversationv1.Turn, sessionID string) (joined, error) {
	var stored *sessionv1.GetContextResponse
	if sessionID != "" && sessionID != newSession {
		var err error
		bounded := s.sessionCall(ctx)
		defer bounded.end()
		stored, err = s.deps.Session.GetContext(bounded, &sessionv1.GetContextRequest{SessionId: sessionID, MaxTokens: s.cfg.MaxContextTokens})
		if err = s.ended.judge(callctx.Owner(ctx), sessionID, err); err != nil {
			return joined{}, roomFault(err, "session")
		}
	}
	if turn.GetRaw() == nil && stored == nil {
		if err := validateToolResults(turn.GetMessages(), 0); err != nil {
			return joined{}, err
		}
	}
	if sessionID == "" {
		return joined{turn: turn}, nil
	}
	typed := turn
	if raw := turn.GetRaw(); raw != nil && len(turn.GetMessages()) == 0 && stored == nil { // no more of it is needed
		codec := s.deps.Codec(raw.GetWire())
		if codec == nil {
			return joined{}, unknownWire()
		}
		messages, err := wire.ReadMessages(codec, raw.GetBody())
		if err != nil {
			return joined{}, fault.From(err)
		}
		return joined{turn: turn, newMessages: systemFirst(messages)}, nil
	}
	if turn.GetRaw() != nil && len(turn.GetMessages()) == 0 {
		var err error
		if typed, err = s.decode(turn); err != nil {
			return joined{}, err
		}
	}
	return join(turn, typed, stored)
}

// decode makes the typed half of a raw turn. The head stays as the face set
// it.
func (s *Service) decode(turn *conversationv1.Turn) (*conversationv1.Turn, error) {
	typed, err := s.decodeBody(turn.GetRaw().GetWire(), turn.GetRaw().GetBody())
	if err != nil {
		return nil, err
	}
	typed.Model, typed.Stream, typed.AcceptWire, typed.HasTools = turn.GetModel(), turn.GetStream(), turn.GetAcceptWire(), turn.GetHasTools()
	if turn.MaxOutputTokens != nil {
		typed.MaxOutputTokens = turn.MaxOutputTokens
	}
	return typed, nil
}

// decodeBody reads a raw turn's body. The turn is the caller's.
func (s *Service) decodeBody(wire conversationv1.Wire, body []byte) (*conversationv1.Turn, error) {
	codec := s.deps.Codec(wire)
	if codec == nil {
		return nil, unknownWire()
	}
	decoded, err := codec.DecodeTurn(body)
	if err != nil {
		return nil, fault.From(err)
	}
	return decoded, nil
}

func unknownWire() *fault.Fault {
	return fault.InvalidField("turn.raw.wire", "is not a wire that this mesh knows")
}

// systemFirst are messages in the order in which a session takes them.
func systemFirst(messages []*conversationv1.Message) []*conversationv1.Message {
	for i := 1; i < len(messages); i++ {
		if messages[i].GetRole() == conversationv1.Role_ROLE_SYSTEM && messages[i-1].GetRole() != conversationv1.Role_ROLE_SYSTEM {
			return concat(partition(messages))
		}
	}
	return messages
}

// join is joinSession without the calls. typed is turn with its typed half.
func join(turn, typed *conversationv1.Turn, stored *sessionv1.GetContextResponse) (joined, error) {
	system, rest := partition(typed.GetMessages())
	storedSystem, history := partition(stored.GetMessages())
	added := system
	if len(storedSystem) > 0 {
		added = nil // those of the turn count for this turn only
	}
	from, continues := continuation(history, rest, stored.GetOmittedCount() > 0)
	if continues {
		out := joined{turn: turn, newMessages: concat(added, rest[from:])}
		if len(system) == 0 && len(storedSystem) > 0 {
			out.turn = withMessages(typed, concat(storedSystem, typed.GetMessages()))
		}
		return out, nil
	}
	if len(system) == 0 {
		system = storedSystem
	}
	messages := concat(system, history, rest)
	if err := validateToolResults(messages, len(messages)-len(rest)); err != nil {
		return joined{}, err
	}
	return joined{turn: withMessages(typed, messages), newMessages: concat(added, rest)}, nil
}

// continuation says whether rest goes on from history, and at which of its
// messages the new ones begin. With omitted the history lacks its beginning.
func continuation(history, rest []*conversationv1.Message, omitted bool) (from int, ok bool) {
	if len(history) == 0 {
		return 0, true
	}
	if !omitted {
		// Where nothing is left out, they begin alike or not at all.
		from = len(history)
		return from, len(rest) >= from && slices.EqualFunc(history, rest[:from], sameMessage)
	}
	// A client that goes on from what it was answered has little that is new.
	last := len(rest) - len(history)
	for at := last; at >= max(0, last-fewNew); at-- {
		if slices.EqualFunc(history, rest[at:at+len(history)], sameMessage) {
			return at + len(history), true
		}
	}
	return lastAfter(prints(rest), prints(history))
}

// fewNew is how many messages a client has added, as a rule, to what the session
// holds.
const fewNew = 3

// prints are what tells messages apart, each made once.
func prints(messages []*conversationv1.Message) []messagePrint {
	out := make([]messagePrint, len(messages))
	for i, m := range messages {
		out[i] = messagePrint{m.GetRole(), sha256.Sum256([]byte(fingerprint(m)))}
	}
	return out
}

type messagePrint struct {
	role conversationv1.Role
	text [sha256.Size]byte
}

// lastAfter finds the last place where part stands in list, and returns where it
// ends. It looks at each element a few times at the most, however much they
// repeat themselves: Knuth, Morris and Pratt's way, from the end.
func lastAfter[T comparable](list, part []T) (end int, ok bool) {
	n := len(part)
	at := func(i int) T { return part[n-1-i] } // read backwards
	border := make([]int, n)                   // of each beginning, the longest that is its end too
	for i, k := 1, 0; i < n; i++ {
		for k > 0 && at(i) != at(k) {
			k = border[k-1]
		}
		if at(i) == at(k) {
			k++
		}
		border[i] = k
	}
	for i, k := len(list)-1, 0; i >= 0; i-- {
		for k > 0 && list[i] != at(k) {
			k = border[k-1]
		}
		if list[i] == at(k) {
			k++
		}
		if k == n {
			return i + n, true
		}
	}
	return 0, false
}

// sameMessage compares by role, text and tool calls: clients do not give back
// everything, reasoning for one.
func sameMessage(a, b *conversationv1.Message) bool {
	return a.GetRole() == b.GetRole() && fingerprint(a) == fingerprint(b)
}

func fingerprint(m *conversationv1.Message) string {
	var out strings.Builder
	var others strings.Builder
	parts(&out, &others, m.GetParts())
	return strings.TrimSpace(out.String()) + others.String()
}

// parts writes text to text, joined, and everything else that matters to
// others. Zero bytes keep what stands side by side apart.
func parts(text, others *strings.Builder, list []*conversationv1.ContentPart) {
	for _, part := range list {
		switch kind := part.GetKind().(type) {
		case *conversationv1.ContentPart_Text:
			text.WriteString(kind.Text)
		case *conversationv1.ContentPart_Refusal:
			text.WriteString(kind.Refusal)
		case *conversationv1.ContentPart_ToolCall:
			// Ids are made up where a wire has none: name and arguments tell.
			others.WriteString("\x00call\x00" + kind.ToolCall.GetName() + "\x00" + strings.TrimSpace(kind.ToolCall.GetArgumentsJson()))
		case *conversationv1.ContentPart_ToolResult:
			others.WriteString("\x00result\x00")
			parts(others, others, kind.ToolResult.GetParts())
		case *conversationv1.ContentPart_Image:
			others.WriteString("\x00image\x00" + kind.Image.GetUrl() + string(kind.Image.GetData()))
		case *conversationv1.ContentPart_File:
			others.WriteString("\x00file\x00" + kind.File.GetUrl() + kind.File.GetFileId() + string(kind.File.GetData()))
		case *conversationv1.ContentPart_Audio:
			others.WriteString("\x00audio\x00" + kind.Audio.GetId() + string(kind.Audio.GetData()))
		}
	}
}

func partition(messages []*conversationv1.Message) (system, rest []*conversationv1.Message) {
	for _, m := range messages {
		if m.GetRole() == conversationv1.Role_ROLE_SYSTEM {
			system = append(system, m)
		} else {
			rest = append(rest, m)
		}
	}
	return system, rest
}

func concat(lists ...[]*conversationv1.Message) []*conversationv1.Message {
	return slices.Concat(lists...)
}

// withMessages is a turn with other messages: the raw half goes.
func withMessages(turn *conversationv1.Turn, messages []*conversationv1.Message) *conversationv1.Turn {
	out := shallow(turn)
	out.Messages, out.Raw = messages, nil
	out.HasTools = turn.GetHasTools() || len(turn.GetTools()) > 0
	return out
}

// sessionCall is the context of a call of the session room, which is bounded. Its
// deadline shares a timer with those of the requests.
type sessionCall struct {
	scope.Scope
	s     *Service
	until scope.Deadline
}

func (s *Service) sessionCall(ctx context.Context) *sessionCall {
	c := &sessionCall{s: s}
	c.StartAmong(&s.limits, &c.until, ctx, time.Now().Add(s.cfg.SessionTimeout), nil)
	return c
}

func (c *sessionCall) end() {
	c.s.limits.Remove(&c.until)
	c.Cancel(nil)
}

// createSession makes the session of a request that asked for a new one.
func (s *Service) createSession(ctx context.Context, id, userID string) error {
	bounded := s.sessionCall(ctx)
	defer bounded.end()
	_, err := s.deps.Session.CreateSession(bounded, &sessionv1.CreateSessionRequest{SessionId: id, UserId: userID})
	if err != nil && errors.Is(ctx.Err(), context.Canceled) {
		return wasCancelled()
	}
	if err != nil {
		return roomFault(err, "session")
	}
	return nil
}

// shallow copies a message; what hangs below is shared and stays read-only.
func shallow[T proto.Message](m T) T {
	out := m.ProtoReflect().New()
	m.ProtoReflect().Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		out.Set(field, value)
		return true
	})
	return out.Interface().(T)
}
