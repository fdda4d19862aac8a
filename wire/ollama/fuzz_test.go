package ollama_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"google.golang.org/protobuf/proto"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/ollama"
)

func seed(f *testing.F, pattern string) {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

// FuzzDecodeTurn holds that errors are faults, that the scanned head is the
// decoded one, and that what was decoded can be encoded for each endpoint.
func FuzzDecodeTurn(f *testing.F) {
	seed(f, "turns/*.json")
	f.Fuzz(func(t *testing.T, body []byte) {
		ollama.LoadRequest(body)
		for _, codec := range []wire.Codec{ollama.Chat(), ollama.Generate()} {
			scanned, scanErr := codec.ScanTurn(body)
			turn, err := codec.DecodeTurn(body)
			if err != nil {
				if _, ok := err.(*fault.Fault); !ok {
					t.Fatalf("%T %v", err, err)
				}
				continue
			}
			if scanErr != nil {
				t.Fatalf("decoded but not scanned: %v", scanErr)
			}
			if scanned.Model != turn.Model || scanned.Stream != turn.Stream || scanned.GetMaxOutputTokens() != turn.GetMaxOutputTokens() ||
				scanned.HasTools != (len(turn.Tools) > 0) {
				t.Fatalf("%v\n%v", scanned, turn)
			}
			options := wire.TurnOptions{Model: "m", Stream: true}
			for _, out := range []wire.Codec{ollama.Chat(), ollama.Generate()} {
				encoded, _, err := out.EncodeTurn(turn, options)
				if err == nil && !json.Valid(encoded) {
					t.Fatalf("not JSON: %s", encoded)
				}
				if err != nil && out == codec {
					t.Fatal(err)
				}
			}
			raw, _, err := codec.EncodeTurn(scanned, options)
			if err != nil || !json.Valid(raw) {
				t.Fatalf("%s, %v", raw, err)
			}
			if again, err := codec.ScanTurn(raw); err != nil || again.Model != "m" || !again.Stream || again.GetMaxOutputTokens() != turn.GetMaxOutputTokens() {
				t.Fatalf("%s, %v", raw, err)
			}
		}
	})
}

// FuzzDecodeStream holds that a stream decodes to lawful events or fails with a
// fault, however it is split, and that they can be encoded.
func FuzzDecodeStream(f *testing.F) {
	seed(f, "streams/*.ndjson")
	seed(f, "answers/*.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, codec := range []wire.Codec{ollama.Chat(), ollama.Generate()} {
			events, err := read(codec, bytes.NewReader(data))
			again, errAgain := read(codec, iotest.OneByteReader(bytes.NewReader(data)))
			if (err == nil) != (errAgain == nil) || len(events) != len(again) {
				t.Fatalf("%v, %v\n%v\n%v", err, errAgain, events, again)
			}
			for i := range events {
				if !proto.Equal(events[i], again[i]) {
					t.Fatalf("%v, %v", events[i], again[i])
				}
			}
			if err != nil {
				if _, ok := err.(*fault.Fault); !ok {
					t.Fatalf("%T %v", err, err)
				}
			}
			lawful(t, events, err == nil)
			out, err := codec.NewStreamEncoder(wire.AnswerOptions{}).Encode(nil, events)
			if err != nil {
				t.Fatal(err)
			}
			for _, line := range bytes.SplitAfter(out, []byte("\n")) {
				if len(line) > 0 && (!json.Valid(line) || line[len(line)-1] != '\n') {
					t.Fatalf("%q", line)
				}
			}
			scanner := codec.NewRawScanner(wire.ScanOptions{})
			var found []*conversationv1.Event
			if pass, _, found, err := scanner.Scan(data, found); err == nil {
				if !bytes.HasPrefix(data, pass) {
					t.Fatalf("passed %q", pass)
				}
				lawful(t, found, len(found) > 0 && wire.Terminal(found[len(found)-1]))
			}
			if events, err := codec.DecodeAnswer(data); err == nil {
				lawful(t, events, true)
			}
		}
	})
}

// FuzzDecodeModels holds that no body of a provider breaks the readers of lists.
func FuzzDecodeModels(f *testing.F) {
	seed(f, "provider_*.json")
	seed(f, "*.golden")
	f.Fuzz(func(t *testing.T, body []byte) {
		if list, err := ollama.DecodeTags(body); err == nil && !json.Valid(ollama.EncodeTags(list)) {
			t.Fatal("not JSON")
		}
		if list, err := ollama.DecodeRunning(body); err == nil && !json.Valid(ollama.EncodeRunning(list)) {
			t.Fatal("not JSON")
		}
		var card ollama.ModelCard
		if err := ollama.DecodeShow(body, &card); err == nil && !json.Valid(ollama.EncodeShow(&card)) {
			t.Fatal("not JSON")
		}
		if answer, err := ollama.DecodeEmbeddings(body); err == nil && !json.Valid(ollama.EncodeEmbed(answer, "", 0)) {
			t.Fatal("not JSON")
		}
		if request, err := ollama.DecodeEmbedRequest(body); err == nil {
			if out, _, err := ollama.EncodeEmbedRequest(request, "m"); err != nil || !json.Valid(out) {
				t.Fatal(string(out), err)
			}
		}
		_, _, _ = ollama.DecodeShowRequest(body)
	})
}
