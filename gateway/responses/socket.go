package responses

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/coder/websocket"
	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	wireresponses "github.com/gptmesh/gptmesh/wire/responses"
)

const (
	// socketLife is how long a connection takes turns. It is OpenAI's.
	socketLife = time.Hour
	// socketWaiting is how many turns may wait for the one that is answered.
	socketWaiting = 4
	// socketWrite bounds a write to a client that does not read.
	socketWrite = 30 * time.Second
	// socketSilence is how long a connection goes without being asked whether its
	// client is still there, and how long that one has for its answer.
	socketSilence = 30 * time.Second
)

// socket is a client's connection over which it has turns answered, one behind
// the other. Each turn is a request of its own to the edge.
type socket struct {
	x      *edge.Exchange
	conn   *websocket.Conn
	ctx    context.Context // ends when the client leaves
	leave  context.CancelFunc
	frames chan []byte
	chain  chain
}

// serveSocket serves turns over a websocket.
func (f *face) serveSocket(x *edge.Exchange) {
	conn, err := x.Upgrade()
	if err != nil {
		x.SetFailure(err)
		return
	}
	s := &socket{x: x, conn: conn, frames: make(chan []byte, socketWaiting)}
	s.ctx, s.leave = context.WithCancel(x.Request().Context())
	var beside sync.WaitGroup
	beside.Go(s.read)
	beside.Go(s.keepAlive)
	s.answer()
	s.leave()
	_ = conn.CloseNow() // what was to be said has been said
	beside.Wait()
}

// answer answers turns until the client leaves or may ask for none any more.
func (s *socket) answer() {
	life := time.NewTimer(socketLife)
	defer life.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-s.x.Draining():
			_ = s.conn.Close(websocket.StatusGoingAway, "this server is shutting down; connect again")
			return
		case <-life.C:
			_ = s.refuse(http.StatusBadRequest, body("Responses websocket connection limit reached (60 minutes). Create a new websocket connection to continue.",
				"", "websocket_connection_limit_reached"), nil)
			_ = s.conn.Close(websocket.StatusNormalClosure, "connection limit reached")
			return
		case frame := <-s.frames:
			if s.take(frame) != nil {
				return
			}
		}
	}
}

// read reads what the client says, also while a turn is answered: that is how
// its leaving is seen.
func (s *socket) read() {
	defer s.leave()
	for {
		kind, frame, err := s.conn.Read(s.ctx)
		switch {
		case err != nil:
			return
		case kind != websocket.MessageText:
			_ = s.conn.Close(websocket.StatusUnsupportedData, "want messages of text")
			return
		}
		select {
		case s.frames <- frame:
		default:
			_ = s.conn.Close(websocket.StatusPolicyViolation, "too many turns are waiting")
			return
		}
	}
}

// keepAlive sees that a client is gone whose machine or network is.
func (s *socket) keepAlive() {
	tick := time.NewTicker(socketSilence)
	defer tick.Stop()
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-tick.C:
		}
		ctx, cancel := context.WithTimeout(s.ctx, socketSilence)
		err := s.conn.Ping(ctx)
		cancel()
		if err != nil {
			s.leave()
			return
		}
	}
}

// take does what one message asks for. An error is the connection's.
func (s *socket) take(frame []byte) error {
	var found [socketMembers]jsonscan.Member
	if _, err := jsonscan.Scan(frame, socketKeys, found[:]); err != nil {
		return s.fail(fault.InvalidField("", "a message must be a JSON object: "+err.Error()))
	}
	kind, _ := found[atType].Text(frame)
	switch {
	case kind == "response.processed": // the client has what it was sent
		return nil
	case kind != "response.create":
		return s.fail(fault.InvalidField("type", "want response.create"))
	case found[atStreamID].Kind != jsonscan.Absent && found[atStreamID].Kind != jsonscan.Null:
		return s.fail(fault.InvalidField("stream_id", "a connection has one turn after the other here; use one for each"))
	}
	turn, err := s.chain.next(frame, &found)
	if err != nil {
		return s.fail(err)
	}
	if found[atGenerate].Kind == jsonscan.False {
		return s.warmUp(turn)
	}
	w := &socketWriter{socket: s, header: http.Header{}}
	s.x.Serve(w, s.request(turn.body))
	err = w.end()
	s.chain.ended(turn, w.id, w.output)
	return err
}

// request is a turn as it would come without a websocket.
func (s *socket) request(body []byte) *http.Request {
	r := s.x.Request().Clone(s.ctx)
	r.Method, r.Body, r.ContentLength = http.MethodPost, io.NopCloser(bytes.NewReader(body)), int64(len(body))
	for _, name := range []string{
		"Connection", "Upgrade", "Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions", "Sec-Websocket-Protocol",
		"X-Request-Id", "Idempotency-Key", "Content-Encoding",
	} {
		r.Header.Del(name)
	}
	r.Header.Set("Content-Type", "application/json")
	return r
}

// warmUp answers a turn that is there to be gone on from.
func (s *socket) warmUp(t *link) error {
	echo, err := wireresponses.EchoOf(t.body)
	if err != nil {
		return s.fail(err)
	}
	now := s.x.Now()
	answer := wire.Answer{Finished: true, FinishedAt: now.Unix()}
	options := wire.AnswerOptions{ID: ids.At("resp", now), Created: now}
	options.Model, _ = t.found[atModel].Text(t.body)
	answered, err := wireresponses.EncodeStored(&answer, echo, options)
	if err != nil {
		return s.fail(err)
	}
	t.kept = true
	s.chain.ended(t, options.ID, []byte("[]"))
	for i, kind := range []string{"created", "completed"} {
		event := append([]byte(`{"type":"response.`+kind+`","sequence_number":`), byte('0'+i))
		event = append(append(append(event, `,"response":`...), answered...), '}')
		if err := s.send(event); err != nil {
			return err
		}
	}
	return nil
}

func (s *socket) send(event []byte) error {
	ctx, cancel := context.WithTimeout(s.ctx, socketWrite)
	defer cancel()
	return s.conn.Write(ctx, websocket.MessageText, event)
}

// fail tells of a message that asks for nothing that can be done.
func (s *socket) fail(err error) error {
	status, body := words(err)
	return s.refuse(status, body, nil)
}

var errorKeys = jsonscan.NewKeys("error")

// refuse tells of an error that came in the place of a stream: the body as it
// would be without a websocket, beside its status.
func (s *socket) refuse(status int, body []byte, header http.Header) error {
	event := strconv.AppendInt([]byte(`{"type":"error","status":`), int64(status), 10)
	if found, err := jsonscan.Scan(body, errorKeys, nil); err == nil && found[0].Present() {
		event = append(append(event, `,"error":`...), found[0].Raw(body)...)
	}
	if wait := header.Get("Retry-After"); wait != "" {
		event = append(jsonscan.AppendString(append(event, `,"headers":{"retry-after":`...), wait), '}')
	}
	return s.send(append(event, '}'))
}
