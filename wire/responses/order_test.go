package responses_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/wire"
)

// frames are the events of a stream.
func frames(t *testing.T, stream []byte) (out []map[string]json.RawMessage) {
	t.Helper()
	for len(stream) > 0 {
		var event wire.ServerEvent
		event, stream = wire.NextServerEvent(stream)
		var members map[string]json.RawMessage
		if err := json.Unmarshal(event.Data, &members); err != nil {
			t.Fatalf("%v: %s", err, event.Raw)
		}
		if word(members["type"]) != string(event.Name) {
			t.Fatalf("the event is named %s: %s", event.Name, event.Data)
		}
		out = append(out, members)
	}
	return out
}

func word(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s)
	return s
}

func number(raw json.RawMessage) int {
	n := -1
	_ = json.Unmarshal(raw, &n)
	return n
}

// checkOrder holds a stream to the order that the strictest client could ask
// for: numbers without a gap, one item open at a time, one part open within it,
// what was added piece by piece equal to what is done, and one end.
func checkOrder(t *testing.T, stream []byte) {
	t.Helper()
	var item, part, text strings.Builder
	items, parts := -1, -1
	itemOpen, partOpen, ended := false, false, false
	fail := func(i int, why string) { t.Fatalf("event %d: %s\n%s", i, why, stream) }
	all := frames(t, stream)
	for i, event := range all {
		kind := word(event["type"])
		if number(event["sequence_number"]) != i {
			fail(i, "its number is another")
		}
		if ended && kind != "response.failed" {
			fail(i, "it stands behind the end")
		}
		if at, ok := event["item_id"]; ok && (!itemOpen || word(at) != item.String() || number(event["output_index"]) != items) {
			fail(i, "its item is not open")
		}
		switch kind {
		case "response.created":
			if i != 0 {
				fail(i, "it is not the first")
			}
		case "response.in_progress":
			if i != 1 {
				fail(i, "it is not the second")
			}
		case "response.output_item.added":
			items++
			if itemOpen || number(event["output_index"]) != items {
				fail(i, "another item is open")
			}
			itemOpen, parts = true, -1
			item.Reset()
			var added struct{ ID string }
			_ = json.Unmarshal(event["item"], &added)
			item.WriteString(added.ID)
			text.Reset()
		case "response.output_item.done":
			var done struct{ ID, Arguments, Input, Type string }
			_ = json.Unmarshal(event["item"], &done)
			if !itemOpen || partOpen || done.ID != item.String() || number(event["output_index"]) != items {
				fail(i, "it ends another item")
			}
			if strings.HasSuffix(done.Type, "_call") && done.Arguments+done.Input != text.String() {
				fail(i, "the arguments are others")
			}
			itemOpen = false
		case "response.content_part.added", "response.reasoning_summary_part.added":
			parts++
			if partOpen || number(event["content_index"])+number(event["summary_index"]) != parts-1 {
				fail(i, "another part is open")
			}
			partOpen = true
			part.Reset()
		case "response.content_part.done", "response.reasoning_summary_part.done":
			var done struct{ Text, Refusal string }
			_ = json.Unmarshal(event["part"], &done)
			if !partOpen || done.Text+done.Refusal != part.String() {
				fail(i, "it ends another part")
			}
			partOpen = false
		case "response.output_text.delta", "response.refusal.delta", "response.reasoning_summary_text.delta":
			if !partOpen {
				fail(i, "no part is open")
			}
			part.WriteString(word(event["delta"]))
		case "response.output_text.done", "response.refusal.done", "response.reasoning_summary_text.done":
			if !partOpen || word(event["text"])+word(event["refusal"]) != part.String() {
				fail(i, "the text is another")
			}
		case "response.function_call_arguments.delta", "response.custom_tool_call_input.delta":
			text.WriteString(word(event["delta"]))
		case "response.function_call_arguments.done", "response.custom_tool_call_input.done":
			if word(event["arguments"])+word(event["input"]) != text.String() {
				fail(i, "the arguments are others")
			}
		case "response.completed", "response.incomplete":
			if itemOpen {
				fail(i, "an item is open")
			}
			var end struct {
				Response struct {
					Output []struct{ ID string }
				}
			}
			whole, _ := json.Marshal(event)
			_ = json.Unmarshal(whole, &end)
			if len(end.Response.Output) != items+1 {
				fail(i, fmt.Sprintf("it has %d items", len(end.Response.Output)))
			}
			ended = true
		case "error", "response.failed":
			ended = true
		default:
			fail(i, "nobody knows "+kind)
		}
	}
	if !ended {
		fail(len(all), "there is no end")
	}
}
