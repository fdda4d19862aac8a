package openai

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"

	"github.com/gptmesh/gptmesh/gateway/answer"
	"github.com/gptmesh/gptmesh/gateway/edge"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"google.golang.org/grpc/codes"
)

// forwarded are the paths that are passed on to a provider which has them.
var forwarded = []struct {
	path      string
	operation gptv1.Operation
}{
	{"/audio/transcriptions", gptv1.Operation_OPERATION_AUDIO_TRANSCRIPTION},
	{"/audio/translations", gptv1.Operation_OPERATION_AUDIO_TRANSLATION},
	{"/audio/speech", gptv1.Operation_OPERATION_AUDIO_SPEECH},
	{"/images/generations", gptv1.Operation_OPERATION_IMAGE_GENERATION},
	{"/images/edits", gptv1.Operation_OPERATION_IMAGE_EDIT},
	{"/images/variations", gptv1.Operation_OPERATION_IMAGE_VARIATION},
}

// forward serves one of them.
func (f *face) forward(operation gptv1.Operation) func(*edge.Exchange) {
	return func(x *edge.Exchange) {
		request, err := f.passedOn(x, operation)
		if err != nil {
			x.Fail(err)
			return
		}
		answer.Forward(answer.Forwarding{Exchange: x, GPT: f.gpt, Late: late, Request: request})
	}
}

// passedOn reads a client's request that is passed on.
func (f *face) passedOn(x *edge.Exchange, operation gptv1.Operation) (*gptv1.ForwardRequest, error) {
	body, err := x.Body()
	if err != nil {
		return nil, err
	}
	contentType := x.Request().Header.Get("Content-Type")
	model, err := modelOf(contentType, body)
	if err != nil {
		return nil, err
	}
	if deployment := x.Param(); deployment != "" {
		model = deployment
	}
	return &gptv1.ForwardRequest{Operation: operation, Model: model, ContentType: contentType, Body: body}, nil
}

// late is an error within a stream of events. Other answers have no words for
// one.
func late(media string, err error) []byte {
	if !strings.HasPrefix(media, contentType) {
		return nil
	}
	_, body := words(err)
	return append(append([]byte("data: "), body...), "\n\n"...)
}

var modelKeys = jsonscan.NewKeys("model")

// maxModel bounds a model's name; the contract's bound.
const maxModel = 256

// modelOf reads the model's name out of a JSON object or a form: "" where it
// names none. The error is a fault.
func modelOf(contentType string, body []byte) (model string, err error) {
	media, params, _ := mime.ParseMediaType(contentType)
	if media == "multipart/form-data" {
		model, err = modelOfForm(params["boundary"], body)
	} else {
		model, err = modelOfJSON(body)
	}
	if err == nil && len(model) > maxModel {
		err = fault.InvalidField("model", "is too long")
	}
	return model, err
}

func modelOfJSON(body []byte) (string, error) {
	var room [1]jsonscan.Member
	found, err := jsonscan.Scan(body, modelKeys, room[:0])
	switch {
	case errors.Is(err, jsonscan.ErrDuplicate):
		return "", fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_DUPLICATE_FIELD, "model: stands more than once", "field", "model")
	case err != nil:
		return "", malformed("", "the body is not a JSON object: "+err.Error())
	case found[0].Kind == jsonscan.Absent || found[0].Kind == jsonscan.Null:
		return "", nil
	}
	name, err := found[0].Text(body)
	if err != nil {
		return "", malformed("model", "model: want a string")
	}
	return name, nil
}

// maxParts bounds the parts of a form.
const maxParts = 256

func modelOfForm(boundary string, body []byte) (string, error) {
	if boundary == "" {
		return "", malformed("", "Content-Type: a form needs its boundary")
	}
	form := multipart.NewReader(bytes.NewReader(body), boundary)
	for range maxParts {
		part, err := form.NextRawPart()
		if err == io.EOF { // the form's own end; what breaks off wraps it
			return "", nil
		}
		if err != nil {
			return "", malformed("", "the body is not the form that its content type says")
		}
		if part.FormName() != "model" {
			continue
		}
		name, err := io.ReadAll(io.LimitReader(part, maxModel+1))
		if err != nil {
			return "", malformed("model", "the body is not the form that its content type says")
		}
		return strings.TrimSpace(string(name)), nil
	}
	return "", malformed("", "the form has too many parts")
}

func malformed(field, message string) error {
	return fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_MALFORMED_BODY, message, "field", field)
}
