// Package providertest is the suite that every adapter passes, against servers
// that answer byte for byte as the real ones do.
//
// A dialect tells the same few stories in its own words; the suite checks that
// they come out the same, however the bytes are cut, and that whatever goes
// wrong has its own reason.
package providertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/wire"
	"google.golang.org/protobuf/proto"
)

// The stories that a dialect tells.
const (
	// StoryText says "Hello, wörld 👋" and stops; 12 tokens in, 5 out.
	StoryText = "text"
	// StoryTool calls get_weather with {"city":"Paris"}.
	StoryTool = "tool"
	// StoryParallel calls get_weather and then get_time with {"zone":"CET"}.
	StoryParallel = "parallel"
	// StoryReasoning thinks "Let me think." and says "42".
	StoryReasoning = "reasoning"
)

// Key is a secret that the suite's adapters are given; no error may hold it.
const Key = "sk-suite-secret-0123456789"

// Dialect is an adapter under test and its server's words.
type Dialect struct {
	// Name names the golden files.
	Name string
	// New makes the adapter; the address leads to the scripted server.
	New func(t *testing.T, doer upstream.Doer) provider.Provider
	// ContentType is that of streams.
	ContentType string
	// Events are the events of each story's stream, in order, as sent.
	Events map[string][]string
	// Whole is each story's answer that is not streamed.
	Whole map[string]string
	// Long makes a stream that says one text in one event.
	Long func(text string) []string
	// Failure is an event that tells of an error in mid-stream.
	Failure string
	// Refusals are error answers and their reasons.
	Refusals []Refusal
	// LastEvents is how many events at a stream's end may be missing from a
	// whole answer: those behind the one that says that it is whole.
	LastEvents int
	// Raw is a client's body of this dialect, for the golden files.
	Raw string
}

// Refusal is an error answer.
type Refusal struct {
	Status int
	Body   string
	Reason string
	Field  string
}

// Run runs the suite.
func Run(t *testing.T, d Dialect) {
	for name, test := range map[string]func(*testing.T, *Dialect){
		"Stories": stories, "Splits": splits, "Whole": whole, "Cuts": cuts, "LongLine": longLine, "Malformed": malformed,
		"FailureInMidStream": failure, "Refusals": refusals, "Cancels": cancels, "Requests": requests,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, &d)
		})
	}
}

// result is what came of a call.
type result struct {
	answer *wire.Answer
	raw    []byte
	err    error
	last   *conversationv1.Event
	chunks int
}

func call(stream bool, accept conversationv1.Wire) *provider.Call {
	return &provider.Call{Model: "model-1", Turn: &conversationv1.Turn{
		Model: "model-1", Stream: stream, AcceptWire: accept,
		Messages: []*conversationv1.Message{{Role: conversationv1.Role_ROLE_USER, Parts: []*conversationv1.ContentPart{text("hi")}}},
	}}
}

func text(s string) *conversationv1.ContentPart {
	return &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Text{Text: s}}
}

// generate makes a call and holds what comes to the grammar and to the promises
// of provider.Provider.
func generate(ctx context.Context, p provider.Provider, c *provider.Call) result {
	var r result
	var grammar wire.Grammar
	var assembler wire.Assembler
	r.err = p.Generate(ctx, c, func(chunk *conversationv1.Chunk) error {
		if len(chunk.GetEvents()) == 0 && chunk.GetRaw() == nil {
			return nil
		}
		r.chunks++
		if r.chunks == 1 && (len(chunk.GetEvents()) == 0 || chunk.GetEvents()[0].GetStarted() == nil) {
			return errors.New("the first chunk has no started")
		}
		for _, event := range chunk.GetEvents() {
			if err := grammar.Accept(event); err != nil {
				return err
			}
		}
		r.raw = append(r.raw, chunk.GetRaw().GetData()...)
		if last := wire.Last(chunk); last != nil {
			r.last = proto.Clone(last).(*conversationv1.Event)
		}
		return assembler.Add(chunk.GetEvents()...)
	})
	r.answer = assembler.Answer()
	return r
}

