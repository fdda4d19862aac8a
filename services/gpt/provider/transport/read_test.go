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
	const most = 40_000
	var bodies [][]byte
	var wanted []string
	for name, test := range map[string]struct {
		length string
		body   io.Reader
		want   string
		err    error
	}{
		"announced":            {"5", strings.NewReader("hello"), "hello", nil},
		"in pieces":            {"5", iotest.OneByteReader(strings.NewReader("hello")), "hello", nil},
		"unannounced":          {"", strings.NewReader(strings.Repeat("x", 900)), strings.Repeat("x", 900), nil},
		"as long as the room":  {"", strings.NewReader(strings.Repeat("x", unannounced)), strings.Repeat("x", unannounced), nil},
		"longer than the room": {"", iotest.HalfReader(strings.NewReader(strings.Repeat("xy", unannounced))), strings.Repeat("xy", unannounced), nil},
		"a lie":                {"3", strings.NewReader("hello"), "hello", nil},
		"nonsense":             {"-7", strings.NewReader("hello"), "hello", nil},
		"huge word":            {"9000000000000", strings.NewReader("hello"), "hello", nil},
		"bounded":              {"50000", strings.NewReader(strings.Repeat("x", 50_000)), strings.Repeat("x", most), nil},
		"bounded, unannounced": {"", strings.NewReader(strings.Repeat("x", 50_000)), strings.Repeat("x", most), nil},
		"broken":               {"9", io.MultiReader(strings.NewReader("hel"), iotest.ErrReader(io.ErrUnexpectedEOF)), "hel", io.ErrUnexpectedEOF},
	} {
		resp := &upstream.Response{Body: io.NopCloser(test.body)}
		if test.length != "" {
			resp.Header = upstream.Header{{Name: "Content-Length", Value: test.length}}
		}
		got, err := readAll(resp, most)
		if string(got) != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: %d bytes, %v; want %d, %v", name, len(got), err, len(test.want), test.err)
		}
		bodies, wanted = append(bodies, got), append(wanted, test.want)
	}
	for i, body := range bodies {
		if string(body) != wanted[i] {
			t.Errorf("%d bytes were changed by what was read later", len(body))
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
