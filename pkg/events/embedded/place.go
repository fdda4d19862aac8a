package embedded

import (
	"encoding/base64"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// place is the next event to read of one log: number index of segment seq.
type place struct {
	seq   int64
	index int
}

func (p place) before(q place) bool {
	return p.seq < q.seq || p.seq == q.seq && p.index < q.index
}

// places is the next event to read of each log by name. A log that is not there
// is read from its beginning.
type places map[string]place

// advance moves to the later place of each log.
func (p places) advance(to places) {
	for name, place := range to {
		if p[name].before(place) {
			p[name] = place
		}
	}
}

// cursor is the places as text, opaque to clients.
func (p places) cursor() string { return p.cursorOf("") }

// cursorOf is cursor for an event of a log, which Reject finds by it.
func (p places) cursorOf(log string) string {
	var text []byte
	for _, name := range slices.Sorted(maps.Keys(p)) {
		if len(text) > 0 {
			text = append(text, ' ')
		}
		if name == log {
			text = append(text, mark)
		}
		text = append(append(text, name...), ':')
		text = strconv.AppendInt(text, p[name].seq, 36)
		if i := p[name].index; i > 0 {
			text = strconv.AppendInt(append(text, '.'), int64(i), 36)
		}
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// mark stands before the log that a cursor's event is in.
const mark = '!'

var errCursor = errors.New("is not a cursor of this log")

// parseCursor reads what cursor wrote.
func parseCursor(cursor string) (places, error) {
	at, _, err := parseCursorOf(cursor)
	return at, err
}

// parseCursorOf reads what cursorOf wrote.
func parseCursorOf(cursor string) (at places, log string, err error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return nil, "", errCursor
	}
	out := places{}
	for _, field := range strings.Fields(string(text)) {
		name, at, ok := strings.Cut(field, ":")
		if marked, ok := strings.CutPrefix(name, string(mark)); ok {
			name, log = marked, marked
		}
		seq, index, _ := strings.Cut(at, ".")
		if index == "" {
			index = "0"
		}
		s, err1 := strconv.ParseInt(seq, 36, 64)
		i, err2 := strconv.ParseInt(index, 36, 32)
		if !ok || name == "" || err1 != nil || err2 != nil || s < 0 || i < 0 {
			return nil, "", errCursor
		}
		out[name] = place{s, int(i)}
	}
	return out, log, nil
}
