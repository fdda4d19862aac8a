package responses

import (
	"context"
	"errors"
	"net/http"

	"github.com/gptmesh/gptmesh/gateway/answer"
	"github.com/gptmesh/gptmesh/gateway/edge"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	wireresponses "github.com/gptmesh/gptmesh/wire/responses"
	"google.golang.org/protobuf/types/known/durationpb"
)

var errNoEnd = errors.New("an answer ended without its terminal event")

// own is the dialect of this face.
const own = conversationv1.Wire_WIRE_OPENAI_RESPONSES

// create answers a turn, at once or in the background.
func (f *face) create(x *edge.Exchange) {
	t, err := f.read(x)
	if err != nil {
		x.Fail(err)
		return
	}
	if t.background && !t.request.Turn.GetStream() {
		f.detach(x, t)
		return
	}
	caller := &noting{RequestServiceCaller: f.rooms.Request}
	turn := &answer.Turn{Exchange: x, Request: t.request, Options: func() wire.AnswerOptions { return wire.AnswerOptions{Now: x.Now} }}
	turn.Rewrite = func(dst, data []byte, _ string) []byte {
		if t.request.Turn.GetStream() {
			return wireresponses.RewriteStream(dst, data, caller.response, t.echo)
		}
		return wireresponses.RewriteBody(dst, data, caller.response, t.echo)
	}
	f.submitter(caller, wireresponses.With(t.echo, -1)).Answer(turn)
}

// wanted is what a client asks for.
type wanted struct {
	request    *requestv1.SubmitRequest
	echo       *wireresponses.Echo
	background bool
	made       bool // a session is made for this turn alone
}

// read reads a client's request.
func (f *face) read(x *edge.Exchange) (*wanted, error) {
	body, err := x.Body()
	if err != nil {
		return nil, err
	}
	t := &wanted{request: &requestv1.SubmitRequest{WireBounds: own}}
	if t.echo, err = wireresponses.EchoOf(body); err != nil {
		return nil, err
	}
	m, err := readMembers(body)
	if err != nil {
		return nil, err
	}
	if err := answer.ReadHeaders(x.Request().Header, t.request); err != nil {
		return nil, err
	}
	if t.request.SessionId != "" && (m.previous != "" || m.conversation != "") {
		return nil, fault.InvalidField("x-gptmesh-session", "previous_response_id or conversation names the session already")
	}
	chained := m.previous != "" || m.conversation != ""
	input, err := f.resolve(x.Context(), m)
	if err != nil {
		return nil, err
	}
	if body, err = m.strip(input, chained); err != nil {
		return nil, err
	}
	if t.request.Turn, err = wireresponses.Codec().ScanTurn(body); err != nil {
		return nil, err
	}
	if err := answer.ReadOnFailure(x.Request().Header, t.request.Turn); err != nil {
		return nil, err
	}
	x.SetModel(t.request.Turn.GetModel())
	if chained {
		err = f.join(x.Context(), t, m)
	} else if m.store && t.request.SessionId == "" {
		t.request.SessionId, t.made = "new", true
	}
	if err != nil {
		return nil, err
	}
	if m.store {
		// What is kept is said in the same words each time it is asked for.
		t.request.Turn.AcceptWire = conversationv1.Wire_WIRE_UNSPECIFIED
	}
	t.background = m.background
	if m.background {
		t.request.OnDisconnect = responsev1.DisconnectPolicy_DISCONNECT_POLICY_DETACH
	}
	t.label(m)
	return t, nil
}

// label sets what the answer repeats and what the request is labelled with.
func (t *wanted) label(m *members) {
	if m.conversation != "" {
		t.echo.Set("conversation", `{"id":`+string(jsonscan.AppendString(nil, m.conversation))+`}`)
	}
	t.request.Metadata = map[string]string{}
	if t.made {
		t.request.Metadata[sessionLabel] = "own"
	}
	for key, value := range m.metadata {
		t.request.Metadata[key] = value
	}
	kept := t.echo
	if !m.store { // Nobody may ask for it: that is all there is to know.
		kept = &wireresponses.Echo{}
		kept.Set("store", "false")
	}
	setEcho(t.request.Metadata, kept)
}

// join joins the turn with what goes before it.
func (f *face) join(ctx context.Context, t *wanted, m *members) error {
	scanned := t.request.Turn
	turn, err := wireresponses.Codec().DecodeTurn(scanned.GetRaw().GetBody())
	if err != nil {
		return err
	}
	turn.AcceptWire, turn.OnFailure = scanned.GetAcceptWire(), scanned.GetOnFailure()
	turn.ExtraJson = withoutHistory(turn.GetExtraJson())
	var joined *continued
	if m.previous != "" {
		joined, err = f.goOn(ctx, m.previous, turn.GetMessages(), t.request.GetIdempotencyKey())
	} else {
		inherited := ""
		if joined, inherited, err = f.converse(ctx, m.conversation, turn.GetMessages()); inherited != "" {
			t.echo.Set("instructions", string(jsonscan.AppendString(nil, inherited)))
		}
	}
	if err != nil {
		return err
	}
	if len(joined.messages) == 0 {
		return fault.InvalidField("input", "needs at least one item")
	}
	turn.Messages = joined.messages
	t.request.Turn, t.request.SessionId, t.made = turn, joined.sessionID, joined.sessionID == "new"
	return nil
}

var historyKeys = jsonscan.NewKeys("previous_response_id", "conversation")

// withoutHistory takes out of extra members what named the history.
func withoutHistory(extra string) string {
	found, err := jsonscan.Scan([]byte(extra), historyKeys, nil)
	if err != nil {
		return extra
	}
	out, err := jsonscan.Splice(nil, []byte(extra), jsonscan.Edit{At: found[0]}, jsonscan.Edit{At: found[1]})
	if err != nil {
		return extra
	}
	return string(out)
}

// detach hands a turn over and answers that it waits.
func (f *face) detach(x *edge.Exchange, t *wanted) {
	if timeout := x.Timeout(); timeout > 0 {
		t.request.Timeout = durationpb.New(timeout)
	}
	got, err := f.rooms.Request.SubmitDetached(x.Context(), &requestv1.SubmitDetachedRequest{Submit: t.request})
	if err != nil {
		x.Fail(err)
		return
	}
	r := got.GetRequest()
	h := x.Header()
	h.Set("X-Gptmesh-Request", r.GetId())
	h.Set("X-Gptmesh-Response", r.GetResponseId())
	if r.GetSessionId() != "" {
		h.Set("X-Gptmesh-Session", r.GetSessionId())
	}
	_ = x.JSON(http.StatusOK, wireresponses.EncodeQueued(t.echo, wire.AnswerOptions{
		ID: r.GetResponseId(), Model: modelOf(r), Created: r.GetCreateTime().AsTime(),
	}))
}

// noting is a request room of which the id of the answer is noted.
type noting struct {
	requestv1.RequestServiceCaller
	response string
}

// Submit implements requestv1.RequestServiceCaller.
func (n *noting) Submit(ctx context.Context, request *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
	return n.RequestServiceCaller.Submit(ctx, request, func(step *requestv1.SubmitResponse) error {
		if id := step.GetRequest().GetResponseId(); id != "" {
			n.response = id
		}
		if events := step.GetChunk().GetEvents(); len(events) > 0 && events[0].GetStarted().GetResponseId() != "" {
			n.response = events[0].GetStarted().GetResponseId()
		}
		return sink(step)
	})
}
