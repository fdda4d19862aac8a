package openai

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/alike"
	"github.com/gptmesh/gptmesh/wire/wiretest"
	"google.golang.org/protobuf/proto"
)

// scanAll scans data in pieces that end at a blank line, size bytes each at the
// least.
func scanAll(s *rawScanner, data []byte, size int) (pass []byte, count int, found []*conversationv1.Event, err error) {
	for _, piece := range wiretest.Pieces(data, size) {
		if err != nil {
			break
		}
		var some []byte
		var n int
		some, n, found, err = s.Scan(piece, found)
		pass, count = append(pass, some...), count+n
	}
	if err == nil {
		found, err = s.End(found)
	}
	return pass, count, found, err
}

// addAlike adds streams of events that are alike, and then not.
func addAlike(f *testing.F) {
	f.Helper()
	event := func(text, more string) string {
		return `data: {"id":"1","choices":[{"index":0,"delta":{"content":"` + text + `"},"finish_reason":null}]` + more + "}\n\n"
	}
	var stream strings.Builder
	for i := range 20 {
		stream.WriteString(event(" word"+strconv.Itoa(i), ""))
	}
	f.Add([]byte(stream.String()+event("a", `,"usage":{"prompt_tokens":1,"completion_tokens":2}`)+"data: [DONE]\n\n"), 100)
	f.Add([]byte(stream.String()+event(`a \"b\" \n`, "")+event("usage", "")+event("error", "")+": ping\n\n"+event("\xffé", "")+"data: {\"error\":{\"message\":\"m\"}}\n\n"), 1000)
	f.Add([]byte(strings.ReplaceAll(stream.String(), "}\n\n", `,"usage":null}`+"\n\n")+event("a", `,"usage":{"prompt_tokens":1}`)+stream.String()), 700)
	f.Add([]byte(stream.String()+event("cut", "")[:60]+"\n\n"+event("a\nb", "")+event("c", "")+"data: [DONE]"), 1)
	f.Add([]byte(stream.String()+event(`half \ud83d`, "")+event(`\ude00 whole`, "")+event("", "")+event("c", "")+strings.ReplaceAll(stream.String(), `"index":0`, `"index":1`)+"data: [DONE]\n\n"), 1<<15)
}

// FuzzDecodeAlike holds that events that are known by their likeness are understood as if
// each were read.
func FuzzDecodeAlike(f *testing.F) {
	addAlike(f)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if size < 0 || len(data) > 1<<16 {
			return
		}
		wiretest.DecodeAlike(t, new(streamDecoder), &streamDecoder{lessons: alike.MaxLessons}, wiretest.Pieces(data, size))
	})
}

// FuzzScanAlike holds that events that are passed over by their likeness are
// passed on, counted and understood as if each were looked at.
func FuzzScanAlike(f *testing.F) {
	addAlike(f)
	f.Fuzz(func(t *testing.T, data []byte, size int) {
		if size < 0 || len(data) > 1<<16 {
			return
		}
		quick, slow := &rawScanner{options: wire.ScanOptions{DropUsage: true}}, &rawScanner{options: wire.ScanOptions{DropUsage: true}, lessons: alike.MaxLessons}
		pass, count, found, err := scanAll(quick, data, size)
		wantPass, wantCount, wantFound, wantErr := scanAll(slow, data, size)
		if (err == nil) != (wantErr == nil) || count != wantCount || !bytes.Equal(pass, wantPass) || len(found) != len(wantFound) {
			t.Fatalf("%d events, %v: %q\n%d, %v: %q", count, err, pass, wantCount, wantErr, wantPass)
		}
		for i := range found {
			if !proto.Equal(found[i], wantFound[i]) {
				t.Fatalf("%v\n%v", found[i], wantFound[i])
			}
		}
	})
}

func TestTwinPasses(t *testing.T) {
	t.Parallel()
	event := []byte(`data: {"id":"1","choices":[{"index":0,"delta":{"content":" word"},"finish_reason":null}]}` + "\n\n")
	s := new(rawScanner)
	if _, _, _, err := s.Scan(event, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, _, err := s.Scan(event, nil); err != nil {
		t.Fatal(err)
	}
	if size, count := s.twin.Pass(bytes.Repeat(event, 3)); count != 3 || size != 3*len(event) {
		t.Fatalf("%d events of %d bytes are passed over", count, size)
	}
}
