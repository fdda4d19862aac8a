package openai

import (
	"strconv"
	"strings"

	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// OpenRouterError is how OpenRouter's API tells of err. Its libraries refuse a code that
// is no number. forced is a status that does not follow from err, or 0.
func OpenRouterError(err error, forced int) (status int, body []byte) {
	f := fault.From(err)
	if status = forced; status == 0 {
		status = shapeOf(f).status
	}
	return status, append(appendNumbered([]byte{'{'}, f.Message, status), '}')
}

func appendNumbered(dst []byte, message string, status int) []byte {
	dst = strconv.AppendInt(append(dst, `"error":{"code":`...), int64(status), 10)
	dst = jsonscan.AppendString(append(dst, `,"message":`...), message)
	return append(dst, '}')
}

// failure writes an error in mid-stream.
func (e *streamEncoder) failure(dst []byte, f *fault.Fault) []byte {
	shape := shapeOf(f)
	dst = append(dst, "data: "...)
	if !e.options.OpenRouter || len(e.prefix) == 0 {
		return append(appendError(dst, f, shape), "\n\n"...)
	}
	dst = append(append(dst, e.prefix...), `[{"index":0,"delta":{"content":""},"finish_reason":"error"}],`...)
	return append(appendNumbered(dst, f.Message, shape.status), "}\n\n"...)
}

// openRouter writes the members of a model that OpenRouter's libraries refuse to do
// without.
func (w *writer) openRouter(m Model) {
	w.StrField("canonical_slug", m.ID)
	if m.ContextLength == 0 {
		w.RawField("context_length", "null")
	}
	w.Key("architecture")
	w.Open('{')
	input, kind := []string{"text"}, "text->text"
	if m.Vision {
		input, kind = []string{"text", "image"}, "text+image->text"
	}
	w.StrField("modality", kind)
	w.Key("input_modalities")
	w.Strings(input)
	w.RawField("output_modalities", `["text"]`)
	w.Close('}')
	w.Key("pricing")
	w.Open('{')
	w.StrField("prompt", perToken(m.InputPrice))
	w.StrField("completion", perToken(m.OutputPrice))
	w.Close('}')
	w.Key("top_provider")
	w.Open('{')
	w.RawField("context_length", countOrNull(m.ContextLength))
	w.RawField("max_completion_tokens", countOrNull(m.MaxOutputTokens))
	w.TruthField("is_moderated", false)
	w.Close('}')
	supported := []string{"max_tokens", "temperature", "top_p", "stop"}
	if m.ToolCalling {
		supported = append(supported, "tools", "tool_choice")
	}
	if m.Thinking {
		supported = append(supported, "reasoning", "include_reasoning")
	}
	w.Key("supported_parameters")
	w.Strings(supported)
	w.RawField("supported_voices", "null")
	w.RawField("default_parameters", "null")
	w.RawField("per_request_limits", "null")
	w.RawField("links", `{"details":"/v1/models"}`)
}

// perToken is a price of a million tokens as that of one, to a thousandth of what a
// price list would say. One that is not known is OpenRouter's "-1".
func perToken(million float64) string {
	if million < 0 {
		return "-1"
	}
	text := strings.TrimRight(strconv.FormatFloat(million/1e6, 'f', 12, 64), "0")
	return strings.TrimSuffix(text, ".")
}

func countOrNull(n int64) string {
	if n == 0 {
		return "null"
	}
	return strconv.FormatInt(n, 10)
}