// told writes an answer down in short.
func told(r result) string {
	if r.err != nil {
		return "error " + fault.ReasonName(fault.From(r.err).Reason)
	}
	var out strings.Builder
	for i := range r.answer.Choices {
		c := &r.answer.Choices[i]
		for _, part := range c.Message.GetParts() {
			switch kind := part.GetKind().(type) {
			case *conversationv1.ContentPart_Text:
				out.WriteString("text " + kind.Text + "\n")
			case *conversationv1.ContentPart_Reasoning:
				out.WriteString("reasoning " + kind.Reasoning.GetText() + "\n")
			case *conversationv1.ContentPart_ToolCall:
				var args any
				_ = json.Unmarshal([]byte(kind.ToolCall.GetArgumentsJson()), &args)
				fmt.Fprintf(&out, "call %s %v\n", kind.ToolCall.GetName(), args)
			}
		}
		out.WriteString(strings.TrimPrefix(c.FinishReason.String(), "FINISH_REASON_") + "\n")
	}
	fmt.Fprintf(&out, "usage %d %d\n", r.answer.Usage.GetInputTokens(), r.answer.Usage.GetOutputTokens())
	switch {
	case r.last.GetFinished() != nil:
		out.WriteString("finished\n")
	case r.last.GetFailed() != nil:
		out.WriteString("failed " + fault.ReasonName(r.last.GetFailed().GetReason()) + "\n")
	}
	return out.String()
}

var want = map[string]string{
	StoryText:      "text Hello, wörld 👋\nSTOP\nusage 12 5\nfinished\n",
	StoryTool:      "call get_weather map[city:Paris]\nTOOL_CALLS\nusage 12 5\nfinished\n",
	StoryParallel:  "call get_weather map[city:Paris]\ncall get_time map[zone:CET]\nTOOL_CALLS\nusage 12 5\nfinished\n",
	StoryReasoning: "reasoning Let me think.\ntext 42\nSTOP\nusage 12 5\nfinished\n",
}

// once makes one call against one script.
func once(t *testing.T, d *Dialect, c *provider.Call, script Script) result {
	t.Helper()
	s, doer := serve(t, func() Script { return script })
	_ = s
	return generate(t.Context(), d.New(t, doer), c)
}

func (d *Dialect) streamed(events ...string) Script {
	script := Script{Header: []string{"Content-Type: " + d.ContentType}}
	for _, event := range events {
		script.Pieces = append(script.Pieces, []byte(event))
	}
	return script
}

// stories: one event per read, translated and raw.
func stories(t *testing.T, d *Dialect) {
	for name, events := range d.Events {
		r := once(t, d, call(true, 0), d.streamed(events...))
		if diff := cmp.Diff(want[name], told(r)); diff != "" {
			t.Errorf("%s: %s (%v)", name, diff, r.err)
		}
		if started := r.answer.Started; started.GetModel() != "model-1" || started.GetProvider() != "suite" || started.GetCreateTime() == nil {
			t.Errorf("%s: %v", name, started)
		}
		_, doer := serve(t, func() Script { return d.streamed(events...) })
		p := d.New(t, doer)
		raw := generate(t.Context(), p, call(true, p.Info().Wire))
		if string(raw.raw) != strings.Join(events, "") || raw.last.GetFinished() == nil || len(raw.answer.Choices) != 0 {
			t.Errorf("%s, raw: %q %v", name, raw.raw, raw.err)
		}
		if raw.answer.Usage.GetInputTokens() != 12 || raw.answer.Usage.GetOutputTokens() != 5 {
			t.Errorf("%s, raw: usage %v", name, raw.answer.Usage)
		}
	}
}

