package events

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gptmesh/gptmesh/pkg/ids"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// maxError is the longest error kept with a dead letter, in bytes.
const maxError = 4096

// LetterIDs gives dead letters their ids, each of which sorts behind the one
// before it. The zero value is ready; it is safe for concurrent use.
type LetterIDs struct {
	mu   sync.Mutex
	last int64 // milliseconds
}

// Next returns the next id.
func (l *LetterIDs) Next() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = max(l.last+1, time.Now().UnixMilli())
	return ids.At("dead", time.UnixMilli(l.last))
}

// ErrorText is an error as a dead letter keeps it: at most 4096 bytes of UTF-8
// without U+0000, which some stores and every contract refuse.
func ErrorText(err error) string {
	text := strings.ReplaceAll(strings.ToValidUTF8(err.Error(), "\uFFFD"), "\x00", "\uFFFD")
	return strings.ToValidUTF8(text[:min(len(text), maxError)], "")
}

// NewDeadLetter makes the dead letter of a group that gave an event up.
func NewDeadLetter(id, group string, event *Event, why error, attempts int) *DeadLetter {
	return &DeadLetter{
		Id: id, Consumer: group, Event: event, Error: ErrorText(why), Attempts: int32(attempts), Time: timestamppb.Now(),
	}
}

// Letters are the dead letters that a log tells of, for brokers that can add to a
// log and not take out of it: a letter is a record under its id, and gone is an
// empty record under the same.
type Letters map[string]*DeadLetter

// Apply takes the next record of the log.
func (l Letters) Apply(id string, body []byte) error {
	if len(body) == 0 {
		delete(l, id)
		return nil
	}
	letter := new(DeadLetter)
	if err := proto.Unmarshal(body, letter); err != nil {
		return fmt.Errorf("events: dead letter %s: %w", id, err)
	}
	l[id] = letter
	return nil
}

// Page returns at most limit letters with ids above after, by id; of one group,
// or of all where group is empty.
func (l Letters) Page(group, after string, limit int) []*DeadLetter {
	list := slices.DeleteFunc(slices.Collect(maps.Values(l)), func(letter *DeadLetter) bool {
		return letter.GetId() <= after || group != "" && letter.GetConsumer() != group
	})
	slices.SortFunc(list, func(x, y *DeadLetter) int { return cmp.Compare(x.GetId(), y.GetId()) })
	return list[:min(len(list), limit)]
}

// Take does something to each letter of ids in turn, records that it is gone, and
// takes it out; ids of no letter are passed over. It stops at the first error, and
// returns how many are gone.
func (l Letters) Take(ids []string, do func(*DeadLetter) error, gone func(id string) error) (taken int, err error) {
	for _, id := range ids {
		letter := l[id]
		if letter == nil {
			continue
		}
		if err := do(letter); err != nil {
			return taken, err
		}
		if err := gone(id); err != nil {
			return taken, err
		}
		delete(l, id)
		taken++
	}
	return taken, nil
}
