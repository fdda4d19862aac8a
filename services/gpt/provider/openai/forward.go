package openai

import (
	"context"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/services/gpt/provider/transport"
)

var _ provider.Forwarder = (*Provider)(nil)

// paths are where OpenAI has the operations.
var paths = map[gptv1.Operation]string{
	gptv1.Operation_OPERATION_AUDIO_TRANSCRIPTION: "/audio/transcriptions",
	gptv1.Operation_OPERATION_AUDIO_TRANSLATION:   "/audio/translations",
	gptv1.Operation_OPERATION_AUDIO_SPEECH:        "/audio/speech",
	gptv1.Operation_OPERATION_IMAGE_GENERATION:    "/images/generations",
	gptv1.Operation_OPERATION_IMAGE_EDIT:          "/images/edits",
	gptv1.Operation_OPERATION_IMAGE_VARIATION:     "/images/variations",
	gptv1.Operation_OPERATION_MODERATION:          "/moderations",
}

// Forwards implements provider.Forwarder.
func (p *Provider) Forwards(operation gptv1.Operation) bool { return paths[operation] != "" }

// Forward implements provider.Forwarder.
func (p *Provider) Forward(ctx context.Context, call *provider.ForwardCall, sink func(*gptv1.ForwardResponse) error) error {
	path := paths[call.Operation]
	return p.client.Pass(ctx, transport.Passage{
		Method: "POST", Path: path, Name: path, ContentType: call.ContentType, Body: call.Body, MayLack: true,
	}, sink)
}
