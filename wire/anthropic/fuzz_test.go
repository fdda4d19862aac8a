package anthropic_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"google.golang.org/protobuf/proto"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/anthropic"
	"github.com/gptmesh/gptmesh/wire/wiretest"
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
// decoded one, and that what was decoded can be encoded and decoded again.
func FuzzDecodeTurn(f *testing.F) {
	seed(f, "turns/*.json")
	f.Fuzz(func(t *testing.T, body []byte) {
		codec := anthropic.Messages()
		scanned, scanErr := codec.ScanTurn(body)
		turn, err := codec.DecodeTurn(body)
		if err != nil {
			if _, ok := err.(*fault.Fault); !ok {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		if scanErr != nil { // a client's body needs messages
			for _, m := range turn.GetMessages() {
				if m.GetRole() != conversationv1.Role_ROLE_SYSTEM {
					t.Fatalf("decoded but not scanned: %v", scanErr)
				}
			}
			return
		}
		if scanned.Model != turn.Model || scanned.Stream != turn.Stream || scanned.GetMaxOutputTokens() != turn.GetMaxOutputTokens() ||
			scanned.HasTools != (len(turn.Tools) > 0) {
			t.Fatalf("%v\n%v", scanned, turn)
		}
		options := wire.TurnOptions{Model: "m", Stream: true}
		encoded, _, err := codec.EncodeTurn(turn, options)
		if err != nil || !json.Valid(encoded) {
			t.Fatalf("%s, %v", encoded, err)
		}
		if _, err := codec.DecodeTurn(encoded); err != nil {
			t.Fatalf("%s, %v", encoded, err)
		}
		raw, _, err := codec.EncodeTurn(scanned, options)
		if err != nil || !json.Valid(raw) {
			t.Fatalf("%s, %v", raw, err)
		}
		if again, err := codec.ScanTurn(raw); err != nil || again.Model != "m" || !again.Stream || again.GetMaxOutputTokens() != turn.GetMaxOutputTokens() {
			t.Fatalf("%s, %v", raw, err)
		}
	})
}

// FuzzDecodeStream holds that a stream decodes to lawful events or fails with a
// fault, however it is split, and that they can be encoded.
func FuzzDecodeStream(f *testing.F) {
	seed(f, "streams/*.sse")
	seed(f, "answers/*.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		codec := anthropic.Messages()
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
		reader := eventstream.NewSSEReader(bytes.NewReader(out), eventstream.Limits{})
		for {
			batch, err := reader.Next()
			if err != nil {
				break
			}
			for _, e := range batch.Events {
				if !json.Valid(e.Data) {
					t.Fatalf("%q", e.Raw)
				}
			}
		}
		if rest := reader.Rest(); len(rest.Raw) > 0 {
			t.Fatalf("half an event: %q", rest.Raw)
		}
		if pass, _, found, err := codec.NewRawScanner(wire.ScanOptions{}).Scan(data, nil); err == nil {
			if !bytes.HasPrefix(data, pass) {
				t.Fatalf("passed %q", pass)
			}
			lawful(t, found, len(found) > 0 && wire.Terminal(found[len(found)-1]))
		}
		if events, err := codec.DecodeAnswer(data); err == nil {
			lawful(t, events, true)
			if body, err := codec.EncodeAnswer(wiretest.Assemble(t, events), wire.AnswerOptions{}); events[len(events)-1].GetFinished() != nil && (err != nil || !json.Valid(body)) {
				t.Fatalf("%s, %v", body, err)
			}
		}
	})
}
