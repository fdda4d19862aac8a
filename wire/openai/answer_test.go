package openai_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/openai"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"
)

func started(s *conversationv1.Started) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Started{Started: s}}
}

func said(text string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Text{Text: &conversationv1.TextDelta{Text: text}}}
}

func thought(text, signature, redacted string) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Reasoning{Reasoning: &conversationv1.ReasoningDelta{Text: text, Signature: signature, Redacted: redacted}}}
}

func ended(reason conversationv1.FinishReason) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{Reason: reason}}}
}

func used(u *conversationv1.Usage) *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: u}}
}

func finished() *conversationv1.Event {
	return &conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{}}}
}

func stream(t *testing.T, options wire.AnswerOptions, events ...*conversationv1.Event) string {
	t.Helper()
	out, err := openai.Chat().NewStreamEncoder(options).Encode(nil, events)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestHeadOfAnswers holds where id, model and time come from.
func TestHeadOfAnswers(t *testing.T) {
	t.Parallel()
	full := &conversationv1.Started{ResponseId: "resp_01abc", ProviderResponseId: "chatcmpl-p", Model: "m", CreateTime: &timestamppb.Timestamp{Seconds: 7}}
	clock := func() time.Time { return time.Unix(9, 0) }
	for _, test := range []struct {
		started *conversationv1.Started
		options wire.AnswerOptions
		want    string
	}{
		{full, wire.AnswerOptions{}, `{"id":"chatcmpl-01abc","object":"chat.completion.chunk","created":7,"model":"m",`},
		{full, wire.AnswerOptions{ID: "i", Model: "asked", Created: time.Unix(8, 0)}, `{"id":"i","object":"chat.completion.chunk","created":8,"model":"asked",`},
		{&conversationv1.Started{ProviderResponseId: "chatcmpl-p"}, wire.AnswerOptions{Now: clock}, `{"id":"chatcmpl-p","object":"chat.completion.chunk","created":9,"model":"",`},
		{&conversationv1.Started{}, wire.AnswerOptions{Now: clock}, `{"id":"chatcmpl-`},
	} {
		if got := stream(t, test.options, started(test.started)); !strings.HasPrefix(got, "data: "+test.want) || strings.Count(got, "\n\n") != 1 {
			t.Errorf("have %s\nwant %s", got, test.want)
		}
	}
}

func TestUsageIsGivenWhenAskedFor(t *testing.T) {
	t.Parallel()
	events := []*conversationv1.Event{
		started(&conversationv1.Started{}), used(&conversationv1.Usage{InputTokens: 1}), said("a"), ended(conversationv1.FinishReason_FINISH_REASON_STOP),
		used(&conversationv1.Usage{InputTokens: 2, OutputTokens: 3, CachedInputTokens: 1, ReasoningTokens: 2, Source: conversationv1.UsageSource_USAGE_SOURCE_ESTIMATED}), finished(),
	}
	if got := stream(t, wire.AnswerOptions{}, events...); strings.Contains(got, "usage") {
		t.Errorf("nobody asked: %s", got)
	}
	got := stream(t, wire.AnswerOptions{IncludeUsage: true}, events...)
	const want = `"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":1},"completion_tokens_details":{"reasoning_tokens":2},"gptmesh":{"usage_source":"estimated"}}}` + "\n\ndata: [DONE]\n\n"
	if !strings.HasSuffix(got, want) || strings.Count(got, `"usage":`) != 1 {
		t.Errorf("have %s", got)
	}
}

// TestBrokenAnswer holds that a failure is an error event and the last one.
func TestBrokenAnswer(t *testing.T) {
	t.Parallel()
	failure := wire.Failure(fault.New(14, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED, "cut"))
	got := stream(t, wire.AnswerOptions{IncludeUsage: true}, started(&conversationv1.Started{}), said("a"), used(&conversationv1.Usage{}),
		&conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: failure}}, said("never"))
	if !strings.HasSuffix(got, `data: {"error":{"message":"cut","type":"server_error","param":null,"code":"stream_truncated"}}`+"\n\n") || strings.Contains(got, "DONE") {
		t.Errorf("have %s", got)
	}
	if _, err := openai.Chat().EncodeAnswer(&wire.Answer{Started: &conversationv1.Started{}, Failure: failure}, wire.AnswerOptions{}); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED) {
		t.Errorf("have %v", err)
	}
}

