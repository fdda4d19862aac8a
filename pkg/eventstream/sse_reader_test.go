package eventstream_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/gptmesh/gptmesh/pkg/eventstream"
)

// event is an Event to keep and compare. Nil and empty are told apart by "-".
type event struct{ Raw, Name, Data, ID string }

func show(b []byte) string {
	if b == nil {
		return "-"
	}
	return string(b)
}

func keep(e eventstream.Event) event {
	return event{string(e.Raw), show(e.Name), show(e.Data), show(e.ID)}
}

type reader interface {
	Next() (eventstream.Batch, error)
	Rest() eventstream.Event
}

// drain reads to the end, and holds that batches are made of their events.
func drain(t *testing.T, r reader) (all []event, rest string, err error) {
	t.Helper()
	for {
		b, err := r.Next()
		if err != nil {
			if _, again := r.Next(); again != err {
				t.Errorf("the error is not final: %v, then %v", err, again)
			}
			return all, string(r.Rest().Raw), err
		}
		var raw []byte
		for _, e := range b.Events {
			all = append(all, keep(e))
			raw = append(raw, e.Raw...)
		}
		if len(b.Events) == 0 || !bytes.Equal(raw, b.Raw) {
			t.Fatalf("batch %q of %d events %q", b.Raw, len(b.Events), raw)
		}
	}
}

