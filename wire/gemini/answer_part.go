package gemini

import (
	"strings"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// partWriter writes the parts of one choice. A signature waits for the part
// behind it.
type partWriter struct{ signature string }

// text writes a text, or a thought.
func (p *partWriter) text(w *jsonbody.Writer, text string, thought bool) {
	w.Open('{')
	w.StrField("text", text)
	if thought {
		w.TruthField("thought", true)
	} else {
		p.sign(w)
	}
	w.Close('}')
}

// call writes a call whose arguments are whole. What is no JSON object goes,
// whole, into the argument raw_arguments.
func (p *partWriter) call(w *jsonbody.Writer, call *conversationv1.ToolCall) {
	arguments := strings.TrimSpace(call.GetArgumentsJson())
	switch {
	case arguments == "":
		arguments = "{}"
	case !jsonbody.IsObject(arguments):
		arguments = `{"raw_arguments":` + string(quote(arguments)) + `}`
	default:
		arguments = strings.NewReplacer("\n", "", "\r", "").Replace(arguments) // It may stand in an event.
	}
	w.Open('{')
	w.Key("functionCall")
	w.Open('{')
	w.StrField("id", call.GetId())
	w.StrField("name", call.GetName())
	w.RawField("args", arguments)
	w.Close('}')
	p.sign(w)
	w.Close('}')
}

func (p *partWriter) sign(w *jsonbody.Writer) {
	if p.signature != "" {
		w.StrField("thoughtSignature", p.signature)
		p.signature = ""
	}
}
