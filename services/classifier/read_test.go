package classifier

import (
	"testing"
	"unicode/utf8"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
)

// FuzzRead: whatever a model answers, a verdict that is taken from it can be
// sent and kept.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"", "{", "}{", "no object",
		`{"task_type":"bug_fix","complexity":"complex","confidence":0.9,"reason":"code"}`,
		"```json\n" + `{"task_type":"feature","complexity":"simple","confidence":1,"reason":"\ud800"}` + "\n```",
		`{"task_type":"bug_fix","complexity":"complex","confidence":1e999}`,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		v, err := read(text)
		if err != nil {
			return
		}
		if v.Tier != classifierv1.Tier_TIER_LLM || v.Type == 0 || v.Complexity == 0 {
			t.Errorf("%q: %v, %v, %v", text, v.Tier, v.Type, v.Complexity)
		}
		if !(v.Confidence >= 0 && v.Confidence <= 1) {
			t.Errorf("%q: confidence %v", text, v.Confidence)
		}
		if !utf8.ValidString(v.Reason) || len(v.Reason) > 503 {
			t.Errorf("%q: reason %q", text, v.Reason)
		}
	})
}
