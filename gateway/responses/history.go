package responses

import (
	"context"
	"net/http"
	"strings"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	wireresponses "github.com/gptmesh/gptmesh/wire/responses"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
)

// history is what a session holds.
type history struct {
	session  *sessionv1.Session
	messages []*conversationv1.Message // all of them, in order
}

// maxMessages bounds how many messages are read.
const maxMessages = 100_000

// readSession reads a session with its messages. The session is read first, so
// that its version is not newer than the messages are.
func (f *face) readSession(ctx context.Context, id string) (*history, error) {
	got, err := f.rooms.Session.GetSession(ctx, &sessionv1.GetSessionRequest{SessionId: id})
	if err != nil {
		return nil, err
	}
	h := &history{session: got.GetSession()}
	request := &sessionv1.ListMessagesRequest{SessionId: id, PageSize: 1000}
	for len(h.messages) < maxMessages {
		page, err := f.rooms.Session.ListMessages(ctx, request)
		if err != nil {
			return nil, err
		}
		h.messages = append(h.messages, page.GetMessages()...)
		if page.GetNextPageToken() == "" {
			break
		}
		request = &sessionv1.ListMessagesRequest{SessionId: id, PageSize: 1000, PageToken: page.GetNextPageToken()}
	}
	return h, nil
}

// upTo is how many messages there are up to and including one; 0 where it is
// not there.
func (h *history) upTo(message string) int {
	for i, m := range h.messages {
		if m.GetId() == message {
			return i + 1
		}
	}
	return 0
}

// lasting are the messages that later turns see: all but instructions, which
// were for their turn alone.
func lasting(messages []*conversationv1.Message) []*conversationv1.Message {
	out := make([]*conversationv1.Message, 0, len(messages))
	for _, m := range messages {
		if m.GetWireRole() != wireresponses.RoleInstructions {
			out = append(out, m)
		}
	}
	return out
}

// fresh are messages for another session: without the ids and versions that
// they have in this one.
func fresh(messages []*conversationv1.Message) []*conversationv1.Message {
	out := make([]*conversationv1.Message, len(messages))
	for i, m := range messages {
		out[i] = &conversationv1.Message{
			Id: m.GetId(), Role: m.GetRole(), Parts: m.GetParts(), Name: m.GetName(), WireRole: m.GetWireRole(), ExtraJson: m.GetExtraJson(),
		}
	}
	return out
}

func hasSystem(messages []*conversationv1.Message) bool {
	for _, m := range messages {
		if m.GetRole() == conversationv1.Role_ROLE_SYSTEM {
			return true
		}
	}
	return false
}

// split takes the instructions of a turn off its input.
func split(messages []*conversationv1.Message) (instructions, input []*conversationv1.Message) {
	n := 0
	for n < len(messages) && messages[n].GetWireRole() == wireresponses.RoleInstructions {
		n++
	}
	return messages[:n], messages[n:]
}

// continued is a turn with what goes before it.
type continued struct {
	messages  []*conversationv1.Message
	sessionID string // where it goes on
}

// goOn joins a turn with the response that it names.
func (f *face) goOn(ctx context.Context, previous string, turn []*conversationv1.Message, key string) (*continued, error) {
	s, err := f.load(ctx, previous, noPrevious)
	if err != nil {
		return nil, err
	}
	if !s.final() {
		return nil, refuse(http.StatusBadRequest, "previous_response_not_completed", "previous_response_id",
			"Previous response with id '"+quote(previous)+"' is not complete yet.")
	}
	if s.response.GetState() != responsev1.Response_STATE_COMPLETED || s.session() == "" {
		return nil, refuse(http.StatusBadRequest, "previous_response_not_completed", "previous_response_id",
			"Previous response with id '"+quote(previous)+"' did not complete, so that nothing can go on from it.")
	}
	h, err := f.readSession(ctx, s.session())
	if fault.Is(err, meshv1.ErrorReason_ERROR_REASON_SESSION_NOT_FOUND) {
		return nil, noPrevious(previous)
	}
	if err != nil {
		return nil, err
	}
	n := h.upTo(previous)
	if n == 0 {
		return nil, noPrevious(previous)
	}
	instructions, input := split(turn)
	out := &continued{sessionID: "new"}
	out.messages = append(append(out.messages, instructions...), fresh(lasting(h.messages[:n]))...)
	out.messages = append(out.messages, input...)
	if h.repeats(n, previous, key) {
		out.sessionID = h.session.GetId()
	} else if h.takes(previous, out.messages, input) {
		claimed, err := f.claim(ctx, h, previous, key)
		if err != nil {
			return nil, err
		}
		if claimed {
			out.sessionID = h.session.GetId()
		}
	}
	return out, nil
}

