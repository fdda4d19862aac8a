package anthropic

import (
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
)

func TestUnsignedThoughtsDoNotGoBack(t *testing.T) {
	t.Parallel()
	body := func(signature string) []byte {
		return []byte(`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"a \"signature\":\"\" in a text"},` +
			`{"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":` + signature + `},{"type":"text","text":"b"}]},{"role":"user","content":"c"}]}`)
	}
	encode := func(signature string) string {
		turn := &conversationv1.Turn{Raw: &conversationv1.RawTurn{Wire: own, Body: body(signature)}}
		out, _, err := Messages().EncodeTurn(turn, wire.TurnOptions{Model: "m"})
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if got := encode(`""`); strings.Contains(got, "thinking") || !strings.Contains(got, `"content":"b"`) {
		t.Errorf("an unsigned thought went back, or more than it was lost: %s", got)
	}
	if got := encode(`"c2ln"`); !strings.Contains(got, `"thinking":"hm","signature":"c2ln"`) {
		t.Errorf("a signed thought was lost: %s", got)
	}
}