// TestFinishWords holds that every reason has one of OpenAI's words.
func TestFinishWords(t *testing.T) {
	t.Parallel()
	for reason, want := range map[conversationv1.FinishReason]string{
		conversationv1.FinishReason_FINISH_REASON_UNSPECIFIED: "stop", conversationv1.FinishReason_FINISH_REASON_STOP: "stop",
		conversationv1.FinishReason_FINISH_REASON_LENGTH: "length", conversationv1.FinishReason_FINISH_REASON_TOOL_CALLS: "tool_calls",
		conversationv1.FinishReason_FINISH_REASON_CONTENT_FILTER: "content_filter", conversationv1.FinishReason_FINISH_REASON_REFUSAL: "content_filter",
		conversationv1.FinishReason_FINISH_REASON_PAUSE: "stop", conversationv1.FinishReason_FINISH_REASON_LOAD: "stop",
	} {
		if got := stream(t, wire.AnswerOptions{}, started(&conversationv1.Started{}), ended(reason)); !strings.Contains(got, `"delta":{},"logprobs":null,"finish_reason":"`+want+`"`) {
			t.Errorf("%v: %s", reason, got)
		}
	}
	// An answer that nobody ended still has a finish_reason.
	if got := stream(t, wire.AnswerOptions{}, started(&conversationv1.Started{}), finished()); !strings.Contains(got, `"finish_reason":"stop"`) {
		t.Errorf("have %s", got)
	}
}

// TestSignedThoughts holds that every signature comes back with the text that
// it signs, through a client that keeps what it was streamed.
func TestSignedThoughts(t *testing.T) {
	t.Parallel()
	events := []*conversationv1.Event{
		started(&conversationv1.Started{}), thought("one ", "", ""), thought("two", "", ""), thought("", "s1", ""), thought("", "", "secret"),
		thought("three", "s2", ""), said("done"), ended(conversationv1.FinishReason_FINISH_REASON_STOP), finished(),
	}
	got := stream(t, wire.AnswerOptions{}, events...)
	for _, want := range []string{
		`"reasoning_details":[{"type":"reasoning.text","text":"one two","signature":"s1","index":0}]`,
		`"reasoning_details":[{"type":"reasoning.encrypted","data":"secret","index":1}]`,
		`"reasoning_details":[{"type":"reasoning.text","text":"three","signature":"s2","index":2}]`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing in %s", want, got)
		}
	}
	decoder := openai.Chat().NewStreamDecoder()
	again, err := decoder.Decode(nil, []byte(got))
	if err != nil {
		t.Fatal(err)
	}
	var first, second wire.Assembler
	if err := first.Add(events...); err != nil {
		t.Fatal(err)
	}
	if err := second.Add(again...); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first.Answer().Choices[0].Message, second.Answer().Choices[0].Message, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func event(body string) string { return "data: " + body + "\n\n" }

func content(text string) string {
	return event(`{"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"` + text + `"},"finish_reason":null}]}`)
}

// with is an event with another last member.
func with(event, member string) string { return strings.TrimSuffix(event, "}\n\n") + member + "}\n\n" }

const (
	stop      = `data: {"id":"c","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	usageOnly = `data: {"id":"c","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}` + "\n\n"
	done      = "data: [DONE]\n\n"
)

// TestRawScanDrops holds what is taken out of a raw answer, wherever it stands.
func TestRawScanDrops(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, data, pass string
		keepUsage        bool
		count, found     int
	}{
		{"usage at the end", content("a") + stop + usageOnly + done, content("a") + stop + done, false, 3, 2},
		{"usage alone", usageOnly, "", false, 0, 2},
		{"usage first", usageOnly + done, done, false, 1, 2},
		{"usage that was asked for", content("a") + usageOnly, content("a") + usageOnly, true, 2, 2},
		{"usage twice", content("a") + usageOnly + content("b") + usageOnly + content("c"), content("a") + content("b") + content("c"), false, 3, 2},
		{"comments", ": ping\n\n" + content("a") + ": ping\n\n", ": ping\n\n" + content("a") + ": ping\n\n", false, 1, 1},
		{"an error and what follows", content("a") + event(`{"error":{"message":"secret"}}`) + done, content("a"), false, 1, 2},
		{"giving up", content("a") + event(`{"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}`) + done, content("a"), false, 1, 2},
		{"words that look like marks", content(`\"error\":1,\"usage\":{},\"finish_reason\":\"stop\"`), content(`\"error\":1,\"usage\":{},\"finish_reason\":\"stop\"`), false, 1, 1},
		{"nulls in place of usage", with(content("a"), `,"usage":null`) + with(content("b"), `,"usage":null`) + usageOnly + done, content("a") + content("b") + done, false, 3, 2},
		{"nulls as Python writes them", with(content("a"), `, "usage": null`) + with(content("b"), `, "usage": null`), content("a") + content("b"), false, 2, 1},
		{"nulls that were asked for", with(content("a"), `,"usage":null`), with(content("a"), `,"usage":null`), true, 1, 1},
		{"words that look like a null", with(content("a"), `,"usage":null`) + content(`,\"usage\":null`), content("a") + content(`,\"usage\":null`), false, 2, 1},
		{"usage beside a choice", event(`{"choices":[{"index":0,"delta":{"content":"x"}}],"usage":{"prompt_tokens":1}}`), event(`{"choices":[{"index":0,"delta":{"content":"x"}}],"usage":{"prompt_tokens":1}}`), false, 1, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			data := []byte(test.data)
			pass, count, found, err := openai.Chat().NewRawScanner(wire.ScanOptions{DropUsage: !test.keepUsage}).Scan(data, nil)
			if err != nil {
				t.Fatal(err)
			}
			if string(pass) != test.pass || count != test.count || len(found) != test.found {
				t.Errorf("have %d events, %d found, %q", count, len(found), pass)
			}
			if string(data) != test.data {
				t.Error("the data was changed")
			}
			if bytes.Equal(pass, data) && len(data) > 0 && &pass[0] != &data[0] {
				t.Error("the data was copied for nothing")
			}
		})
	}
}