// splits: the same bytes cut in two at every place, byte by byte, and at once.
func splits(t *testing.T, d *Dialect) {
	for name, events := range d.Events {
		body := []byte(strings.Join(events, ""))
		var ways [][][]byte
		for i := range len(body) {
			ways = append(ways, [][]byte{body[:i], body[i:]})
		}
		var single [][]byte
		for i := range body {
			single = append(single, body[i:i+1])
		}
		ways = append(ways, single)
		next := 0
		_, doer := serve(t, func() Script {
			script := d.streamed()
			script.Pieces = ways[next]
			return script
		})
		p := d.New(t, doer)
		for next = range ways {
			if got := told(generate(t.Context(), p, call(true, 0))); got != want[name] {
				t.Fatalf("%s, way %d: %s", name, next, got)
			}
			if raw := generate(t.Context(), p, call(true, p.Info().Wire)); string(raw.raw) != string(body) || raw.last.GetFinished() == nil {
				t.Fatalf("%s, way %d, raw: %q %v", name, next, raw.raw, raw.err)
			}
		}
	}
}

// whole: answers in one body, translated and raw.
func whole(t *testing.T, d *Dialect) {
	for name, body := range d.Whole {
		script := Script{Header: []string{"Content-Type: application/json"}, Pieces: [][]byte{[]byte(body)}}
		if got := told(once(t, d, call(false, 0), script)); got != want[name] {
			t.Errorf("%s: %s", name, got)
		}
		_, doer := serve(t, func() Script { return script })
		p := d.New(t, doer)
		raw := generate(t.Context(), p, call(false, p.Info().Wire))
		if string(raw.raw) != body || raw.chunks != 1 || raw.last.GetFinished() == nil || len(raw.answer.Choices) != 0 {
			t.Errorf("%s, raw: %q %v", name, raw.raw, raw.err)
		}
		script.Pieces[0] = script.Pieces[0][:len(body)/2]
		script.Cut = true
		if got := once(t, d, call(false, 0), script); got.err == nil {
			t.Errorf("%s: half a body was taken", name)
		}
	}
}

// cuts: a stream that breaks off anywhere never looks whole.
func cuts(t *testing.T, d *Dialect) {
	for name, events := range d.Events {
		body := []byte(strings.Join(events, ""))
		certain := 0
		for _, event := range events[:len(events)-d.LastEvents] {
			certain += len(event)
		}
		at, clean := 0, false
		_, doer := serve(t, func() Script {
			script := d.streamed(string(body[:at]))
			script.Cut = !clean
			return script
		})
		p := d.New(t, doer)
		for _, clean = range []bool{false, true} {
			// The line ends of the last event that counts may be missing.
			for at = 0; at < certain-4; at++ {
				for _, accept := range []conversationv1.Wire{0, p.Info().Wire} {
					r := generate(t.Context(), p, call(true, accept))
					if r.err == nil && r.last.GetFinished() != nil {
						t.Fatalf("%s: cut at %d of %d (clean %v) it looks whole", name, at, len(body), clean)
					}
					if r.err == nil && r.last == nil {
						t.Fatalf("%s: cut at %d there is neither an end nor an error", name, at)
					}
				}
			}
		}
	}
}

// longLine: an event of a megabyte comes through whole.
func longLine(t *testing.T, d *Dialect) {
	long := strings.Repeat("0123456789abcde\u2028", 60_000)
	r := once(t, d, call(true, 0), d.streamed(d.Long(long)...))
	if len(r.answer.Choices) != 1 || r.answer.Choices[0].Message.GetParts()[0].GetText() != long {
		t.Errorf("%v, %d choices", r.err, len(r.answer.Choices))
	}
}

// malformed: what is not the dialect is an error, before the first event and
// after it.
func malformed(t *testing.T, d *Dialect) {
	garbage := "data: {\"broken\":\n\n"
	if strings.Contains(d.ContentType, "ndjson") {
		garbage = "{\"broken\":\n"
	}
	first := d.Events[StoryText][0]
	for name, script := range map[string]Script{
		"at once": d.streamed(garbage), "later": d.streamed(first, garbage), "html": d.streamed("<html>\n\n\n"),
	} {
		r := once(t, d, call(true, 0), script)
		reason := fault.ReasonName(fault.From(r.err).Reason)
		if r.err == nil || reason != "PROVIDER_PROTOCOL" && reason != "STREAM_TRUNCATED" {
			t.Errorf("%s: %v", name, r.err)
		}
	}
	r := once(t, d, call(false, 0), Script{Header: []string{"Content-Type: application/json"}, Pieces: [][]byte{[]byte("{]")}})
	if !strings.Contains(told(r), "PROVIDER_PROTOCOL") {
		t.Errorf("whole: %v", r.err)
	}
}

