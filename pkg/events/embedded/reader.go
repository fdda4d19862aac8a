package embedded

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/gptmesh/gptmesh/pkg/events"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// readBatch is how many segments of a log are read at a time.
const readBatch = 64

// filter selects events.
type filter struct {
	subjects []string
	owner    string // empty means all
	key      string // empty means all
}

// logs are those that can hold what the filter selects.
func (f filter) logs(all []*log) []*log {
	var out []*log
	for _, l := range all {
		wanted := len(f.subjects) == 0 || l.room == ""
		for _, subject := range f.subjects {
			word, _, _ := strings.Cut(subject, ".")
			wanted = wanted || word == l.room || word == "*" || word == ">"
		}
		if wanted {
			out = append(out, l)
		}
	}
	return out
}

// located is an event and the place behind it.
type located struct {
	event  *events.Event // nil where the filter passes it over
	log    string
	behind place
	micros int64 // when it happened; when it was written where it is passed over
}

// reader reads logs on from a place. It does not go behind records without an
// event, which nobody writes.
type reader struct {
	logs   []*log
	filter filter
	at     places // of what was read; of what was delivered the caller knows
}

// next returns what comes next in every log, merged by time as far as the order
// of each log allows; empty where there is nothing new. more says that there may
// be more at once.
func (r *reader) next(ctx context.Context) (list []located, more bool, err error) {
	queues := make([][]located, len(r.logs))
	full := make([]bool, len(r.logs))
	for i, l := range r.logs {
		segments, err := l.read(ctx, r.at[l.name].seq, readBatch)
		if err != nil {
			return nil, false, err
		}
		if full[i] = len(segments) == readBatch; full[i] {
			more = true
		}
		for _, s := range segments {
			if queues[i], err = r.take(queues[i], l.name, s); err != nil {
				return nil, false, err
			}
		}
	}
	for {
		first := -1
		for i, queue := range queues {
			if len(queue) > 0 && (first < 0 || queue[0].micros < queues[first][0].micros) {
				first = i
			}
		}
		if first < 0 {
			break
		}
		found := queues[first][0]
		list = append(list, found)
		r.at[found.log] = found.behind
		if queues[first] = queues[first][1:]; len(queues[first]) == 0 && full[first] {
			break // what others wrote later waits for the rest of this one
		}
	}
	return list, more, nil
}

// take appends the events of a segment that were not read before.
func (r *reader) take(list []located, name string, s segment) ([]located, error) {
	if !r.filter.mayTake(s.record) {
		return append(list, located{log: name, behind: place{s.seq + 1, 0}, micros: s.micros}), nil
	}
	from := 0
	if at := r.at[name]; at.seq == s.seq {
		from = at.index
	}
	record, err := events.Unpack(s.record)
	if err != nil {
		return nil, err
	}
	for i := 0; len(record) > 0; i++ {
		size, n := binary.Uvarint(record)
		if n <= 0 || uint64(len(record)-n) < size {
			return nil, errRecord
		}
		body := record[n : n+int(size)]
		record = record[n+int(size):]
		if i < from {
			continue
		}
		found := located{log: name, behind: place{s.seq, i + 1}, micros: s.micros}
		if len(record) == 0 {
			found.behind = place{s.seq + 1, 0}
		}
		if r.filter.takes(body) {
			found.event = new(events.Event)
			if err := proto.Unmarshal(body, found.event); err != nil {
				return nil, err
			}
			found.micros = found.event.GetTime().AsTime().UnixMicro()
		}
		list = append(list, found)
	}
	return list, nil
}

var errRecord = errors.New("events: a record of the log is broken")

// Fields of Event.
const (
	fieldType  = 2
	fieldOwner = 5
	fieldKey   = 7
)

// mayTake says whether a record can have an event that the filter selects: in either
// form a record spells the type of its events.
func (f filter) mayTake(record []byte) bool {
	for _, subject := range f.subjects {
		if strings.ContainsAny(subject, "*>") || bytes.Contains(record, []byte(subject)) {
			return true
		}
	}
	return len(f.subjects) == 0
}

// takes says that the filter selects an event, without decoding it.
func (f filter) takes(body []byte) bool {
	if len(f.subjects) == 0 && f.owner == "" && f.key == "" {
		return true
	}
	var subject, owner, key []byte
	for len(body) > 0 {
		number, kind, n := protowire.ConsumeTag(body)
		if n < 0 {
			return true // let decoding say what is wrong
		}
		body = body[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(number, kind, body); n < 0 {
				return true
			}
			body = body[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(body)
		if n < 0 {
			return true
		}
		switch number {
		case fieldType:
			subject = value
			if !events.MatchAny(f.subjects, string(subject)) {
				return false
			}
		case fieldOwner:
			owner = value
		case fieldKey:
			key = value
		}
		body = body[n:]
	}
	return subject != nil && (f.owner == "" || string(owner) == f.owner) && (f.key == "" || string(key) == f.key)
}
