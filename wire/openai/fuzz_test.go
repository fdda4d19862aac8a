package openai_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/openai"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
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
// scan refuses nothing that decoding takes, that messages read alone are those of the
// turn, and that what was decoded encodes
// to a body that says the same.
func FuzzTurn(f *testing.F) {
	seeds(f, "turns/*.json")
	codec := openai.Chat()
	options := wire.TurnOptions{Model: "m", Stream: true, WantUsage: true}
	f.Fuzz(func(t *testing.T, body []byte) {
		turn, err := codec.DecodeTurn(body)
		scanned, scanErr := codec.ScanTurn(body)
		if err != nil {
			isFault(t, err)
		}
		messages, readErr := wire.ReadMessages(codec, body)
		if readErr != nil {
			isFault(t, readErr)
		}
		if scanErr != nil {
			isFault(t, scanErr)
			if err == nil || readErr == nil {
				t.Fatalf("decoded although the scan says %v", scanErr)
			}
			return
		}
		if err == nil && (readErr != nil || !cmp.Equal(turn.GetMessages(), messages, protocmp.Transform())) {
			t.Fatalf("messages read alone: %v, %v", readErr, messages)
		}
		raw, _, rawErr := codec.EncodeTurn(scanned, options)
		if rawErr != nil || !json.Valid(raw) {
			t.Fatalf("the raw body cannot be sent: %v\n%s", rawErr, raw)
		}
		if err != nil {
			return
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
			t.Fatalf("%v\n%s", err, first)
		}
		second, _, err := codec.EncodeTurn(again, options)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first, second) {
			t.Fatalf("encoding does not settle:\n%s\n%s", first, second)
		}
	})
}

// decodeAll decodes a whole stream handed over at once.
func decodeAll(t *testing.T, data []byte) ([]*conversationv1.Event, error) {
	t.Helper()
	decoder := openai.Chat().NewStreamDecoder()
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
	return events, err
}

// FuzzStream holds that any stream gives legal events or a fault, that the raw
// scanner finds the same start and end, and that clients get JSON.
func FuzzStream(f *testing.F) {
	seeds(f, "streams/*.sse")
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		events, err := decodeAll(t, data)
		if err != nil {
			isFault(t, err)
		}
		scanner := openai.Chat().NewRawScanner(wire.ScanOptions{DropUsage: true})
		pass, _, found, scanErr := scanner.Scan(data, nil)
		if scanErr == nil {
			found, scanErr = scanner.End(found)
		}
		if !bytes.Equal(before, data) {
			t.Fatal("the data was changed")
		}
		if len(pass) > len(data) {
			t.Fatal("bytes were made up")
		}
		if scanErr != nil {
			isFault(t, scanErr)
		}
		if err == nil && scanErr == nil && len(found) > 0 && (!proto.Equal(events[0], found[0]) || !proto.Equal(events[len(events)-1], found[len(found)-1])) {
			t.Fatalf("the scanner sees another answer: %v\n%v", events, found)
		}
		if err != nil {
			return
		}
		out, err := openai.Chat().NewStreamEncoder(wire.AnswerOptions{ID: "i", IncludeUsage: true}).Encode(nil, events)
		if err != nil {
			t.Fatal(err)
		}
		for len(out) > 0 {
			var event wire.ServerEvent
			event, out = wire.NextServerEvent(out)
			if string(event.Data) != "[DONE]" && !json.Valid(event.Data) {
				t.Fatalf("not JSON: %q", event.Data)
			}
		}
	})
}

// FuzzAnswer holds the same for whole answers, and that the answer survives
// being encoded.
func FuzzAnswer(f *testing.F) {
	seeds(f, "answers/*.json")
	f.Fuzz(func(t *testing.T, data []byte) {
		events, err := openai.Chat().DecodeAnswer(data)
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
		answer := assembler.Answer()
		body, err := openai.Chat().EncodeAnswer(answer, wire.AnswerOptions{ID: "i"})
		if answer.Failure != nil {
			isFault(t, err)
			return
		}
		if err != nil || !json.Valid(body) {
			t.Fatalf("%v: %s", err, body)
		}
	})
}

// FuzzOthers holds that no body of the smaller endpoints breaks its decoder.
func FuzzOthers(f *testing.F) {
	for _, seed := range []string{
		`{"model":"m","input":["a",[1]],"encoding_format":"base64"}`, `{"input":[1,2]}`, `{"data":[{"index":0,"embedding":"AACAPw=="}]}`,
		`{"data":[{"id":"m","created":1.5,"meta":{"n_ctx_train":1}}]}`, `[{"error":{"code":429}}]`, `{"error":"x"}`, ``, `[`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if request, format, err := openai.DecodeEmbeddings(data); err != nil {
			isFault(t, err)
		} else if body, _, err := openai.EncodeEmbeddings(request, "m"); err != nil || !json.Valid(body) {
			t.Fatalf("%v %v: %s", format, err, body)
		}
		if answer, err := openai.DecodeEmbeddingAnswer(data); err != nil {
			isFault(t, err)
		} else if body := openai.EncodeEmbeddingAnswer(answer, openai.VectorFloat, "", ""); !json.Valid(body) {
			t.Fatalf("not JSON: %s", body)
		}
		if models, err := openai.DecodeModels(data); err != nil {
			isFault(t, err)
		} else if body := openai.EncodeModels(models); !json.Valid(body) {
			t.Fatalf("not JSON: %s", body)
		}
		for _, status := range []int{0, 200, 400, 500} {
			if status, body := openai.Error(openai.ProviderError(status, data)); status < 400 || !json.Valid(body) {
				t.Fatalf("%d: %s", status, body)
			}
		}
	})
}