func TestSSEEvents(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     []event
		rest     string
		err      error
	}{
		{name: "empty", err: io.EOF},
		{name: "one", in: "data: x\n\n", want: []event{{"data: x\n\n", "-", "x", "-"}}, err: io.EOF},
		{name: "all fields", in: "event: delta\nid: 7\nretry: 5\ndata: {}\n\n",
			want: []event{{"event: delta\nid: 7\nretry: 5\ndata: {}\n\n", "delta", "{}", "7"}}, err: io.EOF},
		{name: "no space, two spaces", in: "data:x\n\ndata:  y\n\n",
			want: []event{{"data:x\n\n", "-", "x", "-"}, {"data:  y\n\n", "-", " y", "-"}}, err: io.EOF},
		{name: "data lines are joined", in: "data: a\ndata\ndata:b\n\ndata: c\ndata: d\n\n",
			want: []event{{"data: a\ndata\ndata:b\n\n", "-", "a\n\nb", "-"}, {"data: c\ndata: d\n\n", "-", "c\nd", "-"}}, err: io.EOF},
		{name: "field without colon", in: "data\n\nevent\nid\ndata: x\n\n",
			want: []event{{"data\n\n", "-", "", "-"}, {"event\nid\ndata: x\n\n", "", "x", ""}}, err: io.EOF},
		{name: "comment", in: ": ping\n\ndata: x\n: aside\n\n:\n\n",
			want: []event{{": ping\n\n", "-", "-", "-"}, {"data: x\n: aside\n\n", "-", "x", "-"}, {":\n\n", "-", "-", "-"}}, err: io.EOF},
		{name: "comment before a field", in: ": OPENROUTER PROCESSING\ndata: x\n\n",
			want: []event{{": OPENROUTER PROCESSING\ndata: x\n\n", "-", "x", "-"}}, err: io.EOF},
		{name: "CRLF", in: "data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n",
			want: []event{{"data: a\r\ndata: b\r\n\r\n", "-", "a\nb", "-"}, {"data: c\r\n\r\n", "-", "c", "-"}}, err: io.EOF},
		{name: "CR", in: "data: a\rdata: b\r\rdata: c\r\r",
			want: []event{{"data: a\rdata: b\r\r", "-", "a\nb", "-"}, {"data: c\r\r", "-", "c", "-"}}, err: io.EOF},
		{name: "mixed", in: "data: a\r\n\ndata: b\n\r\ndata: c\r\n\rdata: d\n\r",
			want: []event{{"data: a\r\n\n", "-", "a", "-"}, {"data: b\n\r\n", "-", "b", "-"},
				{"data: c\r\n\r", "-", "c", "-"}, {"data: d\n\r", "-", "d", "-"}}, err: io.EOF},
		{name: "CR lines, then CRLF", in: "data: a\r\r\ndata: b\r\n\r\n",
			want: []event{{"data: a\r\r", "-", "a", "-"}, {"\n", "-", "-", "-"}, {"data: b\r\n\r\n", "-", "b", "-"}}, err: io.EOF},
		{name: "blank lines", in: "\n\ndata: a\n\n\n",
			want: []event{{"\n", "-", "-", "-"}, {"\n", "-", "-", "-"}, {"data: a\n\n", "-", "a", "-"}, {"\n", "-", "-", "-"}}, err: io.EOF},
		{name: "byte order mark", in: "\xef\xbb\xbfdata: a\n\n\xef\xbb\xbfdata: b\n\n",
			want: []event{{"data: a\n\n", "-", "a", "-"}, {"\xef\xbb\xbfdata: b\n\n", "-", "-", "-"}}, err: io.EOF},
		{name: "half a byte order mark", in: "\xef\xbbdata: a\n\n", want: []event{{"\xef\xbbdata: a\n\n", "-", "-", "-"}}, err: io.EOF},
		{name: "U+2028 is no line end", in: "data: a\u2028b\u0085c\n\n", want: []event{{"data: a\u2028b\u0085c\n\n", "-", "a\u2028b\u0085c", "-"}}, err: io.EOF},
		{name: "id with NUL", in: "id: 1\nid: 2\x00\ndata: x\n\n", want: []event{{"id: 1\nid: 2\x00\ndata: x\n\n", "-", "x", "1"}}, err: io.EOF},
		{name: "cut in a line", in: "data: a\n\ndata: [DO", want: []event{{"data: a\n\n", "-", "a", "-"}}, rest: "data: [DO", err: eventstream.ErrTruncated},
		{name: "cut behind a line", in: "data: [DONE]\n", rest: "data: [DONE]\n", err: eventstream.ErrTruncated},
		{name: "cut behind a CR line", in: "data: [DONE]\r", rest: "data: [DONE]\r", err: eventstream.ErrTruncated},
		{name: "names are case-sensitive", in: "Data: a\n data: b\n\n", want: []event{{"Data: a\n data: b\n\n", "-", "-", "-"}}, err: io.EOF},
	}
	for _, tt := range tests {
		for shape, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader,
			"halves": iotest.HalfReader, "error with data": iotest.DataErrReader,
		} {
			t.Run(tt.name+"/"+shape, func(t *testing.T) {
				t.Parallel()
				got, rest, err := drain(t, eventstream.NewSSEReader(wrap(strings.NewReader(tt.in)), eventstream.Limits{}))
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Error(diff)
				}
				if rest != tt.rest || !errors.Is(err, tt.err) {
					t.Errorf("rest %q, error %v; want %q, %v", rest, err, tt.rest, tt.err)
				}
			})
		}
	}
}

// chunks is a source that delivers one chunk per read.
type chunks [][]byte

func (c *chunks) Read(p []byte) (int, error) {
	if len(*c) == 0 {
		return 0, io.EOF
	}
	n := copy(p, (*c)[0])
	if (*c)[0] = (*c)[0][n:]; len((*c)[0]) == 0 {
		*c = (*c)[1:]
	}
	return n, nil
}

func TestSSEOneBatchPerRead(t *testing.T) {
	t.Parallel()
	src := &chunks{[]byte("data: 1\n\ndata: 2\n\nda"), []byte("ta: 3\n"), []byte("\ndata: 4\n\n"), []byte("data: 5\r\r"), []byte("data: 6\r\n\r\n")}
	want := []string{"data: 1\n\ndata: 2\n\n", "data: 3\n\ndata: 4\n\n", "data: 5\r\r", "data: 6\r\n\r\n"}
	r := eventstream.NewSSEReader(src, eventstream.Limits{})
	for i, w := range want {
		b, err := r.Next()
		if err != nil || string(b.Raw) != w {
			t.Fatalf("batch %d: %q, %v; want %q", i, b.Raw, err, w)
		}
	}
	if _, err := r.Next(); err != io.EOF {
		t.Errorf("got %v", err)
	}
}

