package responses_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// shape is what a client's schema demands: member -> kind, "?" in front where
// it may be null or absent.
type shape map[string]any

// check holds a value to a shape: a string names a kind, a shape an object, a
// slice of one an array of it.
func check(path string, want, got any) error {
	switch want := want.(type) {
	case shape:
		object, ok := got.(map[string]any)
		if !ok {
			return fmt.Errorf("%s: want an object, have %T", path, got)
		}
		for name, of := range want {
			member, there := object[strings.TrimPrefix(name, "?")]
			if strings.HasPrefix(name, "?") && member == nil {
				continue
			}
			if !there {
				return fmt.Errorf("%s.%s: is missing", path, name)
			}
			if err := check(path+"."+name, of, member); err != nil {
				return err
			}
		}
	case []any:
		list, ok := got.([]any)
		if !ok {
			return fmt.Errorf("%s: want an array, have %T", path, got)
		}
		for i, element := range list {
			if err := check(fmt.Sprintf("%s[%d]", path, i), want[0], element); err != nil {
				return err
			}
		}
	case func(any) error:
		if err := want(got); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	case string:
		kind, exact, _ := strings.Cut(want, "=")
		is := false
		switch v := got.(type) {
		case string:
			is = kind == "string" && (exact == "" || slices.Contains(strings.Split(exact, "|"), v))
		case float64:
			is = kind == "number"
		case bool:
			is = kind == "boolean"
		}
		if !is {
			return fmt.Errorf("%s: want %s, have %v", path, want, got)
		}
	}
	return nil
}

// The AI SDK's schemas (@ai-sdk/openai, responses).
var (
	sdkUsage = shape{
		"input_tokens": "number", "?input_tokens_details": shape{"?cached_tokens": "number"},
		"output_tokens": "number", "?output_tokens_details": shape{"?reasoning_tokens": "number"},
	}
	sdkLogprobs = []any{shape{"token": "string", "logprob": "number", "top_logprobs": []any{shape{"token": "string", "logprob": "number"}}}}
	sdkOutput   = func(got any) error {
		return byType(got, map[string]shape{
			"message": {"id": "string", "role": "string=assistant", "content": []any{func(part any) error {
				return byType(part, map[string]shape{
					"output_text": {"text": "string", "annotations": []any{shape{}}, "?logprobs": sdkLogprobs},
					"refusal":     {"refusal": "string"},
				})
			}}},
			"function_call": {"id": "string", "call_id": "string", "name": "string", "arguments": "string"},
			"reasoning":     {"id": "string", "?encrypted_content": "string", "summary": []any{shape{"type": "string=summary_text", "text": "string"}}},
		})
	}
	sdkAnswer = shape{
		"id": "string", "created_at": "number", "model": "string", "?error": shape{"message": "string", "code": "string"},
		"output": []any{sdkOutput}, "?service_tier": "string", "?incomplete_details": shape{"reason": "string"}, "usage": sdkUsage,
	}
	sdkEvents = map[string]shape{
		"response.created":    {"response": shape{"id": "string", "created_at": "number", "model": "string", "?service_tier": "string"}},
		"response.completed":  {"response": shape{"?incomplete_details": shape{"reason": "string"}, "usage": sdkUsage, "?service_tier": "string"}},
		"response.incomplete": {"response": shape{"?incomplete_details": shape{"reason": "string"}, "usage": sdkUsage, "?service_tier": "string"}},
		"response.failed":     {"response": shape{"?error": shape{"?code": "string", "message": "string"}}},
		"response.output_item.added": {"output_index": "number", "item": func(got any) error {
			return byType(got, map[string]shape{
				"message": {"id": "string"}, "reasoning": {"id": "string", "?encrypted_content": "string"},
				"function_call": {"id": "string", "call_id": "string", "name": "string", "arguments": "string"},
			})
		}},
		"response.output_item.done": {"output_index": "number", "item": func(got any) error {
			return byType(got, map[string]shape{
				"message": {"id": "string"}, "reasoning": {"id": "string", "?encrypted_content": "string"},
				"function_call": {"id": "string", "call_id": "string", "name": "string", "arguments": "string", "status": "string=completed|incomplete"},
			})
		}},
		"response.output_text.delta":             {"item_id": "string", "delta": "string", "?logprobs": sdkLogprobs},
		"response.function_call_arguments.delta": {"item_id": "string", "output_index": "number", "delta": "string"},
		"response.reasoning_summary_part.added":  {"item_id": "string", "summary_index": "number"},
		"response.reasoning_summary_text.delta":  {"item_id": "string", "summary_index": "number", "delta": "string"},
		"response.reasoning_summary_part.done":   {"item_id": "string", "summary_index": "number"},
		"error":                                  {"sequence_number": "number", "error": shape{"type": "string", "code": "string", "message": "string", "?param": "string"}},
	}
)

