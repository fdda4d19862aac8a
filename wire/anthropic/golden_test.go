package anthropic_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/anthropic"
)

var update = flag.Bool("update", false, "write golden files")

// golden compares got with the file, or writes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got)\n%s", path, diff)
	}
}

// fixtures calls fn with each file of a folder.
func fixtures(t *testing.T, pattern string, fn func(t *testing.T, codec wire.Codec, stem string, data []byte)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures for %s: %v", pattern, err)
	}
	for _, path := range paths {
		stem := strings.TrimSuffix(path, filepath.Ext(path))
		t.Run(filepath.Base(stem), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			fn(t, anthropic.Messages(), stem, data)
		})
	}
}

// show is a message as stable, indented JSON.
func show(t *testing.T, m proto.Message) string {
	t.Helper()
	loose, err := protojson.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, loose, "", " "); err != nil {
		t.Fatal(err)
	}
	return out.String() + "\n"
}

// showEvents is a line of JSON for each event.
func showEvents(t *testing.T, events []*conversationv1.Event) string {
	t.Helper()
	var out bytes.Buffer
	for _, e := range events {
		loose, err := protojson.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Compact(&out, loose); err != nil {
			t.Fatal(err)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

func TestDecodeTurn(t *testing.T) {
	t.Parallel()
	fixtures(t, "turns/*.json", func(t *testing.T, codec wire.Codec, stem string, body []byte) {
		turn, err := codec.DecodeTurn(body)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, stem+".turn.golden", show(t, turn))

		scanned, err := codec.ScanTurn(body)
		if err != nil {
			t.Fatal(err)
		}
		want := &conversationv1.Turn{
			Model: turn.Model, Stream: turn.Stream, MaxOutputTokens: turn.MaxOutputTokens, HasTools: len(turn.Tools) > 0,
			AcceptWire: codec.Wire(), Raw: &conversationv1.RawTurn{Wire: codec.Wire(), Body: body},
		}
		if !proto.Equal(want, scanned) {
			t.Errorf("the head differs from the typed half:\n%s", show(t, scanned))
		}
		if &scanned.Raw.Body[0] != &body[0] {
			t.Error("the body was copied")
		}

		options := wire.TurnOptions{Model: "served", Stream: true}
		typed, dropped, err := codec.EncodeTurn(turn, options)
		if err != nil {
			t.Fatal(err)
		}
		spliced, none, err := codec.EncodeTurn(scanned, options)
		if err != nil || len(none) > 0 {
			t.Fatal(none, err)
		}
		golden(t, stem+".encoded.golden", "typed: "+string(typed)+"\ndropped: "+strings.Join(dropped, " ")+"\nraw: "+string(spliced))

		// What was encoded says the same.
		again, err := codec.DecodeTurn(typed)
		if err != nil {
			t.Fatal(err)
		}
		again.Model, again.Stream = turn.Model, turn.Stream
		if diff := cmp.Diff(show(t, turn), show(t, again)); diff != "" {
			t.Errorf("decoding what was encoded (-first +again)\n%s", diff)
		}
	})
}

func TestEncodeTypedTurn(t *testing.T) {
	t.Parallel()
	fixtures(t, "typed/*.json", func(t *testing.T, codec wire.Codec, stem string, data []byte) {
		turn := &conversationv1.Turn{}
		if err := protojson.Unmarshal(data, turn); err != nil {
			t.Fatal(err)
		}
		body, dropped, err := codec.EncodeTurn(turn, wire.TurnOptions{Model: "served", DefaultMaxOutputTokens: 5000})
		if err != nil {
			t.Fatal(err)
		}
		if !json.Valid(body) {
			t.Error("not JSON")
		}
		golden(t, stem+".encoded.golden", string(body)+"\ndropped: "+strings.Join(dropped, " ")+"\n")
	})
}

func TestDecodeStream(t *testing.T) {
	t.Parallel()
	fixtures(t, "streams/*.sse", func(t *testing.T, codec wire.Codec, stem string, data []byte) {
		events := decodeStream(t, codec, data)
		golden(t, stem+".events.golden", showEvents(t, events))

		encoder := codec.NewStreamEncoder(wire.AnswerOptions{ID: "msg_own", Model: "As-Asked", InputTokens: 7})
		var out []byte
		for _, e := range events {
			var err error
			if out, err = encoder.Encode(out, []*conversationv1.Event{e}); err != nil {
				t.Fatal(err)
			}
		}
		golden(t, stem+".client.golden", string(out))
		strictClient(t, out)

		answer := assemble(t, events)
		body, err := codec.EncodeAnswer(answer, wire.AnswerOptions{ID: "msg_own"})
		if err != nil {
			t.Fatal(err)
		}
		golden(t, stem+".body.golden", string(body)+"\n")
	})
}

func TestDecodeAnswer(t *testing.T) {
	t.Parallel()
	fixtures(t, "bodies/*.json", func(t *testing.T, codec wire.Codec, stem string, data []byte) {
		events, err := codec.DecodeAnswer(data)
		if err != nil {
			t.Fatal(err)
		}
		lawful(t, events, true)
		golden(t, stem+".events.golden", showEvents(t, events))
	})
}
