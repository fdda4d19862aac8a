package responses

import (
	"context"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	wireresponses "github.com/gptmesh/gptmesh/wire/responses"
)

var itemKeys = jsonscan.NewKeys("type", "id", "role")

// maxReferred bounds how many answers one turn may refer to.
const maxReferred = 256

// resolve puts items of earlier answers in the place of references to them. It
// returns nil where the input has none.
func (f *face) resolve(ctx context.Context, m *members) ([]byte, error) {
	input := m.found[atInput]
	if input.Kind != jsonscan.Array {
		return nil, nil
	}
	var out []byte
	known := map[string][]wireresponses.Item{}
	last := input.Value.Start
	var failed error
	err := jsonscan.ForEachElement(m.body, input.Value, func(e jsonscan.Member) bool {
		id := reference(m.body, e)
		if id == "" {
			return true
		}
		var item []byte
		if item, failed = f.refer(ctx, id, known); failed != nil {
			return false
		}
		out = append(append(out, m.body[last:e.Value.Start]...), item...)
		last = e.Value.End
		return true
	})
	switch {
	case failed != nil:
		return nil, failed
	case err != nil || out == nil:
		return nil, nil // The codec says better what is wrong with the input.
	}
	return append(out, m.body[last:input.Value.End]...), nil
}

// reference is the id that an element refers to, "" where it is no reference.
func reference(body []byte, e jsonscan.Member) string {
	var found [3]jsonscan.Member
	if e.Kind != jsonscan.Object {
		return ""
	}
	if _, err := jsonscan.ScanObject(body, e.Value, itemKeys, found[:]); err != nil {
		return ""
	}
	kind, err := found[0].Text(body)
	if found[0].Kind == jsonscan.Absent || found[0].Kind == jsonscan.Null {
		err = nil // A reference needs no type; what has a role is a message.
		if kind = ""; !found[2].Present() {
			kind = "item_reference"
		}
	}
	if err != nil || kind != "item_reference" {
		return ""
	}
	id, err := found[1].Text(body)
	if err != nil {
		return ""
	}
	return id
}

// refer finds an item of an earlier answer.
func (f *face) refer(ctx context.Context, id string, known map[string][]wireresponses.Item) ([]byte, error) {
	gone := func(string) error { return noItem(id, "input") }
	answer, ok := wireresponses.AnswerOf(id)
	if !ok {
		return nil, gone(id)
	}
	items, seen := known[answer]
	if !seen {
		if len(known) == maxReferred {
			return nil, fault.InvalidField("input", "refers to too many responses")
		}
		s, err := f.load(ctx, answer, gone)
		if err != nil {
			return nil, err
		}
		var message *conversationv1.Message
		if s.final() {
			if message, err = f.message(ctx, s); err != nil {
				return nil, err
			}
		}
		if message != nil {
			if items, err = wireresponses.ItemsOf(message); err != nil {
				return nil, err
			}
		}
		known[answer] = items
	}
	for _, item := range items {
		if item.ID == id {
			return item.JSON, nil
		}
	}
	return nil, gone(id)
}
