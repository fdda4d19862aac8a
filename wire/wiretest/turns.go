package wiretest

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire"
)

// unknown is a member that no dialect knows, with what naive decoding loses:
// the order of members and a number beyond 2^53.
const unknown = `"x_wiretest":{"z":12345678901234567890.10,"a":[1e400,"\u00e9"]}`

func checkTurn(t *testing.T, codec wire.Codec, fixtures Fixtures, stem string, body []byte) {
	turn, err := codec.DecodeTurn(body)
	if err != nil {
		t.Fatal(err)
	}
	fixtures.golden(t, stem+".turn.golden", Show(t, turn))
	checkHead(t, codec, turn, body)

	options := wire.TurnOptions{Model: "served-model", Stream: true, WantUsage: true}
	typed, dropped, err := codec.EncodeTurn(turn, options)
	if err != nil {
		t.Fatal(err)
	}
	scanned, err := codec.ScanTurn(body)
	if err != nil {
		t.Fatal(err)
	}
	raw, none, err := codec.EncodeTurn(scanned, options)
	if err != nil {
		t.Fatal(err)
	}
	if len(none) > 0 {
		t.Errorf("a raw body loses %q", none)
	}
	if !json.Valid(typed) || !json.Valid(raw) {
		t.Fatalf("not JSON:\n%s\n%s", typed, raw)
	}
	fixtures.golden(t, stem+".encoded.golden", "typed: "+string(typed)+"\ndropped: "+strings.Join(dropped, " ")+"\nraw: "+string(raw)+"\n")

	// What was encoded twice says the same: encoding settles.
	again, err := codec.DecodeTurn(typed)
	if err != nil {
		t.Fatalf("what was encoded cannot be decoded: %v\n%s", err, typed)
	}
	settled, _, err := codec.EncodeTurn(again, options)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(typed), string(settled)); diff != "" {
		t.Errorf("encoding does not settle (-first +second)\n%s", diff)
	}
	checkUnknown(t, codec, body, options)
}

// checkHead holds that the head says what the typed half says, and that the
// body was kept and not copied.
func checkHead(t *testing.T, codec wire.Codec, turn *conversationv1.Turn, body []byte) {
	t.Helper()
	head, err := codec.ScanTurn(body)
	if err != nil {
		t.Fatal(err)
	}
	if head.GetModel() != turn.GetModel() || head.GetStream() != turn.GetStream() || head.GetHasTools() != (len(turn.GetTools()) > 0) ||
		(head.MaxOutputTokens == nil) != (turn.MaxOutputTokens == nil) || head.GetMaxOutputTokens() != turn.GetMaxOutputTokens() {
		t.Errorf("the head differs from the typed half:\n%s", Show(t, head))
	}
	if head.GetAcceptWire() != codec.Wire() || head.GetRaw().GetWire() != codec.Wire() {
		t.Error("the head names another dialect")
	}
	if kept := head.GetRaw().GetBody(); len(kept) != len(body) || &kept[0] != &body[0] {
		t.Error("the body was copied")
	}
	if turn.GetRaw() != nil {
		t.Error("DecodeTurn set the raw half")
	}
}

// checkUnknown holds that a member nobody knows survives both halves.
func checkUnknown(t *testing.T, codec wire.Codec, body []byte, options wire.TurnOptions) {
	t.Helper()
	end := bytes.LastIndexByte(body, '}')
	odd := append(append(append([]byte{}, body[:end]...), ","+unknown...), body[end:]...)
	typed, err := codec.DecodeTurn(odd)
	if err != nil {
		t.Fatal(err)
	}
	scanned, err := codec.ScanTurn(odd)
	if err != nil {
		t.Fatal(err)
	}
	for name, turn := range map[string]*conversationv1.Turn{"typed": typed, "raw": scanned} {
		out, _, err := codec.EncodeTurn(turn, options)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(out, []byte(unknown)) {
			t.Errorf("the %s half loses unknown members:\n%s", name, out)
		}
	}
}
