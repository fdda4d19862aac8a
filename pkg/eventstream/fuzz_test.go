package eventstream_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/gptmesh/gptmesh/pkg/eventstream"
)

// FuzzSSEReader holds that events do not depend on how the source is cut into reads, that no byte is lost or made up,
// and that the parsed fields are those of the standard's own algorithm.
func FuzzSSEReader(f *testing.F) {
	for _, s := range []string{
		"data: x\n\n", "event: a\r\ndata: 1\r\ndata: 2\r\n\r\n", "data: a\rdata: b\r\r\n", "\xef\xbb\xbfdata: x\n\n: ping\n\n", "data\nid: \x00\n\n\n\r\r\n\n\rdata: x", "\r\n\r\n\r\r\r\n",
	} {
		f.Add([]byte(s), uint16(3), uint8(0))
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint16, limit uint8) {
		limits := eventstream.Limits{MaxEvent: int(limit)}
		read := func(src io.Reader) ([]event, string, error) { return drain(t, eventstream.NewSSEReader(src, limits)) }
		all, rest, err := read(bytes.NewReader(in))
		at := int(cut) % (len(in) + 1)
		for name, src := range map[string]io.Reader{
			"bytes": iotest.OneByteReader(bytes.NewReader(in)),
			"cut":   &chunks{bytes.Clone(in[:at]), bytes.Clone(in[at:])},
		} {
			if at == 0 || at == len(in) {
				src = iotest.HalfReader(bytes.NewReader(in))
			}
			got, gotRest, gotErr := read(src)
			if diff := cmp.Diff(all, got); diff != "" || gotErr != err || err != eventstream.ErrTooLarge && gotRest != rest {
				t.Fatalf("%s: rest %q, %q; errors %v, %v\n%s", name, rest, gotRest, err, gotErr, diff)
			}
		}
		var raw, data []string
		for _, e := range all {
			raw = append(raw, e.Raw)
			if e.Data != "-" {
				data = append(data, e.Data)
			}
		}
		if err == eventstream.ErrTooLarge {
			return
		}
		whole := strings.TrimPrefix(string(in), "\xef\xbb\xbf")
		if strings.Join(raw, "")+rest != whole {
			t.Fatalf("%q became %q and %q", whole, raw, rest)
		}
		if (err == io.EOF) != (rest == "") {
			t.Fatalf("rest %q with %v", rest, err)
		}
		if strings.Contains(whole, "-") {
			return // The test's own sign for nil.
		}
		if diff := cmp.Diff(standard(whole), data); diff != "" {
			t.Fatal(diff)
		}
	})
}

// standard is the data of all events by the algorithm of the HTML standard, written as plainly as can be.
func standard(s string) []string {
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	lines := strings.Split(s, "\n")
	lines = lines[:len(lines)-1] // What is behind the last line end is no line.
	var all, data []string
	for _, l := range lines {
		if l == "" {
			if data != nil {
				all = append(all, strings.Join(data, "\n"))
			}
			data = nil
			continue
		}
		name, value, _ := strings.Cut(l, ":")
		if name == "data" {
			data = append(data, strings.TrimPrefix(value, " "))
		}
	}
	return all
}

// FuzzLineReader holds the same for lines.
func FuzzLineReader(f *testing.F) {
	f.Add([]byte("{}\n{\"a\":1}\r\n\nx"), uint8(0))
	f.Fuzz(func(t *testing.T, in []byte, limit uint8) {
		limits := eventstream.Limits{MaxEvent: int(limit)}
		all, rest, err := drain(t, eventstream.NewLineReader(bytes.NewReader(in), limits))
		got, gotRest, gotErr := drain(t, eventstream.NewLineReader(iotest.OneByteReader(bytes.NewReader(in)), limits))
		if diff := cmp.Diff(all, got); diff != "" || gotErr != err || err != eventstream.ErrTooLarge && gotRest != rest {
			t.Fatalf("rest %q, %q; errors %v, %v\n%s", rest, gotRest, err, gotErr, diff)
		}
		if err == eventstream.ErrTooLarge {
			return
		}
		want := strings.SplitAfter(string(in), "\n")
		for i, e := range all {
			if e.Raw != want[i] {
				t.Fatalf("line %d is %q, want %q", i, e.Raw, want[i])
			}
		}
		if rest != want[len(want)-1] {
			t.Fatalf("rest %q, want %q", rest, want[len(want)-1])
		}
	})
}
