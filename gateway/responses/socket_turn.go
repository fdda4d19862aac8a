package responses

import (
	"bytes"
	"net/http"
	"time"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// The members of a message that matter to the connection, by position.
const (
	atType = iota
	atGenerate
	atStreamID
	atStream
	atStoreIt
	atGoOn
	atItems
	atModel
	socketMembers
)

var socketKeys = jsonscan.NewKeys("type", "generate", "stream_id", "stream", "store", "previous_response_id", "input", "model")

// chain is what a connection keeps of its last turn where nobody else does: of one
// that is not to be stored, and of one that only warmed up. The next turn goes on
// from it by its id; every other id is looked for among what is stored.
type chain struct {
	id    string // "" where nothing is kept
	since string // the stored answer that the first of items goes on from; may be empty
	items []byte // input and output since, without the brackets
}

// link is one turn of a chain.
type link struct {
	body  []byte // what is sent on
	found [socketMembers]jsonscan.Member
	kept  bool // what becomes of it is kept here
	on    bool // it goes on from what was kept
	since string
	items []byte
}

// next is the turn that a message asks for, with what goes before it.
func (c *chain) next(frame []byte, found *[socketMembers]jsonscan.Member) (*link, error) {
	t := &link{kept: found[atStoreIt].Kind == jsonscan.False || found[atGenerate].Kind == jsonscan.False}
	edits := []jsonscan.Edit{
		{At: found[atType]}, {At: found[atGenerate]}, {At: found[atStreamID]},
		{At: found[atStream], Key: "stream", Value: []byte("true")},
	}
	previous, _ := found[atGoOn].Text(frame)
	t.on = c.id != "" && previous == c.id
	if t.kept || t.on {
		t.since, t.items = previous, itemsOf(frame, found[atItems])
	}
	if t.on {
		t.since, t.items = c.since, joined(c.items, t.items)
		edits = append(edits, jsonscan.Edit{At: found[atItems], Key: "input", Value: listed(t.items)})
		if c.since == "" {
			edits = append(edits, jsonscan.Edit{At: found[atGoOn]})
		} else {
			edits = append(edits, jsonscan.Edit{At: found[atGoOn], Value: jsonscan.AppendString(nil, c.since)})
		}
	}
	var err error
	if t.body, err = jsonscan.Splice(nil, frame, edits...); err == nil {
		_, err = jsonscan.Scan(t.body, socketKeys, t.found[:])
	}
	return t, err
}

// ended keeps what became of a turn. From what one went on that has no output,
// nothing can go on any more: it failed.
func (c *chain) ended(t *link, id string, output []byte) {
	switch {
	case output == nil && !t.on:
	case output == nil || !t.kept:
		*c = chain{}
	default:
		*c = chain{id: id, since: t.since, items: joined(t.items, inside(output))}
	}
}

// itemsOf are the items of an input, which may be one text.
func itemsOf(body []byte, input jsonscan.Member) []byte {
	switch input.Kind {
	case jsonscan.Array:
		return inside(input.Raw(body))
	case jsonscan.String:
		return append(append([]byte(`{"type":"message","role":"user","content":`), input.Raw(body)...), '}')
	}
	return nil
}

// inside is what stands between the brackets of a list.
func inside(list []byte) []byte { return bytes.TrimSpace(list[1 : len(list)-1]) }

func listed(items []byte) []byte { return append(append([]byte{'['}, items...), ']') }

func joined(a, b []byte) []byte {
	if len(a) == 0 || len(b) == 0 {
		return append(a[:len(a):len(a)], b...)
	}
	return append(append(a[:len(a):len(a)], ','), b...)
}

// socketWriter is where the edge writes the answer to one turn: each event of its
// stream is a message to the client, and an error that came in its place is one.
type socketWriter struct {
	socket *socket
	header http.Header
	status int
	rest   []byte // of an event, or of an error

	held   []byte // an error amid the stream
	ended  bool   // the client was told of the end
	id     string // of the answer, once it is complete
	output []byte // its items, as they were written; nil until then
}

// Header implements http.ResponseWriter.
func (w *socketWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *socketWriter) WriteHeader(status int) { w.status = status }

// FlushError is http.Flusher's, with an error. Nothing is held back.
func (w *socketWriter) FlushError() error { return nil }

// SetReadDeadline does nothing: the body is there.
func (w *socketWriter) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing: each message has a bound of its own.
func (w *socketWriter) SetWriteDeadline(time.Time) error { return nil }

var eventEnd = []byte("\n\n")

// Write implements http.ResponseWriter.
func (w *socketWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	if w.header.Get("Content-Type") != contentType {
		return len(p), nil
	}
	at := 0
	for {
		n := bytes.Index(w.rest[at:], eventEnd)
		if n < 0 {
			break
		}
		event := w.rest[at : at+n]
		at += n + len(eventEnd)
		if err := w.event(event); err != nil {
			w.socket.leave()
			return 0, err
		}
	}
	w.rest = append(w.rest[:0], w.rest[at:]...)
	return len(p), nil
}

var (
	endKeys      = jsonscan.NewKeys("response")
	answeredKeys = jsonscan.NewKeys("id", "output")
	statusKeys   = jsonscan.NewKeys("status")
)

// event sends one event: its data, which says its type too. Comments are for the
// connection's own pings to make up for. An error is held back: as a rule a
// failed response follows, and a turn has one end.
func (w *socketWriter) event(event []byte) error {
	name := []byte(nil)
	for line := range bytes.SplitSeq(event, []byte("\n")) {
		if value, ok := bytes.CutPrefix(line, []byte("event: ")); ok {
			name = value
		}
		data, ok := bytes.CutPrefix(line, []byte("data: "))
		if !ok {
			continue
		}
		switch string(name) {
		case "error":
			w.held = bytes.Clone(data)
			continue
		case "response.completed", "response.incomplete":
			w.ended = true
			w.keep(data)
		case "response.failed":
			w.ended = true
		}
		if err := w.socket.send(data); err != nil {
			return err
		}
	}
	return nil
}

// broken is an error that ended a stream, with a status: clients over websockets
// know by it that nothing follows. Over HTTP the end of the body says so.
func broken(data []byte) []byte {
	found, err := jsonscan.Scan(data, statusKeys, nil)
	if err != nil || found[0].Present() {
		return data
	}
	out, err := jsonscan.Splice(nil, data, jsonscan.Edit{Key: "status", Value: []byte("500")})
	if err != nil {
		return data
	}
	return out
}

// keep keeps what a complete answer says.
func (w *socketWriter) keep(data []byte) {
	found, err := jsonscan.Scan(data, endKeys, nil)
	if err != nil || found[0].Kind != jsonscan.Object {
		return
	}
	found, err = jsonscan.ScanObject(data, found[0].Value, answeredKeys, nil)
	if err == nil && found[1].Kind == jsonscan.Array {
		w.id, _ = found[0].Text(data)
		w.output = bytes.Clone(found[1].Raw(data))
	}
}

// end tells the client of the end where the stream did not: of the error that came
// in its place, or cut it short.
func (w *socketWriter) end() error {
	switch err := w.socket.ctx.Err(); {
	case err != nil || w.ended:
		return err
	case w.held != nil:
		return w.socket.send(broken(w.held))
	case w.header.Get("Content-Type") == contentType:
		return w.socket.fail(errNoEnd)
	}
	return w.socket.refuse(w.status, w.rest, w.header)
}
