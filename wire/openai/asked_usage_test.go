package openai_test

import (
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/openai"
)

// Whether the client asked for usage is stored by whichever way a turn is encoded, over
// what stood there.
func TestAskedUsage(t *testing.T) {
	t.Parallel()
	codec := openai.Chat()
	for options, want := range map[string]bool{
		``: false, `"stream_options":null,`: false, `"stream_options":{},`: false, `"stream_options":{"include_usage":false},`: false,
		`"stream_options":{"include_usage":true},`: true, `"metadata":{"stream_options":{"include_usage":true}},`: false,
	} {
		body := []byte(`{"model":"m","stream":true,` + options + `"messages":[{"role":"user","content":[{"type":"text","text":"include_usage"}]}]}`)
		raw, err := codec.ScanTurn(body)
		if err != nil {
			t.Fatal(err)
		}
		raw.Raw = &conversationv1.RawTurn{Wire: codec.Wire(), Body: body}
		typed, err := codec.DecodeTurn(body)
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			turn   *conversationv1.Turn
			quirks []string
		}{"raw": {raw, nil}, "raw, whose messages a quirk changes": {raw, []string{"string_content"}}, "typed": {typed, nil}} {
			asked := !want
			if _, _, err := codec.EncodeTurn(c.turn, wire.TurnOptions{Model: "m", Stream: true, WantUsage: true, AskedUsage: &asked, Quirks: c.quirks}); err != nil {
				t.Fatal(err)
			}
			if asked != want {
				t.Errorf("%s, %s: asked %v", options, name, asked)
			}
		}
	}
}
