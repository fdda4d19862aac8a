package eventstream_test

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/eventstream"
)

// feeder is what the two readers have in common.
type feeder interface {
	Feed(p []byte, sink func(raw []byte, last *eventstream.Event) error) error
	End(err error)
	Next() (eventstream.Batch, error)
	Rest() eventstream.Event
	Release()
}

// fed is what a reader makes of a text that is fed in pieces of the given lengths, the last one over and over.
func fed(r feeder, text []byte, limitOf func(i int) int) (raw []byte, last []byte, rest []byte, err error) {
	defer r.Release()
	take := func(b []byte, e *eventstream.Event) error {
		raw, last = append(raw, b...), slices.Clone(e.Data)
		if !bytes.HasSuffix(b, e.Raw) {
			return errors.New("the last event is not the last one")
		}
		return nil
	}
	lent := make([]byte, 0, len(text)+1)
	for i := 0; len(text) > 0 && err == nil; i++ {
		n := min(max(limitOf(i), 1), len(text))
		lent = append(lent[:0], text[:n]...)
		err = r.Feed(lent, take)
		for j := range lent {
			lent[j] = '#' // it is the feeder's again
		}
		text = text[n:]
	}
	r.End(io.EOF)
	for {
		batch, endErr := r.Next()
		if endErr != nil {
			if err == nil {
				err = endErr
			}
			return raw, last, slices.Clone(r.Rest().Raw), err
		}
		if takeErr := take(batch.Raw, &batch.Events[len(batch.Events)-1]); takeErr != nil {
			return nil, nil, nil, takeErr
		}
	}
}

// read is what a reader makes of a text that it reads.
func read(r feeder) (raw []byte, last []byte, rest []byte, err error) {
	defer r.Release()
	for {
		batch, err := r.Next()
		if err != nil {
			return raw, last, slices.Clone(r.Rest().Raw), err
		}
		raw, last = append(raw, batch.Raw...), slices.Clone(batch.Events[len(batch.Events)-1].Data)
	}
}

// FuzzFeed holds that a reader that is fed finds what one that reads finds, wherever the text is cut.
func FuzzFeed(f *testing.F) {
	for _, text := range []string{
		"data: a\n\ndata: b\ndata: c\n\n", "\xef\xbb\xbfdata: a\r\n\r\ndata: b\r\rdata: c\r\n\r", "event: x\ndata: 1\n\nda", "{}\n{\"a\":1}\r\n\n{", "\n\n\n", "",
	} {
		for _, cuts := range []string{"\x01", "\x03\x02", "\xff"} {
			f.Add([]byte(text), []byte(cuts))
		}
	}
	f.Fuzz(func(t *testing.T, text, cuts []byte) {
		limits := eventstream.Limits{MaxEvent: 64}
		limitOf := func(i int) int {
			if len(cuts) == 0 {
				return len(text)
			}
			return int(cuts[min(i, len(cuts)-1)])
		}
		for name, makes := range map[string]func(io.Reader) feeder{
			"events": func(src io.Reader) feeder { return eventstream.NewSSEReader(src, limits) },
			"lines":  func(src io.Reader) feeder { return eventstream.NewLineReader(src, limits) },
		} {
			raw, last, rest, err := fed(makes(nil), text, limitOf)
			wantRaw, wantLast, wantRest, wantErr := read(makes(bytes.NewReader(text)))
			if !bytes.Equal(raw, wantRaw) || !bytes.Equal(last, wantLast) || !errors.Is(err, wantErr) {
				t.Errorf("%s: %q, %q, %v; want %q, %q, %v", name, raw, last, err, wantRaw, wantLast, wantErr)
			}
			if wantErr != eventstream.ErrTooLarge && !bytes.Equal(rest, wantRest) {
				t.Errorf("%s: the rest is %q, want %q", name, rest, wantRest)
			}
		}
	})
}

func TestFeedIsRefused(t *testing.T) {
	t.Parallel()
	enough := errors.New("enough")
	r := eventstream.NewSSEReader(nil, eventstream.Limits{})
	defer r.Release()
	if err := r.Feed([]byte("data: 1\n\ndata: 2"), func([]byte, *eventstream.Event) error { return enough }); err != enough {
		t.Fatal(err)
	}
	var got string
	err := r.Feed([]byte("\n\n"), func(raw []byte, _ *eventstream.Event) error { got = string(raw); return nil })
	if err != nil || got != "data: 2\n\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestFeedAllocatesNothing(t *testing.T) {
	r := eventstream.NewSSEReader(nil, eventstream.Limits{})
	defer r.Release()
	sink := func([]byte, *eventstream.Event) error { return nil }
	piece := []byte("data: {}\n\n")
	if n := testing.AllocsPerRun(100, func() { _ = r.Feed(piece, sink) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
