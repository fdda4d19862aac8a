package responses_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/responses"
	"google.golang.org/protobuf/proto"
)

// seeds adds the recordings of a folder.
func seeds(f *testing.F, pattern string) {
	f.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(paths) == 0 {
		f.Fatalf("no recordings in %s: %v", pattern, err)
	}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

// isFault fails the test where an error is no fault, or one of the mesh's own.
func isFault(t *testing.T, err error) {
	t.Helper()
	if f := (*fault.Fault)(nil); !errors.As(err, &f) || f.Code == 13 {
		t.Fatalf("no proper fault: %v", err)
	}
}

// FuzzTurn holds that any body is refused with a fault or decoded, that the
// scan refuses nothing that decoding takes, that what was decoded encodes to a
// body that says the same, and that items and echo of it are JSON.
func FuzzTurn(f *testing.F) {
	seeds(f, "turns/*.json")
	codec := responses.Codec()
	options := wire.TurnOptions{Model: "m", Stream: true, WantUsage: true}
	f.Fuzz(func(t *testing.T, body []byte) {
		if echo, err := responses.EchoOf(body); err != nil {
			isFault(t, err)
		} else if !json.Valid([]byte(echo.JSON())) || bytes.ContainsAny([]byte(echo.JSON()), "\r\n") {
			t.Fatalf("not JSON: %s", echo.JSON())
		} else if queued := responses.EncodeQueued(echo, wire.AnswerOptions{ID: "i"}); !json.Valid(queued) {
			t.Fatalf("not JSON: %s", queued)
		}
		turn, err := codec.DecodeTurn(body)
		scanned, scanErr := codec.ScanTurn(body)
		if err != nil {
			isFault(t, err)
		}
		if scanErr != nil {
			isFault(t, scanErr)
			if err == nil {
				t.Fatalf("decoded although the scan says %v", scanErr)
			}
			return
		}
		raw, _, rawErr := codec.EncodeTurn(scanned, options)
		if rawErr != nil || !json.Valid(raw) {
			t.Fatalf("the raw body cannot be sent: %v\n%s", rawErr, raw)
		}
		if err != nil || len(turn.GetMessages()) == 0 {
			return
		}
		for _, m := range turn.GetMessages() {
			items, err := responses.ItemsOf(m)
			if err != nil {
				t.Fatal(err)
			}
			for _, item := range items {
				if !json.Valid(item.JSON) {
					t.Fatalf("not JSON: %s", item.JSON)
				}
			}
		}
		first, _, err := codec.EncodeTurn(turn, options)
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(first) {
			t.Fatalf("not JSON: %s", first)
		}
		again, err := codec.DecodeTurn(first)
		if err != nil {
			isFault(t, err) // Reasoning that cannot go back may have been all there was.
			return
		}
		if len(again.GetMessages()) == 0 {
			return
		}
		second, _, err := codec.EncodeTurn(again, options)
		if err != nil {
			t.Fatal(err)
		}
		settled, err := codec.DecodeTurn(second)
		if err != nil {
			t.Fatal(err)
		}
		third, _, err := codec.EncodeTurn(settled, options)
		if err != nil || !bytes.Equal(second, third) {
			t.Fatalf("encoding does not settle: %v\n%s\n%s", err, second, third)
		}
	})
}

// FuzzStream holds that any stream gives legal events or a fault, that the raw
// scanner finds the same start and end, that clients get events in a legal
// order, and that rewriting ids makes up nothing else.
func FuzzStream(f *testing.F) {
	seeds(f, "streams/*.sse")
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		decoder := responses.Codec().NewStreamDecoder()
		events, err := decoder.Decode(nil, data)
		if err == nil {
			events, err = decoder.End(events)
		}
		var grammar wire.Grammar
		for _, event := range events {
			if err := grammar.Accept(event); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			isFault(t, err)
		}
		scanner := responses.Codec().NewRawScanner(wire.ScanOptions{})
		pass, _, found, scanErr := scanner.Scan(data, nil)
		if scanErr == nil {
			found, scanErr = scanner.End(found)
		}
		if !bytes.Equal(before, data) || len(pass) > len(data) {
			t.Fatal("the data was changed")
		}
		if scanErr != nil {
			isFault(t, scanErr)
		}
		if err == nil && scanErr == nil && len(found) > 0 && (!proto.Equal(events[0], found[0]) || !proto.Equal(events[len(events)-1], found[len(found)-1])) {
			t.Fatalf("the scanner sees another answer: %v\n%v", events, found)
		}
		_ = responses.RewriteStream(nil, data, "resp_1", nil)
		if err != nil || len(events) == 0 {
			return
		}
		out, err := responses.Codec().NewStreamEncoder(wire.AnswerOptions{ID: "i"}).Encode(nil, events)
		if err != nil {
			isFault(t, err)
			return
		}
		checkOrder(t, out)
	})
}

// FuzzAnswer holds the same for whole answers.
func FuzzAnswer(f *testing.F) {
	seeds(f, "answers/*.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		_ = responses.RewriteBody(nil, data, "resp_1", nil)
		events, err := responses.Codec().DecodeAnswer(data)
		if err != nil {
			isFault(t, err)
			return
		}
		var grammar wire.Grammar
		var assembler wire.Assembler
		for _, event := range events {
			if err := grammar.Accept(event); err != nil {
				t.Fatal(err)
			}
		}
		if !grammar.Ended() {
			t.Fatal("no end")
		}
		if err := assembler.Add(events...); err != nil {
			t.Fatal(err)
		}
		body, err := responses.EncodeStored(assembler.Answer(), nil, wire.AnswerOptions{ID: "i"})
		if err != nil || !json.Valid(body) {
			t.Fatalf("%v: %s", err, body)
		}
	})
}
