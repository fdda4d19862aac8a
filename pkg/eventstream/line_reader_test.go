package eventstream_test

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/gptmesh/gptmesh/pkg/eventstream"
)

func TestLines(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     []event
		rest     string
		err      error
	}{
		{name: "empty", err: io.EOF},
		{name: "lines", in: "{\"a\":1}\n{}\r\n\n \n", want: []event{{"{\"a\":1}\n", "-", "{\"a\":1}", "-"}, {"{}\r\n", "-", "{}", "-"},
			{"\n", "-", "-", "-"}, {" \n", "-", " ", "-"}}, err: io.EOF},
		{name: "cut", in: "{}\n{\"do", want: []event{{"{}\n", "-", "{}", "-"}}, rest: "{\"do", err: eventstream.ErrTruncated},
		{name: "long", in: strings.Repeat("y", 300<<10) + "\nz\n", want: []event{
			{strings.Repeat("y", 300<<10) + "\n", "-", strings.Repeat("y", 300<<10), "-"}, {"z\n", "-", "z", "-"}}, err: io.EOF},
	}
	for _, tt := range tests {
		for shape, wrap := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "bytes": iotest.OneByteReader, "error with data": iotest.DataErrReader,
		} {
			t.Run(tt.name+"/"+shape, func(t *testing.T) {
				t.Parallel()
				got, rest, err := drain(t, eventstream.NewLineReader(wrap(strings.NewReader(tt.in)), eventstream.Limits{}))
				if diff := cmp.Diff(tt.want, got); diff != "" || rest != tt.rest || err != tt.err {
					t.Errorf("rest %q, error %v\n%s", rest, err, diff)
				}
			})
		}
	}
}

func TestLineLimit(t *testing.T) {
	t.Parallel()
	got, _, err := drain(t, eventstream.NewLineReader(strings.NewReader("1234\n12345\n1\n"), eventstream.Limits{MaxEvent: 5}))
	if len(got) != 1 || err != eventstream.ErrTooLarge {
		t.Errorf("got %v, %v", got, err)
	}
}
