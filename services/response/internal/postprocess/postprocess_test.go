package postprocess

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/response/internal/jsonschema"
	"github.com/gptmesh/gptmesh/wire"
)

func text(s string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Text: s}}}
}

func thought(s string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{Reasoning: &conversationv1.ReasoningDelta{Text: s}}}
}

func stop() *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{Reason: conversationv1.FinishReason_FINISH_REASON_STOP}}}
}

func call(name string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ToolCall{ToolCall: &conversationv1.ToolCallDelta{Id: "c1", Name: name, ArgumentsJson: `{"key":"secret"}`}}}
}

// show writes what a client would see: text, (reasoning), [tool].
func show(events []*conversationv1.Event) string {
	var out strings.Builder
	for _, event := range events {
		switch kind := event.GetKind().(type) {
		case *conversationv1.Event_Text:
			out.WriteString(kind.Text.GetText())
		case *conversationv1.Event_Reasoning:
			out.WriteString("(" + kind.Reasoning.GetText() + ")")
		case *conversationv1.Event_ToolCall:
			out.WriteString("[" + kind.ToolCall.GetName() + kind.ToolCall.GetArgumentsJson() + "]")
		case *conversationv1.Event_ChoiceFinished:
			out.WriteString("$")
		}
	}
	return strings.ReplaceAll(out.String(), ")(", "")
}

func run(t *testing.T, options *responsev1.PostProcessing, chunks ...[]*conversationv1.Event) (live, end string, result Result, err error) {
	t.Helper()
	rules, err := Compile(options)
	if err != nil {
		t.Fatal(err)
	}
	p := rules.New(1 << 20)
	var grammar wire.Grammar
	accept := func(events []*conversationv1.Event) {
		for _, event := range events {
			if err := grammar.Accept(event); err != nil {
				t.Error(err)
			}
		}
	}
	accept([]*conversationv1.Event{{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{}}}})
	var all []*conversationv1.Event
	for _, chunk := range chunks {
		out, err := p.Take(chunk)
		if err != nil {
			t.Fatal(err)
		}
		accept(out)
		all = append(all, out...)
	}
	last, result, err := p.End()
	accept(last)
	return show(all), show(last), result, err
}

func TestReasoning(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, keep, strip string }{
		{"plain", "plain", "plain"},
		{"<think>why</think>\n\nbecause", "(why)because", "because"},
		{"<think>why</think>because <think>more</think> end", "(why)because (more) end", "because  end"},
		{"<thinking>a<b</thinking>c", "(a<b)c", "c"},
		{"<think>never closed", "(never closed)", ""},
		{"a <thin", "a <thin", "a <thin"},
		{"x < y <think>z</think>", "x < y (z)", "x < y "},
		{"<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Hi<|return|>", "(hm)Hi", "Hi"},
		{"<|channel|>analysis<|message|>hm<|start|>assistant<|channel|>final<|message|>Hi", "(hm)Hi", "Hi"},
		{"<|start|>assistant<|channel|>commentary to=x<|message|>note<|end|>", "note", "note"},
		{"a<|channel|>no header", "a<|channel|>no header", "a<|channel|>no header"},
		{"<|channel|>" + strings.Repeat("x", 300), "<|channel|>" + strings.Repeat("x", 300), "<|channel|>" + strings.Repeat("x", 300)},
	} {
		for _, size := range []int{1, 2, 3, 7, 1000} {
			t.Run(fmt.Sprintf("%.20s/%d", c.in, size), func(t *testing.T) {
				t.Parallel()
				var chunks [][]*conversationv1.Event
				for rest := c.in; rest != ""; {
					n := min(size, len(rest))
					chunks = append(chunks, []*conversationv1.Event{text(rest[:n])})
					rest = rest[n:]
				}
				chunks = append(chunks, []*conversationv1.Event{stop()})
				for mode, want := range map[responsev1.PostProcessing_Reasoning]string{
					responsev1.PostProcessing_REASONING_KEEP: c.keep, responsev1.PostProcessing_REASONING_STRIP: c.strip,
				} {
					live, end, _, err := run(t, &responsev1.PostProcessing{Reasoning: mode}, chunks...)
					if err != nil || end != "" || live != want+"$" {
						t.Errorf("%v: %q then %q, %v; want %q", mode, live, end, err, want+"$")
					}
				}
			})
		}
	}
}