// takes says whether the session itself can take a turn that goes on from a
// message. The request room puts the system messages that a session holds
// before a turn that has none, and adds those of a turn only where it holds
// none; a turn for which that would be wrong goes elsewhere.
func (h *history) takes(message string, turn, input []*conversationv1.Message) bool {
	switch h.session.GetState() {
	case sessionv1.Session_STATE_ENDED, sessionv1.Session_STATE_EXPIRED:
		return false
	}
	holds := hasSystem(h.messages)
	return h.upTo(message) == len(h.messages) && int64(len(h.messages)) == h.session.GetMessageCount() &&
		(!holds || hasSystem(turn)) && (!holds || !hasSystem(input))
}

// claimKey is the preference that says which message of a session a turn goes
// on from.
const claimKey = "gptmesh_continued"

// keyLifetime is how long the request room keeps an idempotency key.
const keyLifetime = 24 * time.Hour

// repeats says whether a turn that goes on from a message, the nth, was sent
// before under the same idempotency key and has gone on in the session: it then
// has to look the same once more, for the request room to know it again.
func (h *history) repeats(n int, message, key string) bool {
	if key == "" || h.claim() != message+" "+key {
		return false
	}
	return n == len(h.messages) || time.Since(h.messages[n].GetCreateTime().AsTime()) < keyLifetime
}

func (h *history) claim() string {
	return h.session.GetPreferences().GetFields()[claimKey].GetStringValue()
}

// claim makes sure that no other turn goes on from the last message in the
// session itself.
func (f *face) claim(ctx context.Context, h *history, message, key string) (bool, error) {
	mine := message
	if key != "" {
		mine += " " + key
	}
	if held, _, _ := strings.Cut(h.claim(), " "); held == message {
		return false, nil
	}
	_, err := f.rooms.Session.UpdateSession(ctx, &sessionv1.UpdateSessionRequest{
		Session: &sessionv1.Session{Id: h.session.GetId(), Preferences: &structpb.Struct{Fields: map[string]*structpb.Value{
			claimKey: structpb.NewStringValue(mine),
		}}},
		UpdateMask:      &fieldmaskpb.FieldMask{Paths: []string{"preferences." + claimKey}},
		ExpectedVersion: h.session.GetVersion(),
	})
	switch {
	case err == nil:
		return true, nil
	case fault.Is(err, meshv1.ErrorReason_ERROR_REASON_VERSION_CONFLICT), fault.Is(err, meshv1.ErrorReason_ERROR_REASON_SESSION_ENDED),
		fault.Is(err, meshv1.ErrorReason_ERROR_REASON_SESSION_NOT_FOUND):
		return false, nil
	}
	return false, err
}

// converse joins a turn with a conversation. inherited is what instructions the
// turn has from an earlier one, "" where it has none.
func (f *face) converse(ctx context.Context, id string, turn []*conversationv1.Message) (out *continued, inherited string, err error) {
	h, err := f.readSession(ctx, id)
	if err != nil {
		return nil, "", conversationFault(err, id)
	}
	instructions, input := split(turn)
	out = &continued{sessionID: id}
	out.messages = append(append(out.messages, instructions...), fresh(lasting(h.messages))...)
	out.messages = append(out.messages, input...)
	if hasSystem(out.messages) {
		return out, "", nil
	}
	for _, m := range h.messages {
		if m.GetRole() == conversationv1.Role_ROLE_SYSTEM {
			for _, part := range m.GetParts() {
				inherited += part.GetText()
			}
		}
	}
	return out, inherited, nil
}
