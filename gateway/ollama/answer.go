package ollama

import (
	"strings"

	"github.com/gptmesh/gptmesh/gateway/answer"
	"github.com/gptmesh/gptmesh/gateway/edge"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	wireollama "github.com/gptmesh/gptmesh/wire/ollama"
)

// answer serves /api/chat and /api/generate.
func (f *face) answer(x *edge.Exchange, d *dialect) {
	body, err := x.Body()
	if err != nil {
		x.Fail(err)
		return
	}
	turn, err := d.codec.ScanTurn(body)
	if err != nil {
		x.Fail(err)
		return
	}
	asked := turn.Model
	x.SetModel(asked)
	if load, unload := wireollama.LoadRequest(body); load || unload {
		f.load(x, d, asked, unload)
		return
	}
	request := &requestv1.SubmitRequest{Turn: turn, WireBounds: turn.AcceptWire}
	if err := answer.ReadHeaders(x.Request().Header, request); err != nil {
		x.Fail(err)
		return
	}
	turn.Model = f.catalog.resolve(x.Context(), asked)
	d.submitter.Answer(&answer.Turn{
		Exchange: x, Request: request,
		Options: func() wire.AnswerOptions { return wire.AnswerOptions{Model: asked, Created: x.Now(), Now: x.Now} },
		Rewrite: func(dst, data []byte, model string) []byte { return rewriteModel(dst, data, model, asked) },
	})
}

var modelKey = jsonscan.NewKeys("model")

// rewriteModel puts the name as asked into lines of a provider that was asked
// under another name. The result is data itself where nothing has to change.
func rewriteModel(dst, data []byte, model, asked string) []byte {
	if asked == "" || model == asked {
		return data
	}
	value := jsonscan.AppendString(nil, asked)
	if out, ok := rename(dst, data, value); ok { // one line, or a whole body
		return out
	}
	for rest := string(data); rest != ""; {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		if line == "" {
			continue
		}
		if out, ok := rename(dst, []byte(line), value); ok {
			dst = out
		} else {
			dst = append(dst, line...)
		}
		dst = append(dst, '\n')
	}
	return dst
}

// rename appends an object with its model named otherwise.
func rename(dst, object, value []byte) ([]byte, bool) {
	var room [1]jsonscan.Member
	found, err := jsonscan.Scan(object, modelKey, room[:0])
	if err != nil || !found[0].Present() {
		return dst, false
	}
	out, err := jsonscan.Splice(dst, object, jsonscan.Edit{At: found[0], Value: value})
	return out, err == nil
}

// load answers a request that asks nothing of the model.
func (f *face) load(x *edge.Exchange, d *dialect, asked string, unload bool) {
	if _, err := f.model(x, asked); err != nil {
		x.Fail(err)
		return
	}
	reason := conversationv1.FinishReason_FINISH_REASON_LOAD
	if unload {
		reason = conversationv1.FinishReason_FINISH_REASON_UNLOAD
	}
	body, err := d.codec.EncodeAnswer(&wire.Answer{
		Started: &conversationv1.Started{Model: asked}, Finished: true,
		Choices: []wire.Choice{{Message: &conversationv1.Message{Role: conversationv1.Role_ROLE_ASSISTANT}, FinishReason: reason}},
	}, wire.AnswerOptions{Model: asked, Created: x.Now(), Now: x.Now})
	if err != nil {
		x.Fail(err)
		return
	}
	if body[len(body)-1] != '\n' {
		body = append(body, '\n')
	}
	_ = x.JSON(200, body)
}

// model finds a model as a client names it.
func (f *face) model(x *edge.Exchange, asked string) (*gptv1.Model, error) {
	x.SetModel(asked)
	resp, err := f.deps.GPT.GetModel(x.Context(), &gptv1.GetModelRequest{Model: f.catalog.resolve(x.Context(), asked)})
	if err != nil {
		return nil, notFoundAs(err, asked)
	}
	return resp.GetModel(), nil
}