func TestStrippedReasoningStreams(t *testing.T) {
	t.Parallel()
	rules, err := Compile(&responsev1.PostProcessing{Reasoning: responsev1.PostProcessing_REASONING_STRIP})
	if err != nil {
		t.Fatal(err)
	}
	p := rules.New(1 << 20)
	for _, step := range []struct {
		in   *conversationv1.Event
		want string
	}{{thought("hm"), ""}, {text("Hello "), "Hello "}, {text("world <"), "world "}, {text("b>"), "<b>"}} {
		out, err := p.Take([]*conversationv1.Event{step.in})
		if err != nil || show(out) != step.want {
			t.Fatalf("%q, %v; want %q", show(out), err, step.want)
		}
	}
	if !p.Thought() {
		t.Error("reasoning was forgotten")
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	schema := `{"type":"object","properties":{"age":{"type":"integer"}},"required":["age"]}`
	for _, c := range []struct{ in, schema, want, err string }{
		{`{"age": 3}`, "", `{"age": 3}`, ""},
		{" [1]\n", "", `[1]`, ""},
		{"Here you are:\n```json\n{\"age\": 3}\n```\nBye {x}", "", `{"age": 3}`, ""},
		{"```\n[1,2]\n```", "", `[1,2]`, ""},
		{"```json{\"age\":1}```", "", `{"age":1}`, ""},
		{"```json\n{\"age\":1}", "", `{"age":1}`, ""},
		{`As [1] says: {"age": 3}.`, "", `{"age": 3}`, ""},
		{`As [1] says: {"age": 3}.`, schema, `{"age": 3}`, ""},
		{`{"name":"a much longer one"} or {"age":3}`, schema, `{"age":3}`, ""},
		{`{"age": "x"}`, schema, "", "$.age: want integer"},
		{`{"age": 3`, "", "", "no valid JSON"},
		{"", "", "", "no valid JSON"},
		{"no json", "", "", "no valid JSON"},
		{strings.Repeat("[", 5000), "", "", "no valid JSON"},
	} {
		t.Run(fmt.Sprintf("%.30s", c.in), func(t *testing.T) {
			t.Parallel()
			half := len(c.in) / 2
			live, end, result, err := run(t, &responsev1.PostProcessing{Format: responsev1.PostProcessing_FORMAT_JSON, JsonSchema: c.schema},
				[]*conversationv1.Event{text(c.in[:half])}, []*conversationv1.Event{text(c.in[half:]), stop()})
			if live != "" {
				t.Errorf("text went out before its time: %q", live)
			}
			if c.err != "" {
				f := fault.From(err)
				if f == nil || fault.ReasonName(f.Reason) != "INVALID_JSON_ANSWER" || f.Metadata["detail"] != c.err {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil || end != c.want+"$" || result.JSON != c.want {
				t.Fatalf("%q %q %v", end, result.JSON, err)
			}
		})
	}
}

func TestJSONLeavesToolCalls(t *testing.T) {
	t.Parallel()
	_, end, result, err := run(t, &responsev1.PostProcessing{Format: responsev1.PostProcessing_FORMAT_JSON},
		[]*conversationv1.Event{call("look"), stop()})
	if err != nil || end != `[look{"key":"secret"}]$` || result.JSON != "" {
		t.Fatalf("%q %v %v", end, result, err)
	}
}

func TestRedaction(t *testing.T) {
	t.Parallel()
	options := &responsev1.PostProcessing{Redactions: []*responsev1.RedactionRule{
		{Name: "secret", Pattern: `secret`},
		{Name: "digits", Pattern: `\d+`, Replacement: "$0#"},
		{Name: "never", Pattern: `zzz`},
		{Name: "empty", Pattern: `q*`},
	}}
	live, end, result, err := run(t, options,
		[]*conversationv1.Event{thought("my sec"), thought("ret"), text("the sec")},
		[]*conversationv1.Event{text("ret is 42 and 43"), call("look"), stop()})
	if live != "" || err != nil {
		t.Fatalf("%q %v", live, err)
	}
	if want := `(my [redacted])the [redacted] is $0# and $0#[look{"key":"secret"}]$`; end != want {
		t.Errorf("got %q", end)
	}
	var hits []string
	for _, hit := range result.Redactions {
		hits = append(hits, fmt.Sprint(hit.GetName(), hit.GetCount()))
	}
	if diff := cmp.Diff([]string{"secret2", "digits2"}, hits); diff != "" {
		t.Error(diff)
	}

	options.Redactions[1].Action = responsev1.RedactionRule_ACTION_BLOCK
	live, end, result, err = run(t, options, []*conversationv1.Event{text("the secret is 42"), stop()})
	f := fault.From(err)
	if live != "" || end != "" || f == nil || fault.ReasonName(f.Reason) != "BLOCKED" || f.Metadata["rule"] != "digits" || len(result.Redactions) != 2 {
		t.Fatalf("%q %q %v %v", live, end, err, result)
	}
}

func TestPlain(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"# Title\n\nSome **bold** and *soft* text.": "Title\n\nSome bold and soft text.",
		"a * b * c and 2*3*4":                       "a * b * c and 2*3*4",
		"__bold__ snake_case_name _soft_":           "bold snake_case_name soft",
		"* one\n+ two\n- three":                     "- one\n- two\n- three",
		"> quoted\n> more":                          "quoted\nmore",
		"a\n\n---\n\nb":                             "a\n\n\nb",
		"see [the docs](https://x.y \"t\")":         "see the docs (https://x.y)",
		"![alt](x.png) `**code**` ~~gone~~":         "alt **code** gone",
		"```go\n# not *a* title\n```\nend":          "# not *a* title\nend",
		"plain":                                     "plain",
		"":                                          "",
	} {
		if got := Plain(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func TestFormats(t *testing.T) {
	t.Parallel()
	_, end, _, err := run(t, &responsev1.PostProcessing{Format: responsev1.PostProcessing_FORMAT_PLAIN, Reasoning: responsev1.PostProcessing_REASONING_STRIP},
		[]*conversationv1.Event{text("<think>x</think>**A"), text("nswer**"), stop()})
	if err != nil || end != "Answer$" {
		t.Fatalf("%q %v", end, err)
	}
	if rules, err := Compile(&responsev1.PostProcessing{Format: responsev1.PostProcessing_FORMAT_MARKDOWN}); rules != nil || err != nil {
		t.Fatalf("markdown is left as it is: %v %v", rules, err)
	}
	if rules, err := Compile(nil); rules != nil || err != nil {
		t.Fatalf("%v %v", rules, err)
	}
}

func TestCompileNamesTheField(t *testing.T) {
	t.Parallel()
	for field, options := range map[string]*responsev1.PostProcessing{
		"post_processing.json_schema":           {Format: responsev1.PostProcessing_FORMAT_JSON, JsonSchema: `{"type":`},
		"post_processing.redactions[1].pattern": {Redactions: []*responsev1.RedactionRule{{Name: "a", Pattern: "a"}, {Name: "b", Pattern: "("}}},
	} {
		if _, err := Compile(options); fault.From(err) == nil || fault.From(err).Field() != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, err := Compile(&responsev1.PostProcessing{JsonSchema: `{}`}); fault.From(err) == nil {
		t.Error("a schema without FORMAT_JSON passed")
	}
}

func TestHeldTextIsBounded(t *testing.T) {
	t.Parallel()
	rules, err := Compile(&responsev1.PostProcessing{Format: responsev1.PostProcessing_FORMAT_PLAIN})
	if err != nil {
		t.Fatal(err)
	}
	p := rules.New(1000)
	if _, err := p.Take([]*conversationv1.Event{text(strings.Repeat("x", 2000))}); err == nil {
		t.Fatal("no bound")
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("<think>a</think>b", 3)
	f.Add("<|channel|>analysis<|message|>x<|end|>", 1)
	f.Add("<|start|><|start|><|channel|><think>", 2)
	f.Fuzz(func(t *testing.T, in string, size int) {
		size = max(1, min(size, 64))
		whole := splitter{}
		want := whole.take(in)
		for _, p := range whole.end() {
			add(&want, p.text, p.thought)
		}
		var got []piece
		pieces := splitter{}
		for rest := in; rest != ""; {
			n := min(size, len(rest))
			for _, p := range pieces.take(rest[:n]) {
				add(&got, p.text, p.thought)
			}
			rest = rest[n:]
		}
		for _, p := range pieces.end() {
			add(&got, p.text, p.thought)
		}
		if fmt.Sprint(want) != fmt.Sprint(got) {
			t.Fatalf("%q in pieces of %d: %v, want %v", in, size, got, want)
		}
	})
}

func FuzzExtractJSON(f *testing.F) {
	f.Add("```json\n{}\n```")
	f.Add("[[[{{{")
	f.Fuzz(func(t *testing.T, in string) {
		out, err := ExtractJSON(in, nil)
		if err != nil {
			return
		}
		if _, err := jsonschema.Parse([]byte(out)); err != nil {
			t.Fatalf("%q is not JSON: %v", out, err)
		}
	})
}
