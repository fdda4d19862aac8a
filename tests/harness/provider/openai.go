package provider

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"
	"net/http"
	"strings"
)

func (p *Provider) serveOpenAI(wire *Wire, mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/chat/completions", func(w http.ResponseWriter, r *http.Request) {
		c, a, ok := p.read(w, r, wire, false)
		if !ok {
			return
		}
		if !wire.known(c.Model) {
			writeJSON(w, http.StatusNotFound, openAIError("The model `"+c.Model+"` does not exist or you do not have access to it.", "invalid_request_error", "model_not_found"))
			return
		}
		p.serve(w, r, c, func(s Script) dialect {
			return &openAI{script: s, model: c.Model, usage: a.StreamOptions != nil && a.StreamOptions.IncludeUsage}
		})
	})
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, r *http.Request) {
		var list []string
		for _, m := range wire.Models {
			list = append(list, openAIModel(m))
		}
		writeJSON(w, http.StatusOK, `{"object":"list","data":[`+strings.Join(list, ",")+`]}`)
	})
	mux.HandleFunc("GET /v1/models/{id}", func(w http.ResponseWriter, r *http.Request) {
		if id := r.PathValue("id"); wire.known(id) {
			writeJSON(w, http.StatusOK, openAIModel(id))
			return
		}
		writeJSON(w, http.StatusNotFound, openAIError("The model does not exist", "invalid_request_error", "model_not_found"))
	})
	mux.HandleFunc("POST /v1/embeddings", func(w http.ResponseWriter, r *http.Request) {
		c, a, ok := p.read(w, r, wire, false)
		if !ok {
			return
		}
		p.begin(c)
		defer close(c.ended)
		var list []string
		for i, text := range inputs(a.Input) {
			list = append(list, fmt.Sprintf(`{"object":"embedding","index":%d,"embedding":%s}`, i, openAIVector(text, a.EncodingFormat)))
		}
		writeJSON(w, http.StatusOK, fmt.Sprintf(`{"object":"list","data":[%s],"model":%s,"usage":{"prompt_tokens":%d,"total_tokens":%d}}`,
			strings.Join(list, ","), quote(c.Model), 2*len(list), 2*len(list)))
	})
}

func openAIModel(id string) string {
	return fmt.Sprintf(`{"id":%s,"object":"model","created":%d,"owned_by":"system"}`, quote(id), born.Unix())
}

func openAIVector(text, format string) string {
	v := vector(text)
	if format == "base64" {
		var raw []byte
		for _, f := range v {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
		}
		return quote(base64.StdEncoding.EncodeToString(raw))
	}
	return fmt.Sprintf("[%g,%g,%g,%g]", v[0], v[1], v[2], v[3])
}

func openAIError(message, kind, code string) string {
	return fmt.Sprintf("{\n    \"error\": {\n        \"message\": %s,\n        \"type\": %s,\n        \"param\": null,\n        \"code\": %s\n    }\n}\n",
		quote(message), quote(kind), quote(code))
}

// openAI is chat completions.
type openAI struct {
	script Script
	model  string
	usage  bool
}

const openAIID = "chatcmpl-CkR7dZl2vXqN8mYw4uT1bHs6eGp0a"

func (openAI) header(h http.Header) {
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("openai-processing-ms", "41")
	h.Set("x-request-id", "req_1f0c2f8a")
}

// event is one chunk. The usage member is there, and null, only where usage was
// asked for.
func (o *openAI) event(choices, usage string) string {
	member := ""
	if o.usage {
		member = `,"usage":` + usage
	}
	return fmt.Sprintf("data: {\"id\":%q,\"object\":\"chat.completion.chunk\",\"created\":%d,\"model\":%s,\"service_tier\":\"default\",\"system_fingerprint\":\"fp_44709d6fcb\",\"choices\":[%s]%s}\n\n",
		openAIID, born.Unix(), quote(o.model), choices, member)
}

func (o *openAI) delta(delta string) string {
	return o.event(`{"index":0,"delta":`+delta+`,"logprobs":null,"finish_reason":null}`, "null")
}

func (o *openAI) begin() string { return o.delta(`{"role":"assistant","content":"","refusal":null}`) }

func (o *openAI) text(s string) string { return o.delta(`{"content":` + quote(s) + `}`) }

func (o *openAI) reasoning(s string) string { return o.delta(`{"reasoning_content":` + quote(s) + `}`) }

func (o *openAI) tool(index int, t Tool) string {
	out := o.delta(fmt.Sprintf(`{"tool_calls":[{"index":%d,"id":%s,"type":"function","function":{"name":%s,"arguments":""}}]}`, index, quote(t.ID), quote(t.Name)))
	for _, piece := range t.Arguments {
		out += o.delta(fmt.Sprintf(`{"tool_calls":[{"index":%d,"function":{"arguments":%s}}]}`, index, quote(piece)))
	}
	return out
}

func (o *openAI) end() string {
	out := o.event(`{"index":0,"delta":{},"logprobs":null,"finish_reason":`+quote(o.script.finishReason())+`}`, "null")
	if o.usage {
		out += o.event("", o.count())
	}
	return out + "data: [DONE]\n\n"
}

func (o *openAI) count() string {
	u := o.script.usage()
	return fmt.Sprintf(`{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}}`,
		u.Input, u.Output, u.Input+u.Output)
}

func (o *openAI) failure(message string) string {
	return fmt.Sprintf("data: {\"error\":{\"message\":%s,\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n", quote(message))
}

func (o *openAI) whole(text, reasoning string, tools []Tool) string {
	content := quote(text)
	if text == "" && len(tools) > 0 {
		content = "null"
	}
	message := `{"role":"assistant","content":` + content
	if reasoning != "" {
		message += `,"reasoning_content":` + quote(reasoning)
	}
	if len(tools) > 0 {
		var calls []string
		for _, t := range tools {
			calls = append(calls, fmt.Sprintf(`{"id":%s,"type":"function","function":{"name":%s,"arguments":%s}}`, quote(t.ID), quote(t.Name), quote(t.json())))
		}
		message += `,"tool_calls":[` + strings.Join(calls, ",") + `]`
	}
	message += `,"refusal":null,"annotations":[]}`
	return fmt.Sprintf("{\n  \"id\": %q,\n  \"object\": \"chat.completion\",\n  \"created\": %d,\n  \"model\": %s,\n  \"choices\": [\n    {\n      \"index\": 0,\n      \"message\": %s,\n      \"logprobs\": null,\n      \"finish_reason\": %s\n    }\n  ],\n  \"usage\": %s,\n  \"service_tier\": \"default\",\n  \"system_fingerprint\": \"fp_44709d6fcb\"\n}\n",
		openAIID, born.Unix(), quote(o.model), message, quote(o.script.finishReason()), o.count())
}

func (o *openAI) refusal(status int, code string) string {
	kind := "invalid_request_error"
	switch {
	case status == http.StatusTooManyRequests:
		kind = "requests"
	case status >= 500:
		kind = "server_error"
	}
	return openAIError(fmt.Sprintf("The provider says %d (%s).", status, code), kind, code)
}