func byType(got any, shapes map[string]shape) error {
	object, ok := got.(map[string]any)
	if !ok {
		return fmt.Errorf("want an object, have %T", got)
	}
	kind, _ := object["type"].(string)
	of, known := shapes[kind]
	if !known {
		return fmt.Errorf("nobody knows %q", kind)
	}
	return check(kind, of, got)
}

// official is the answer object as OpenAI's specification demands it: the
// generated SDKs and Codex read it by these members.
var official = shape{
	"id": "string", "object": "string=response", "created_at": "number", "status": "string=completed|incomplete|in_progress|failed|cancelled|queued",
	"model": "string", "parallel_tool_calls": "boolean", "store": "boolean", "temperature": "number", "top_p": "number", "background": "boolean",
	"tool_choice": "string", "tools": []any{shape{"type": "string"}}, "truncation": "string=auto|disabled", "metadata": shape{}, "top_logprobs": "number",
	"text": shape{"format": shape{"type": "string"}}, "reasoning": shape{"?effort": "string", "?summary": "string"}, "output": []any{sdkOutput},
}

// officialUsage has what Codex reads without looking whether it is there.
var officialUsage = shape{
	"input_tokens": "number", "input_tokens_details": shape{"cached_tokens": "number"},
	"output_tokens": "number", "output_tokens_details": shape{"reasoning_tokens": "number"}, "total_tokens": "number",
}

// nullable are members that have to be there, null or not.
var nullable = []string{"error", "incomplete_details", "instructions", "max_output_tokens", "previous_response_id", "usage", "user"}

func checkObject(t *testing.T, raw []byte) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	if err := check("response", official, got); err != nil {
		t.Errorf("%v\n%s", err, raw)
	}
	for _, name := range nullable {
		if _, there := got[name]; !there {
			t.Errorf("%s is missing", name)
		}
	}
	if got["status"] == "completed" || got["status"] == "incomplete" {
		if err := check("usage", officialUsage, got["usage"]); err != nil {
			t.Error(err)
		}
		if err := check("response", sdkAnswer, got); err != nil {
			t.Errorf("%v\n%s", err, raw)
		}
	}
}

// TestStrictClients reads every golden stream and answer of ours as strict
// clients do.
func TestStrictClients(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{"streams/*.client.golden", "answers/*.client.golden", "order/*.golden"} {
		paths, err := filepath.Glob(filepath.Join("testdata", pattern))
		if err != nil || len(paths) == 0 {
			t.Fatal(pattern, err)
		}
		for _, path := range paths {
			t.Run(path, func(t *testing.T) {
				t.Parallel()
				stream, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				checkOrder(t, stream)
				for _, event := range frames(t, stream) {
					if response, ok := event["response"]; ok {
						checkObject(t, response)
					}
					whole, _ := json.Marshal(event)
					var got any
					_ = json.Unmarshal(whole, &got)
					if of, known := sdkEvents[word(event["type"])]; known {
						if err := check(word(event["type"]), of, got); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
	}
	paths, err := filepath.Glob("testdata/*/*.body.golden")
	if err != nil || len(paths) == 0 {
		t.Fatal(err)
	}
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			checkObject(t, raw)
		})
	}
}
