package openai

import (
	"bytes"
	"slices"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/texttool"
)

var textToolKeys = jsonscan.NewKeys("type", texttool.WireType)

// TextTools says of names whether they are those of custom tools of a turn of chat
// completions, for wire.AnswerOptions; nil where it has none. It reads the raw half where
// that is of this dialect, else the tools that DecodeTurn made.
func TextTools(turn *conversationv1.Turn) func(name string) bool {
	var names []string
	if raw := turn.GetRaw(); raw.GetWire() == own {
		names = scanTextTools(raw.GetBody())
	} else if turn.GetExtraWire() == own {
		for _, tool := range turn.GetTools() {
			if tool.GetWireType() == texttool.WireType {
				names = append(names, tool.GetName())
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	return func(name string) bool { return slices.Contains(names, name) }
}

// scanTextTools are the names of a body's custom tools.
func scanTextTools(body []byte) (names []string) {
	if !bytes.Contains(body, []byte(`"`+texttool.WireType+`"`)) {
		return nil
	}
	var h head
	if h.scan(body) != nil || h.members[atTools].Kind != jsonscan.Array {
		return nil
	}
	_ = jsonscan.ForEachElement(body, h.members[atTools].Value, func(m jsonscan.Member) bool {
		var found [2]jsonscan.Member
		var name [1]jsonscan.Member
		if m.Kind != jsonscan.Object {
			return true
		}
		if _, err := jsonscan.ScanObject(body, m.Value, textToolKeys, found[:]); err != nil || found[1].Kind != jsonscan.Object {
			return true
		}
		if kind, err := found[0].Text(body); err != nil || kind != texttool.WireType {
			return true
		}
		if _, err := jsonscan.ScanObject(body, found[1].Value, nameKeys, name[:]); err != nil || name[0].Kind != jsonscan.String {
			return true
		}
		if named, err := name[0].Text(body); err == nil && named != "" {
			names = append(names, named)
		}
		return true
	})
	return names
}

var nameKeys = jsonscan.NewKeys("name")
