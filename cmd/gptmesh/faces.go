package main

import (
	"context"

	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/ollama"
	"github.com/gptmesh/gptmesh/gateway/openai"
	"github.com/gptmesh/gptmesh/gateway/rest"
	"github.com/gptmesh/gptmesh/gen"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	dialect "github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/dialects"
)

// rooms are the callers that the faces use.
type rooms struct {
	request  requestv1.RequestServiceCaller
	response responsev1.ResponseServiceCaller
	gpt      gptv1.GPTServiceCaller
	session  sessionv1.SessionServiceCaller
}

// newEdge makes the HTTP side: every face, behind one edge.
func newEdge(s *settings, h *host, r rooms) (*edge.Edge, error) {
	openAI, err := openai.New(s.Gateway.OpenAI, openai.Deps{Request: r.request, GPT: r.gpt})
	if err != nil {
		return nil, err
	}
	ollamaFace, err := ollama.New(s.Gateway.Ollama, ollama.Deps{Request: r.request, GPT: r.gpt, Build: version})
	if err != nil {
		return nil, err
	}
	restFace, err := rest.New(rest.Deps{
		Session: h.rest, Request: h.rest, Response: h.rest, GPT: h.rest, Classifier: h.rest, OpenAPI: gen.OpenAPI,
	})
	if err != nil {
		return nil, err
	}
	return edge.New(s.Gateway.Edge, edge.Deps{
		Auth: h.authenticator, Limiter: h.limiter, Faces: []edge.Face{openAI, ollamaFace, restFace}, Ready: h.roomsReady,
		GRPC: h.server, Logger: h.logger, Metrics: h.registry, Tracer: h.tracing.Provider(),
	})
}

// roomsReady is the state of every part of the process, for /readyz.
func (h *host) roomsReady(ctx context.Context) []edge.Room {
	var out []edge.Room
	for _, s := range h.group.Ready(ctx) {
		out = append(out, edge.Room{Name: s.Name, Err: s.Err})
	}
	return out
}

// codec finds the codec of a wire; nil where there is none.
func codec(w conversationv1.Wire) dialect.Codec {
	c, _ := dialects.For(w)
	return c
}
