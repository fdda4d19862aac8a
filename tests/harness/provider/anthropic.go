package provider

import (
	"fmt"
	"net/http"
	"strings"
)

func (p *Provider) serveAnthropic(wire *Wire, mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/messages", func(w http.ResponseWriter, r *http.Request) {
		c, _, ok := p.read(w, r, wire, false)
		if !ok {
			return
		}
		if !wire.known(c.Model) {
			writeJSON(w, http.StatusNotFound, anthropicError("not_found_error", "model: "+c.Model))
			return
		}
		p.serve(w, r, c, func(s Script) dialect { return &anthropic{script: s, model: c.Model} })
	})
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, r *http.Request) {
		var list []string
		for _, m := range wire.Models {
			list = append(list, anthropicModel(m))
		}
		first, last := "null", "null"
		if n := len(wire.Models); n > 0 {
			first, last = quote(wire.Models[0]), quote(wire.Models[n-1])
		}
		writeJSON(w, http.StatusOK, fmt.Sprintf(`{"data":[%s],"has_more":false,"first_id":%s,"last_id":%s}`, strings.Join(list, ","), first, last))
	})
	mux.HandleFunc("GET /v1/models/{id}", func(w http.ResponseWriter, r *http.Request) {
		if id := r.PathValue("id"); wire.known(id) {
			writeJSON(w, http.StatusOK, anthropicModel(id))
			return
		}
		writeJSON(w, http.StatusNotFound, anthropicError("not_found_error", "model: "+r.PathValue("id")))
	})
}

func anthropicModel(id string) string {
	return fmt.Sprintf(`{"type":"model","id":%s,"display_name":%s,"created_at":"2026-03-01T12:00:00Z"}`, quote(id), quote(id))
}

func anthropicError(kind, message string) string {
	return fmt.Sprintf(`{"type":"error","error":{"type":%s,"message":%s},"request_id":"req_011CSHoEeqs5C35K2UUqR7Fy"}`, quote(kind), quote(message))
}

// anthropic is messages. One block is open at a time.
type anthropic struct {
	script Script
	model  string

	block int
	open  string // the kind of the open block; empty for none
}

const anthropicID = "msg_01XFDUDYJgAACzvnptvVoYEL"

func (*anthropic) header(h http.Header) {
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("Cache-Control", "no-cache")
	h.Set("request-id", "req_011CSHoEeqs5C35K2UUqR7Fy")
}

func anthropicEvent(name, data string) string {
	return "event: " + name + "\ndata: {\"type\":\"" + name + "\"" + data + "}\n\n"
}

func (a *anthropic) begin() string {
	return anthropicEvent("message_start", fmt.Sprintf(`,"message":{"model":%s,"id":%q,"type":"message","role":"assistant","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":%d,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1,"service_tier":"standard"}}`,
		quote(a.model), anthropicID, a.script.usage().Input)) + anthropicEvent("ping", "")
}

// turnTo closes the open block unless it is of kind, and opens one with start.
func (a *anthropic) turnTo(kind, start string) string {
	if a.open == kind && kind != "tool_use" {
		return ""
	}
	out := a.close()
	a.open = kind
	return out + anthropicEvent("content_block_start", fmt.Sprintf(`,"index":%d,"content_block":%s`, a.block, start))
}

func (a *anthropic) close() string {
	if a.open == "" {
		return ""
	}
	out := ""
	if a.open == "thinking" {
		out = a.delta(`{"type":"signature_delta","signature":"EqQBCgIYAhIM1gbcDa9GJwZA2b3h"}`)
	}
	out += anthropicEvent("content_block_stop", fmt.Sprintf(`,"index":%d`, a.block))
	a.block, a.open = a.block+1, ""
	return out
}

func (a *anthropic) delta(delta string) string {
	return anthropicEvent("content_block_delta", fmt.Sprintf(`,"index":%d,"delta":%s`, a.block, delta))
}

func (a *anthropic) text(s string) string {
	return a.turnTo("text", `{"type":"text","text":""}`) + a.delta(`{"type":"text_delta","text":`+quote(s)+`}`)
}

func (a *anthropic) reasoning(s string) string {
	return a.turnTo("thinking", `{"type":"thinking","thinking":"","signature":""}`) + a.delta(`{"type":"thinking_delta","thinking":`+quote(s)+`}`)
}

func (a *anthropic) tool(_ int, t Tool) string {
	out := a.turnTo("tool_use", fmt.Sprintf(`{"type":"tool_use","id":%s,"name":%s,"input":{}}`, quote(t.ID), quote(t.Name)))
	out += a.delta(`{"type":"input_json_delta","partial_json":""}`)
	for _, piece := range t.Arguments {
		out += a.delta(`{"type":"input_json_delta","partial_json":` + quote(piece) + `}`)
	}
	return out
}

func (a *anthropic) stopReason() string {
	switch reason := a.script.finishReason(); reason {
	case "tool_calls":
		return "tool_use"
	case "length":
		return "max_tokens"
	case "stop":
		return "end_turn"
	default:
		return reason
	}
}

func (a *anthropic) end() string {
	return a.close() + anthropicEvent("message_delta", fmt.Sprintf(`,"delta":{"stop_reason":%s,"stop_sequence":null},"usage":{"output_tokens":%d}`,
		quote(a.stopReason()), a.script.usage().Output)) + anthropicEvent("message_stop", "")
}

func (a *anthropic) failure(message string) string {
	return anthropicEvent("error", `,"error":{"type":"overloaded_error","message":`+quote(message)+`}`)
}

func (a *anthropic) whole(text, reasoning string, tools []Tool) string {
	var blocks []string
	if reasoning != "" {
		blocks = append(blocks, `{"type":"thinking","thinking":`+quote(reasoning)+`,"signature":"EqQBCgIYAhIM1gbcDa9GJwZA2b3h"}`)
	}
	if text != "" {
		blocks = append(blocks, `{"type":"text","text":`+quote(text)+`}`)
	}
	for _, t := range tools {
		blocks = append(blocks, fmt.Sprintf(`{"type":"tool_use","id":%s,"name":%s,"input":%s}`, quote(t.ID), quote(t.Name), t.json()))
	}
	u := a.script.usage()
	return fmt.Sprintf(`{"model":%s,"id":%q,"type":"message","role":"assistant","content":[%s],"stop_reason":%s,"stop_sequence":null,"usage":{"input_tokens":%d,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":%d,"service_tier":"standard"}}`,
		quote(a.model), anthropicID, strings.Join(blocks, ","), quote(a.stopReason()), u.Input, u.Output)
}

func (a *anthropic) refusal(status int, code string) string {
	kind := map[int]string{400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error", 413: "request_too_large", 429: "rate_limit_error", 529: "overloaded_error"}[status]
	if kind == "" {
		kind = "api_error"
	}
	return anthropicError(kind, fmt.Sprintf("The provider says %d (%s).", status, code))
}
