package ollama

import (
	"net/http"
	"strings"

	"github.com/gptmesh/gptmesh/gateway/answer"
	"github.com/gptmesh/gptmesh/gateway/edge"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	wireollama "github.com/gptmesh/gptmesh/wire/ollama"
	"google.golang.org/grpc/codes"
)

// What a pull says from its beginning to its end where there is nothing to load.
const (
	pullLine    = `{"status":"pulling manifest"}` + "\n"
	successLine = `{"status":"success"}` + "\n"
)

var manageKeys = jsonscan.NewKeys("stream", "source")

// pull makes sure that a model is there. Ollama's program pulls every model that
// /api/show does not know.
func (f *face) pull(x *edge.Exchange) {
	body, asked, err := f.named(x)
	if err != nil {
		x.Fail(err)
		return
	}
	model, err := f.model(x, asked)
	switch {
	case err != nil && !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_MODEL_NOT_FOUND):
		x.Fail(err)
	case err != nil:
		f.forward(x, &gptv1.ForwardRequest{Operation: gptv1.Operation_OPERATION_MODEL_PULL, Model: asked, Body: body}, func(err error) error {
			if !fault.Is(err, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED) {
				return err
			}
			return fault.New(codes.Unimplemented, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED,
				"no provider has the model '"+asked+"', and no Ollama server is configured that could pull it", "field", "model", "model", asked)
		})
	case model.GetWire() == conversationv1.Wire_WIRE_OLLAMA_CHAT:
		f.forward(x, &gptv1.ForwardRequest{Operation: gptv1.Operation_OPERATION_MODEL_PULL, Model: model.GetId(), Body: body}, nil)
	default:
		pulled(x, body)
	}
}

// pulled answers the pull of a model that need not be loaded.
func pulled(x *edge.Exchange, body []byte) {
	var room [2]jsonscan.Member
	if found, err := jsonscan.Scan(body, manageKeys, room[:0]); err == nil && found[0].Kind == jsonscan.False {
		_ = x.JSON(http.StatusOK, []byte(successLine))
		return
	}
	x.Header()["Content-Type"] = []string{contentType}
	_, _ = x.Write([]byte(pullLine + successLine)) // a client that left hears nothing
}

// manage passes on what changes a model.
func (f *face) manage(operation gptv1.Operation) func(*edge.Exchange) {
	return func(x *edge.Exchange) {
		body, asked, err := f.named(x)
		if err != nil {
			x.Fail(err)
			return
		}
		f.forward(x, &gptv1.ForwardRequest{Operation: operation, Model: f.catalog.resolve(x.Context(), asked), Body: body}, nil)
	}
}

// named reads a body that names a model.
func (f *face) named(x *edge.Exchange) (body []byte, asked string, err error) {
	if body, err = x.Body(); err != nil {
		return nil, "", err
	}
	if asked, _, err = wireollama.DecodeShowRequest(body); err != nil {
		return nil, "", err
	}
	x.SetModel(asked)
	return body, asked, nil
}

// copy gives a model a second name.
func (f *face) copy(x *edge.Exchange) {
	body, err := x.Body()
	if err != nil {
		x.Fail(err)
		return
	}
	var room [2]jsonscan.Member
	found, err := jsonscan.Scan(body, manageKeys, room[:0])
	if err != nil {
		x.Fail(fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_MALFORMED_BODY, "the body is not a JSON object: "+err.Error(), "field", ""))
		return
	}
	source, err := found[1].Text(body)
	if err != nil || source == "" {
		x.Fail(fault.InvalidField("source", "a model is required"))
		return
	}
	f.forward(x, &gptv1.ForwardRequest{
		Operation: gptv1.Operation_OPERATION_MODEL_COPY, Model: f.catalog.resolve(x.Context(), source), Body: body,
	}, nil)
}

// blobCheck looks for a part of a model.
func (f *face) blobCheck(x *edge.Exchange) {
	f.forward(x, &gptv1.ForwardRequest{Operation: gptv1.Operation_OPERATION_BLOB_CHECK, Digest: x.Param()}, nil)
}

// blobPut brings a part of a model, which may be of many gigabytes.
func (f *face) blobPut(x *edge.Exchange) {
	body, err := x.BodyStream()
	if err != nil {
		x.Fail(err)
		return
	}
	answer.Upload(answer.Uploading{Exchange: x, GPT: f.deps.GPT, Operation: gptv1.Operation_OPERATION_BLOB_PUT, Digest: x.Param(), Body: body})
}

// forward passes a call on. word may be nil.
func (f *face) forward(x *edge.Exchange, request *gptv1.ForwardRequest, word func(error) error) {
	request.ContentType = "application/json"
	answer.Forward(answer.Forwarding{Exchange: x, GPT: f.deps.GPT, Request: request, Word: word, Late: late})
}

// late is an error within lines. Other answers have no words for one.
func late(media string, err error) []byte {
	if !strings.HasPrefix(media, contentType) {
		return nil
	}
	_, body := wireollama.Error(err)
	return append(body, '\n')
}
