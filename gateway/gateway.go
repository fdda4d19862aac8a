package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gptmesh/gptmesh/gateway/anthropic"
	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/ollama"
	"github.com/gptmesh/gptmesh/gateway/openai"
	"github.com/gptmesh/gptmesh/gateway/responses"
	"github.com/gptmesh/gptmesh/gateway/rest"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/auth"
	"github.com/gptmesh/gptmesh/pkg/ratelimit"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// Config is the gateway's part of the configuration.
type Config struct {
	// Edge bounds what clients may do.
	Edge edge.Config `yaml:"edge"`
	// OpenAI is how OpenAI's face behaves.
	OpenAI openai.Config `yaml:"openai"`
	// Ollama is how Ollama's face behaves.
	Ollama ollama.Config `yaml:"ollama"`
	// Anthropic is how Anthropic's face behaves.
	Anthropic anthropic.Config `yaml:"anthropic"`
	// Responses is how the face of OpenAI's responses behaves.
	Responses responses.Config `yaml:"responses"`
}

// DefaultConfig is the parts' defaults.
func DefaultConfig() Config {
	return Config{Edge: edge.DefaultConfig(), OpenAI: openai.DefaultConfig(), Ollama: ollama.DefaultConfig(), Anthropic: anthropic.DefaultConfig(),
		Responses: responses.DefaultConfig()}
}

// Validate says what is wrong with the configuration, or nil.
func (c Config) Validate() error {
	if err := c.Edge.Validate(); err != nil {
		return fmt.Errorf("edge.%w", err)
	}
	if err := c.OpenAI.Validate(); err != nil {
		return fmt.Errorf("openai.%w", err)
	}
	if err := c.Ollama.Validate(); err != nil {
		return fmt.Errorf("ollama.%w", err)
	}
	if err := c.Anthropic.Validate(); err != nil {
		return fmt.Errorf("anthropic.%w", err)
	}
	if err := c.Responses.Validate(); err != nil {
		return fmt.Errorf("responses.%w", err)
	}
	return nil
}

// Deps are what the gateway works with.
type Deps struct {
	// Request admits turns. Required.
	Request requestv1.RequestServiceCaller
	// Response keeps answers, Session conversations. Without both there are no
	// OpenAI responses.
	Response responsev1.ResponseServiceCaller
	Session  sessionv1.SessionServiceCaller
	// GPT knows the models and embeds. Required.
	GPT gptv1.GPTServiceCaller
	// Routing tells the policies, which the lists of models show as models. Nil
	// shows none.
	Routing requestv1.RoutingServiceCaller
	// REST are the connections behind /mesh/v1/, and its description.
	REST rest.Deps
	// GRPC serves native gRPC on the HTTP address too, over HTTP/2. Nil does
	// not.
	GRPC http.Handler

	// Auth knows the keys. Required.
	Auth *auth.Authenticator
	// Limiter counts calls. Nil means no limits.
	Limiter *ratelimit.Limiter
	// Ready says how the rooms are. Nil means that there are none to ask.
	Ready func(ctx context.Context) []edge.Room
	// Build is the mesh's version.
	Build string

	// Logger takes one line per request. Nil discards.
	Logger *slog.Logger
	// Metrics takes the metrics. Nil means that none are kept.
	Metrics prometheus.Registerer
	// Tracer makes spans. Nil makes none.
	Tracer trace.TracerProvider
	// Clock is the time. Nil means time.Now.
	Clock func() time.Time
}

// New makes the gateway. The edge's Server serves it; Drain and Close end it.
func New(config Config, deps Deps) (*edge.Edge, error) {
	if err := config.Validate(); err != nil {
		return nil, fmt.Errorf("gateway.%w", err)
	}
	if deps.Routing != nil {
		deps.GPT = autoModels{deps.GPT, deps.Routing}
	}
	openaiFace, err := openai.New(config.OpenAI, openai.Deps{Request: deps.Request, GPT: deps.GPT})
	if err != nil {
		return nil, err
	}
	ollamaFace, err := ollama.New(config.Ollama, ollama.Deps{Request: deps.Request, GPT: deps.GPT, Build: deps.Build})
	if err != nil {
		return nil, err
	}
	anthropicFace, err := anthropic.New(config.Anthropic, anthropic.Deps{Request: deps.Request, GPT: deps.GPT})
	if err != nil {
		return nil, err
	}
	faces := []edge.Face{openaiFace, ollamaFace, anthropicFace}
	if deps.Response != nil && deps.Session != nil {
		responsesFace, err := responses.New(config.Responses, responses.Deps{Request: deps.Request, Response: deps.Response, Session: deps.Session, GPT: deps.GPT})
		if err != nil {
			return nil, err
		}
		faces = append(faces, responsesFace)
	}
	restFace, err := rest.New(deps.REST)
	if err != nil {
		return nil, err
	}
	return edge.New(config.Edge, edge.Deps{
		Auth: deps.Auth, Limiter: deps.Limiter, Faces: append(faces, restFace), Ready: deps.Ready, GRPC: deps.GRPC,
		Logger: deps.Logger, Metrics: deps.Metrics, Tracer: deps.Tracer, Clock: deps.Clock,
	})
}