// failure: an error event ends the answer as failed, and nothing behind it is
// seen.
func failure(t *testing.T, d *Dialect) {
	events := d.Events[StoryText]
	for _, raw := range []bool{false, true} {
		_, doer := serve(t, func() Script { return d.streamed(events[0], events[1], d.Failure, events[2]) })
		p := d.New(t, doer)
		accept := conversationv1.Wire(0)
		if raw {
			accept = p.Info().Wire
		}
		r := generate(t.Context(), p, call(true, accept))
		failed := r.last.GetFailed()
		if r.err != nil || failed == nil || failed.GetMetadata()["provider"] != "suite" || strings.Contains(failed.GetMessage(), Key) {
			t.Errorf("raw %v: %v %v", raw, failed, r.err)
		}
	}
}

// refusals: errors before the first byte.
func refusals(t *testing.T, d *Dialect) {
	secret := `{"error":{"message":"bad key ` + Key + ` at /srv/secret.py","type":"x"}}`
	all := append([]Refusal{
		{Status: 401, Body: secret, Reason: "PROVIDER_REFUSED_KEY"},
		{Status: 403, Body: secret, Reason: "PROVIDER_REFUSED_KEY"},
		{Status: 429, Body: secret, Reason: "PROVIDER_RATE_LIMITED"},
		{Status: 500, Body: secret, Reason: "PROVIDER_ERROR"},
		{Status: 503, Body: "<html>secret.py</html>", Reason: "PROVIDER_ERROR"},
		{Status: 302, Body: "", Reason: "PROVIDER_PROTOCOL"},
	}, d.Refusals...)
	for _, c := range all {
		for _, stream := range []bool{true, false} {
			r := once(t, d, call(stream, 0), Script{Status: c.Status, Header: []string{"Retry-After: 7"}, Pieces: [][]byte{[]byte(c.Body)}})
			failure := (*provider.Error)(nil)
			if !errors.As(r.err, &failure) {
				t.Errorf("%d: %v", c.Status, r.err)
				continue
			}
			f := failure.Fault
			if fault.ReasonName(f.Reason) != c.Reason || failure.Status != c.Status || !failure.Refused || failure.NotSent || f.Metadata["provider"] != "suite" {
				t.Errorf("%d %s: %+v %v", c.Status, c.Body, failure, f.Metadata)
			}
			if f.RetryAfter != 7*time.Second || f.Field() != c.Field {
				t.Errorf("%d: %v %q", c.Status, f.RetryAfter, f.Field())
			}
			if strings.Contains(f.Message, Key) || c.Status >= 500 && strings.Contains(f.Message, "secret.py") || strings.Contains(f.Error(), Key) {
				t.Errorf("%d leaks: %v", c.Status, f)
			}
		}
	}
}

// cancels: the server sees the connection close, whenever the client leaves.
func cancels(t *testing.T, d *Dialect) {
	for name, c := range map[string]struct {
		stream bool
		events []string
	}{
		"before the first token": {true, nil}, "in the middle": {true, d.Events[StoryText][:2]}, "not streamed": {false, nil},
	} {
		script := d.streamed(c.events...)
		script.Hang = true
		s, doer := serve(t, func() Script { return script })
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() {
			<-s.hung
			cancel(errLeft)
		}()
		r := generate(ctx, d.New(t, doer), call(c.stream, 0))
		<-s.gone
		if !errors.Is(r.err, errLeft) {
			t.Errorf("%s: %v", name, r.err)
		}
	}
}

var errLeft = errors.New("the client left")
