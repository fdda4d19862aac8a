package gemini

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// identity is by what a client knows an answer.
type identity struct {
	options   wire.AnswerOptions
	id, model string
}

func (i *identity) start(started *conversationv1.Started) {
	i.id, i.model = i.options.ID, i.options.Model
	for _, other := range []string{started.GetResponseId(), started.GetProviderResponseId()} {
		if i.id == "" {
			i.id = other
		}
	}
	if i.id == "" {
		i.id = ids.New("resp")
	}
	if i.model == "" {
		i.model = started.GetModel()
	}
}

func (i *identity) write(w *jsonbody.Writer) {
	w.StrField("modelVersion", i.model)
	w.StrField("responseId", i.id)
}