func TestSSERestView(t *testing.T) {
	t.Parallel()
	r := eventstream.NewSSEReader(strings.NewReader("event: end\ndata: [DONE]"), eventstream.Limits{})
	if _, err := r.Next(); err != eventstream.ErrTruncated {
		t.Fatalf("got %v", err)
	}
	want := event{"event: end\ndata: [DONE]", "end", "[DONE]", "-"}
	if diff := cmp.Diff(want, keep(r.Rest())); diff != "" {
		t.Error(diff)
	}
}

func TestSSESourceError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	src := io.MultiReader(strings.NewReader("data: 1\n\ndata: 2\n"), iotest.ErrReader(broken))
	got, rest, err := drain(t, eventstream.NewSSEReader(src, eventstream.Limits{}))
	if len(got) != 1 || rest != "data: 2\n" || err != broken {
		t.Errorf("got %v, %q, %v", got, rest, err)
	}
	if _, _, err := drain(t, eventstream.NewSSEReader(idle{}, eventstream.Limits{})); err != io.ErrNoProgress {
		t.Errorf("a source that reads nothing: %v", err)
	}
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

func TestSSELongLines(t *testing.T) {
	t.Parallel()
	var in []byte
	var want []event
	for _, size := range []int{3, 700 << 10, 10, 64 << 10, 8<<10 - 8, 5 << 20} {
		data := strings.Repeat("x", size)
		in = eventstream.AppendEvent(in, "", []byte(data))
		want = append(want, event{"data: " + data + "\n\n", "-", data, "-"})
	}
	got, _, err := drain(t, eventstream.NewSSEReader(bytes.NewReader(in), eventstream.Limits{}))
	if err != io.EOF || !cmp.Equal(want, got) {
		t.Errorf("%d events, %v", len(got), err)
	}
}

func TestSSELimit(t *testing.T) {
	t.Parallel()
	for _, wrap := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, func(r io.Reader) io.Reader { return r }} {
		in := "data: 12\n\n" + "data: 123\n\n" + "data: 1\n\n"
		got, _, err := drain(t, eventstream.NewSSEReader(wrap(strings.NewReader(in)), eventstream.Limits{MaxEvent: 10}))
		if len(got) != 1 || err != eventstream.ErrTooLarge {
			t.Errorf("got %v, %v", got, err)
		}
	}
}

// endless is a line that never ends.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 1 << 20
	for name, make := range map[string]func(io.Reader) reader{
		"sse":  func(r io.Reader) reader { return eventstream.NewSSEReader(r, eventstream.Limits{MaxEvent: limit}) },
		"line": func(r io.Reader) reader { return eventstream.NewLineReader(r, eventstream.Limits{MaxEvent: limit}) },
	} {
		src := &endless{}
		if _, err := make(src).Next(); err != eventstream.ErrTooLarge {
			t.Errorf("%s: %v", name, err)
		}
		if src.read > limit+128<<10 {
			t.Errorf("%s: read %d bytes for a limit of %d", name, src.read, limit)
		}
	}
}

func TestSSEAllocatesNothingPerEvent(t *testing.T) {
	one := []byte("event: delta\ndata: {\"a\":1}\n\n")
	src := &repeat{one, 1 << 30}
	r := eventstream.NewSSEReader(src, eventstream.Limits{})
	for range 100 { // Until the buffers have their size.
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if n := testing.AllocsPerRun(100, func() {
		if _, err := r.Next(); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// repeat delivers the same bytes in each of so many reads.
type repeat struct {
	b    []byte
	left int
}

func (r *repeat) Read(p []byte) (int, error) {
	if r.left--; r.left < 0 {
		return 0, io.EOF
	}
	return copy(p, r.b), nil
}
