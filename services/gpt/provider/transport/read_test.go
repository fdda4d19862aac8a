package transport

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

func TestReadAll(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		length string
		body   io.Reader
		want   string
		err    error
	}{
		"announced":   {"5", strings.NewReader("hello"), "hello", nil},
		"in pieces":   {"5", iotest.OneByteReader(strings.NewReader("hello")), "hello", nil},
		"unannounced": {"", strings.NewReader(strings.Repeat("x", 900)), strings.Repeat("x", 900), nil},
		"a lie":       {"3", strings.NewReader("hello"), "hello", nil},
		"nonsense":    {"-7", strings.NewReader("hello"), "hello", nil},
		"huge word":   {"9000000000000", strings.NewReader("hello"), "hello", nil},
		"bounded":     {"2000", strings.NewReader(strings.Repeat("x", 2000)), strings.Repeat("x", 1000), nil},
		"broken":      {"9", io.MultiReader(strings.NewReader("hel"), iotest.ErrReader(io.ErrUnexpectedEOF)), "hel", io.ErrUnexpectedEOF},
	} {
		resp := &upstream.Response{Body: io.NopCloser(test.body)}
		if test.length != "" {
			resp.Header = upstream.Header{{Name: "Content-Length", Value: test.length}}
		}
		got, err := readAll(resp, 1000)
		if string(got) != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %d bytes, %v; want %d, %v", name, len(got), err, len(test.want), test.err)
		}
	}
}

func BenchmarkReadAll(b *testing.B) {
	body := bytes.Repeat([]byte("x"), 1300)
	reader := bytes.NewReader(body)
	resp := &upstream.Response{Body: io.NopCloser(reader), Header: upstream.Header{{Name: "Content-Length", Value: strconv.Itoa(len(body))}}}
	b.ReportAllocs()
	for b.Loop() {
		reader.Reset(body)
		if _, err := readAll(resp, 1<<20); err != nil {
			b.Fatal(err)
		}
	}
}