// TestWholeness holds when an answer without [DONE] is whole.
func TestWholeness(t *testing.T) {
	t.Parallel()
	second := event(`{"choices":[{"index":1,"delta":{"content":"b"},"finish_reason":null}]}`)
	secondStop := event(`{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}`)
	for data, whole := range map[string]bool{
		"": false, ": ping\n\n": false, content("a"): false, content("a") + stop: true, content("a") + done: true, done: true,
		content("a") + second + stop: false, content("a") + second + stop + secondStop: true, content("a") + stop + second: false,
		usageOnly: false, stop: true,
	} {
		decoder := openai.Chat().NewStreamDecoder()
		if _, err := decoder.Decode(nil, []byte(data)); err != nil {
			t.Fatal(err)
		}
		_, err := decoder.End(nil)
		scanner := openai.Chat().NewRawScanner(wire.ScanOptions{})
		if _, _, _, err := scanner.Scan([]byte(data), nil); err != nil {
			t.Fatal(err)
		}
		_, scanErr := scanner.End(nil)
		for _, err := range []error{err, scanErr} {
			if whole != (err == nil) || err != nil && !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED) {
				t.Errorf("%q: have %v, want whole %v", data, err, whole)
			}
		}
	}
}

// TestProtocolErrors holds that what no server should send is an error and
// neither a crash nor a guess.
func TestProtocolErrors(t *testing.T) {
	t.Parallel()
	calls := `{"choices":[{"index":0,"delta":{"tool_calls":[` + strings.Repeat(`{"index":0,"id":"x","function":{"name":"f","arguments":"{}"}},{"index":0,"id":"y","function":{"name":"g","arguments":"{}"}},`, 600) + `{}]}}]}`
	for name, data := range map[string]string{
		"no JSON": event("oops"), "an array": event("[1]"), "a choice out of range": event(`{"choices":[{"index":128,"delta":{}}]}`),
		"a choice below 0": event(`{"choices":[{"index":-1,"delta":{}}]}`), "content that is a number": event(`{"choices":[{"delta":{"content":5}}]}`),
		"a choice that is none": event(`{"choices":[7]}`), "a call that is none": event(`{"choices":[{"delta":{"tool_calls":[7]}}]}`),
		"arguments that are a number": event(`{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":7}}]}}]}`),
		"a call without a name":       event(`{"choices":[{"delta":{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{}"}}]}}]}`) + done,
		"too many calls":              event(calls),
	} {
		decoder := openai.Chat().NewStreamDecoder()
		_, err := decoder.Decode(nil, []byte(data))
		if err == nil {
			_, err = decoder.End(nil)
		}
		if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL) {
			t.Errorf("%s: have %v", name, err)
		}
	}
	for _, body := range []string{``, `[]`, `{}`, `{"choices":{}}`, `not JSON`} {
		if _, err := openai.Chat().DecodeAnswer([]byte(body)); !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL) {
			t.Errorf("%q: have %v", body, err)
		}
	}
}

// TestBytesThatAreNoText holds that a server's broken UTF-8 does not end the
// answer.
func TestBytesThatAreNoText(t *testing.T) {
	t.Parallel()
	decoder := openai.Chat().NewStreamDecoder()
	events, err := decoder.Decode(nil, []byte(content("a\xf0\x9f")))
	if err != nil || len(events) != 2 || events[1].GetText().GetText() != "a\uFFFD" {
		t.Fatalf("have %v, %v", events, err)
	}
	// A half of a character that never gets its other half.
	events, err = decoder.Decode(nil, []byte(content(`b\ud83d`)+done))
	if err != nil || len(events) != 1 || events[0].GetText().GetText() != "b" {
		t.Fatalf("have %v, %v", events, err)
	}
	events, err = decoder.End(nil)
	if err != nil || events[0].GetText().GetText() != "\uFFFD" {
		t.Fatalf("have %v, %v", events, err)
	}
}

// A kept body's events say the same, and a long text costs no copy.
func TestDecodeKept(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "short", strings.Repeat("ä long one ", 100), strings.Repeat(`with \"escapes\" `, 100), strings.Repeat("cut ", 100) + `\ud83d`} {
		body := []byte(`{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"` + text +
			`","reasoning_content":"` + text + `"},"finish_reason":"stop"}]}`)
		want, err := openai.Chat().DecodeAnswer(bytes.Clone(body))
		if err != nil {
			t.Fatal(err)
		}
		got, err := wire.DecodeKept(openai.Chat(), body)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Error(diff)
		}
	}
}
