package providertest_test

import (
	"context"
	"encoding/json"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/services/gpt/provider/anthropic"
	"github.com/gptmesh/gptmesh/services/gpt/provider/ollama"
	"github.com/gptmesh/gptmesh/services/gpt/provider/openai"
	"github.com/gptmesh/gptmesh/services/gpt/provider/providertest"
	"github.com/gptmesh/gptmesh/services/gpt/provider/transport"
	anthropicwire "github.com/gptmesh/gptmesh/wire/anthropic"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(doer upstream.Doer, base, header, value string) transport.Config {
	return transport.Config{
		Name: "suite", BaseURL: base, Doer: doer, UserAgent: "gptmesh/1.2.3", Secrets: []string{providertest.Key},
		Header: upstream.Header{{Name: header, Value: value}},
	}
}

func sse(data ...string) (events []string) {
	for _, d := range data {
		events = append(events, "data: "+d+"\n\n")
	}
	return events
}

func quoted(text string) string {
	out, _ := json.Marshal(text)
	return string(out)
}

// asking is a provider whose clients ask for usage in their raw streams, so that
// nothing has to be taken out of them.
type asking struct{ provider.Provider }

// Generate implements provider.Provider.
func (a asking) Generate(ctx context.Context, call *provider.Call, sink provider.Sink) error {
	if call.Turn.GetRaw() == nil && call.Turn.GetAcceptWire() == conversationv1.Wire_WIRE_OPENAI_CHAT {
		turn := proto.Clone(call.Turn).(*conversationv1.Turn)
		turn.ExtraJson, turn.ExtraWire = `{"stream_options":{"include_usage":true}}`, conversationv1.Wire_WIRE_OPENAI_CHAT
		call = &provider.Call{Turn: turn, Model: call.Model}
	}
	return a.Provider.Generate(ctx, call, sink)
}

const openaiHead = `{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1730000000,"model":"model-1","system_fingerprint":"fp_1",`

func openaiChunk(delta, finish string) string {
	return openaiHead + `"choices":[{"index":0,"delta":` + delta + `,"logprobs":null,"finish_reason":` + finish + `}],"usage":null}`
}

func openaiEnd(finish string) []string {
	return sse(openaiChunk(`{}`, finish), openaiHead+`"choices":[],"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17,"prompt_tokens_details":{"cached_tokens":0}}}`, "[DONE]")
}

func openaiDialect() providertest.Dialect {
	first := `{"role":"assistant","content":"","refusal":null}`
	call := func(index, id, name string) string {
		return `{"tool_calls":[{"index":` + index + `,"id":"` + id + `","type":"function","function":{"name":"` + name + `","arguments":""}}]}`
	}
	args := func(index, text string) string {
		return `{"tool_calls":[{"index":` + index + `,"function":{"arguments":` + quoted(text) + `}}]}`
	}
	whole := func(message, finish string) string {
		return `{"id":"chatcmpl-1","object":"chat.completion","created":1730000000,"model":"model-1","choices":[{"index":0,"message":` + message +
			`,"logprobs":null,"finish_reason":"` + finish + `"}],"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17}}`
	}
	return providertest.Dialect{
		Name: "openai", ContentType: "text/event-stream; charset=utf-8", LastEvents: 2,
		New: func(t *testing.T, doer upstream.Doer) provider.Provider {
			p, err := openai.New(config(doer, "http://suite/v1/", "Authorization", "Bearer "+providertest.Key), nil)
			if err != nil {
				t.Fatal(err)
			}
			return asking{p}
		},
		Events: map[string][]string{
			providertest.StoryText: append(sse(openaiChunk(first, "null"), openaiChunk(`{"content":"Hello,"}`, "null"), openaiChunk(`{"content":" wörld 👋"}`, "null")), openaiEnd(`"stop"`)...),
			providertest.StoryTool: append(sse(openaiChunk(first, "null"), openaiChunk(call("0", "call_1", "get_weather"), "null"),
				openaiChunk(args("0", `{"city":`), "null"), openaiChunk(args("0", `"Paris"}`), "null")), openaiEnd(`"tool_calls"`)...),
			providertest.StoryParallel: append(sse(openaiChunk(first, "null"), openaiChunk(call("0", "call_1", "get_weather"), "null"),
				openaiChunk(args("0", `{"city":"Paris"}`), "null"), openaiChunk(call("1", "call_2", "get_time"), "null"), openaiChunk(args("1", `{"zone":"CET"}`), "null")),
				openaiEnd(`"tool_calls"`)...),
			providertest.StoryReasoning: append(sse(openaiChunk(`{"role":"assistant","content":null,"reasoning_content":"Let me"}`, "null"),
				openaiChunk(`{"reasoning_content":" think."}`, "null"), openaiChunk(`{"content":"42"}`, "null")), openaiEnd(`"stop"`)...),
		},
		Whole: map[string]string{
			providertest.StoryText:      whole(`{"role":"assistant","content":"Hello, wörld 👋","refusal":null}`, "stop"),
			providertest.StoryTool:      whole(`{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Paris\"}"}}]}`, "tool_calls"),
			providertest.StoryReasoning: whole(`{"role":"assistant","reasoning_content":"Let me think.","content":"42"}`, "stop"),
		},
		Long: func(text string) []string {
			return append(sse(openaiChunk(`{"role":"assistant","content":`+quoted(text)+`}`, "null")), openaiEnd(`"stop"`)...)
		},
		Failure: sse(`{"error":{"message":"The server had an error","type":"server_error","param":null,"code":null}}`)[0],
		Refusals: []providertest.Refusal{
			{Status: 400, Body: `{"error":{"message":"Invalid 'temperature'","type":"invalid_request_error","param":"temperature","code":"decimal_above_max_value"}}`, Reason: "PROVIDER_REJECTED", Field: "temperature"},
			{Status: 400, Body: `{"error":{"message":"This model's maximum context length is 8192 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`, Reason: "CONTEXT_LENGTH_EXCEEDED"},
			{Status: 404, Body: `{"error":{"message":"The model x does not exist","type":"invalid_request_error","param":null,"code":"model_not_found"}}`, Reason: "MODEL_NOT_FOUND"},
			{Status: 400, Body: `{"error":{"message":"filtered","type":null,"param":"prompt","code":"content_filter"}}`, Reason: "CONTENT_FILTERED"},
			{Status: 429, Body: `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`, Reason: "PROVIDER_RATE_LIMITED"},
		},
		Raw: `{"x_unknown":12345678901234567890, "model":"alias","messages":[{"role":"user","content":"hi"}],"max_tokens":7,"stream":false}`,
	}
}

func named(name, data string) string { return "event: " + name + "\ndata: " + data + "\n\n" }

func anthropicDialect() providertest.Dialect {
	start := named("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"model-1","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}}`)
	ping := named("ping", `{"type": "ping"}`)
	block := func(index, content string) string {
		return named("content_block_start", `{"type":"content_block_start","index":`+index+`,"content_block":`+content+`}`)
	}
	delta := func(index, content string) string {
		return named("content_block_delta", `{"type":"content_block_delta","index":`+index+`,"delta":`+content+`}`)
	}
	stop := func(index string) string {
		return named("content_block_stop", `{"type":"content_block_stop","index":`+index+`}`)
	}
	end := func(reason string) []string {
		return []string{
			named("message_delta", `{"type":"message_delta","delta":{"stop_reason":"`+reason+`","stop_sequence":null},"usage":{"output_tokens":5}}`),
			named("message_stop", `{"type":"message_stop"}`),
		}
	}
	textBlock := `{"type":"text","text":""}`
	tool := func(id, name string) string {
		return `{"type":"tool_use","id":"` + id + `","name":"` + name + `","input":{}}`
	}
	args := func(text string) string { return `{"type":"input_json_delta","partial_json":` + quoted(text) + `}` }
	said := func(text string) string { return `{"type":"text_delta","text":` + quoted(text) + `}` }
	whole := func(content, reason string) string {
		return `{"id":"msg_1","type":"message","role":"assistant","model":"model-1","content":[` + content + `],"stop_reason":"` + reason +
			`","stop_sequence":null,"usage":{"input_tokens":12,"output_tokens":5}}`
	}
	return providertest.Dialect{
		Name: "anthropic", ContentType: "text/event-stream; charset=utf-8",
		New: func(t *testing.T, doer upstream.Doer) provider.Provider {
			p, err := anthropic.New(config(doer, "http://suite/v1", "X-Api-Key", providertest.Key), anthropicwire.Messages(), nil)
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
		Events: map[string][]string{
			providertest.StoryText: append([]string{start, block("0", textBlock), ping, delta("0", said("Hello,")), delta("0", said(" wörld 👋")), stop("0")}, end("end_turn")...),
			providertest.StoryTool: append([]string{start, block("0", tool("toolu_1", "get_weather")), delta("0", args("")), delta("0", args(`{"city":`)), delta("0", args(` "Paris"}`)), stop("0")}, end("tool_use")...),
			providertest.StoryParallel: append([]string{start, block("0", tool("toolu_1", "get_weather")), delta("0", args(`{"city":"Paris"}`)), stop("0"),
				block("1", tool("toolu_2", "get_time")), delta("1", args(`{"zone":"CET"}`)), stop("1")}, end("tool_use")...),
			providertest.StoryReasoning: append([]string{start, block("0", `{"type":"thinking","thinking":"","signature":""}`), delta("0", `{"type":"thinking_delta","thinking":"Let me think."}`),
				delta("0", `{"type":"signature_delta","signature":"c2ln"}`), stop("0"), block("1", textBlock), delta("1", said("42")), stop("1")}, end("end_turn")...),
		},
		Whole: map[string]string{
			providertest.StoryText:      whole(`{"type":"text","text":"Hello, wörld 👋"}`, "end_turn"),
			providertest.StoryTool:      whole(`{"type":"tool_use","id":"toolu_1","name":"get_weather","input":{"city":"Paris"}}`, "tool_use"),
			providertest.StoryReasoning: whole(`{"type":"thinking","thinking":"Let me think.","signature":"c2ln"},{"type":"text","text":"42"}`, "end_turn"),
		},
		Long: func(text string) []string {
			return append([]string{start, block("0", textBlock), delta("0", said(text)), stop("0")}, end("end_turn")...)
		},
		Failure: named("error", `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`),
		Refusals: []providertest.Refusal{
			{Status: 400, Body: `{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: must be greater than 0"}}`, Reason: "PROVIDER_REJECTED"},
			{Status: 400, Body: `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}`, Reason: "CONTEXT_LENGTH_EXCEEDED"},
			{Status: 404, Body: `{"type":"error","error":{"type":"not_found_error","message":"model: claude-x"}}`, Reason: "MODEL_NOT_FOUND"},
			{Status: 529, Body: `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, Reason: "PROVIDER_ERROR"},
		},
		Raw: `{"x_unknown":12345678901234567890, "model":"alias","max_tokens":7,"messages":[{"role":"user","content":"hi"}],"stream":false}`,
	}
}

func ollamaLine(message, rest string) string {
	return `{"model":"model-1","created_at":"2026-11-20T12:00:00.5Z","message":` + message + `,` + rest + "}\n"
}

func ollamaDialect() providertest.Dialect {
	last := func(reason string) string {
		return ollamaLine(`{"role":"assistant","content":""}`, `"done":true,"done_reason":"`+reason+`","total_duration":5,"load_duration":1,"prompt_eval_count":12,"prompt_eval_duration":1,"eval_count":5,"eval_duration":2`)
	}
	say := func(text string) string {
		return ollamaLine(`{"role":"assistant","content":`+quoted(text)+`}`, `"done":false`)
	}
	call := func(id, name, args string) string {
		return `{"id":"` + id + `","function":{"index":0,"name":"` + name + `","arguments":` + args + `}}`
	}
	calls := func(list string) string {
		return `{"role":"assistant","content":"","tool_calls":[` + list + `]}`
	}
	whole := func(message string) string {
		return `{"model":"model-1","created_at":"2026-11-20T12:00:00.5Z","message":` + message + `,"done":true,"done_reason":"stop","total_duration":5,"prompt_eval_count":12,"eval_count":5}`
	}
	paris := `{"city":"Paris"}`
	return providertest.Dialect{
		Name: "ollama", ContentType: "application/x-ndjson",
		New: func(t *testing.T, doer upstream.Doer) provider.Provider {
			p, err := ollama.New(config(doer, "suite", "X-Extra", "1"), nil)
			if err != nil {
				t.Fatal(err)
			}
			return p
		},
		Events: map[string][]string{
			providertest.StoryText: {say("Hello,"), say(" wörld"), say(" 👋"), last("stop")},
			providertest.StoryTool: {ollamaLine(calls(call("call_1", "get_weather", paris)), `"done":false`), last("stop")},
			providertest.StoryParallel: {ollamaLine(calls(call("call_1", "get_weather", paris)), `"done":false`),
				ollamaLine(calls(call("call_2", "get_time", `{"zone":"CET"}`)), `"done":false`), last("stop")},
			providertest.StoryReasoning: {ollamaLine(`{"role":"assistant","content":"","thinking":"Let me"}`, `"done":false`),
				ollamaLine(`{"role":"assistant","content":"","thinking":" think."}`, `"done":false`), say("42"), last("stop")},
		},
		Whole: map[string]string{
			providertest.StoryText:      whole(`{"role":"assistant","content":"Hello, wörld 👋"}`),
			providertest.StoryTool:      whole(calls(call("call_1", "get_weather", paris))),
			providertest.StoryReasoning: whole(`{"role":"assistant","content":"42","thinking":"Let me think."}`),
		},
		Long:    func(text string) []string { return []string{say(text), last("stop")} },
		Failure: `{"error":"an error was encountered while running the model: unexpected EOF"}` + "\n",
		Refusals: []providertest.Refusal{
			{Status: 404, Body: `{"error":"model 'x' not found"}`, Reason: "MODEL_NOT_FOUND"},
			{Status: 400, Body: `{"error":"registry.ollama.ai/library/x:latest does not support tools"}`, Reason: "PROVIDER_REJECTED"},
			{Status: 500, Body: `{"error":"model requires more system memory (5 GiB) than is available"}`, Reason: "PROVIDER_ERROR"},
		},
		Raw: `{"x_unknown":12345678901234567890, "model":"alias","messages":[{"role":"user","content":"hi"}],"options":{"num_ctx":8192}}`,
	}
}

func TestOpenAI(t *testing.T) {
	t.Parallel()
	providertest.Run(t, openaiDialect())
}

// A server that takes max_tokens only and no stream_options.
func TestMistral(t *testing.T) {
	t.Parallel()
	d := openaiDialect()
	d.Name = "mistral"
	d.New = func(t *testing.T, doer upstream.Doer) provider.Provider {
		cfg := config(doer, "http://suite/v1", "Authorization", "Bearer "+providertest.Key)
		p, err := openai.New(cfg, []string{"max_tokens", "no_stream_options", "no_developer_role"})
		if err != nil {
			t.Fatal(err)
		}
		return asking{p}
	}
	providertest.Run(t, d)
}

func TestAnthropic(t *testing.T) {
	t.Parallel()
	providertest.Run(t, anthropicDialect())
}

func TestOllama(t *testing.T) {
	t.Parallel()
	providertest.Run(t, ollamaDialect())
}
