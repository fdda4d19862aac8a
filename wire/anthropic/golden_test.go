package anthropic_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/anthropic"
	"github.com/gptmesh/gptmesh/wire/wiretest"
)

var update = flag.Bool("update", false, "write golden files")

func golden(t *testing.T, path, got string) {
	t.Helper()
	wiretest.Golden(t, path, got, *update)
}

func TestConformance(t *testing.T) {
	t.Parallel()
	wiretest.Run(t, anthropic.Messages(), wiretest.Fixtures{Dir: "testdata", Update: *update})
}

// fixtures calls fn with each file of a folder.
func fixtures(t *testing.T, pattern string, fn func(t *testing.T, codec wire.Codec, stem string, data []byte)) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", pattern))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no fixtures for %s: %v", pattern, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			fn(t, anthropic.Messages(), strings.TrimSuffix(path, filepath.Ext(path)), data)
		})
	}
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

// What the clients get of each recording is nested as they demand.
func TestStrictClientsReadEvents(t *testing.T) {
	t.Parallel()
	fixtures(t, "streams/*.sse", func(t *testing.T, codec wire.Codec, _ string, data []byte) {
		events, err := read(codec, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		strictClient(t, wiretest.Encode(t, codec, events))
	})
}

// Servers that imitate the API leave out names of events, deltas, the reason and
// the last blank line.
func TestStreamOfImitator(t *testing.T) {
	t.Parallel()
	fixtures(t, "unended/*.sse", func(t *testing.T, codec wire.Codec, stem string, data []byte) {
		events, err := read(codec, bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		lawful(t, events, true)
		golden(t, stem+".events.golden", wiretest.ShowEvents(t, events))
	})
}
