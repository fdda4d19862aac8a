package openai

import (
	"errors"
	"net/http"

	"github.com/gptmesh/gptmesh/gateway/answer"
	"github.com/gptmesh/gptmesh/gateway/edge"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	wireopenai "github.com/gptmesh/gptmesh/wire/openai"
)

// contentType is that of streams.
const contentType = "text/event-stream"

// Deps are whom the face calls.
type Deps struct {
	// Request admits turns. Required.
	Request requestv1.RequestServiceCaller
	// GPT knows the models and embeds. Required.
	GPT gptv1.GPTServiceCaller
}

// face holds what the handlers share.
type face struct {
	codec     wire.Codec
	submitter *answer.Submitter
	prompts   *answer.Submitter // of legacy completions
	gpt       gptv1.GPTServiceCaller
	moderator *moderator
}

// New makes the face.
func New(config Config, deps Deps) (edge.Face, error) {
	if err := config.Validate(); err != nil {
		return edge.Face{}, err
	}
	if deps.Request == nil || deps.GPT == nil {
		return edge.Face{}, errors.New("openai: Deps.Request and Deps.GPT are required")
	}
	moderator, err := newModerator(config.Moderation)
	if err != nil {
		return edge.Face{}, err
	}
	f := &face{codec: wireopenai.Chat(), gpt: deps.GPT, moderator: moderator}
	dialect := answer.Dialect{
		Codec: f.codec, ContentType: contentType, Pause: config.Heartbeat, Ping: []byte(": ping\n\n"), End: []byte("data: [DONE]\n\n"),
	}
	f.submitter = answer.NewSubmitter(deps.Request, dialect)
	dialect.Codec = wireopenai.Completions()
	f.prompts = answer.NewSubmitter(deps.Request, dialect)
	return edge.Face{Name: "openai", Prefixes: []string{"/"}, Routes: f.routes(), Error: words, ErrorFor: wordsFor, Missing: missing}, nil
}

func (f *face) routes() []edge.Route {
	const gpt, api = meshv1.RateClass_RATE_CLASS_GPT, meshv1.RateClass_RATE_CLASS_API
	const azure = "/openai/deployments/{model}"
	bases := []string{"", "/v1", "/openai/v1", "/openai"} // Azure's with and without a version
	routes := []edge.Route{
		{Method: http.MethodPost, Pattern: azure + "/chat/completions", Class: gpt, Handle: f.chat},
		{Method: http.MethodPost, Pattern: azure + "/completions", Class: gpt, Handle: f.completions},
		{Method: http.MethodPost, Pattern: azure + "/embeddings", Class: gpt, Handle: f.embeddings},
	}
	for _, passed := range forwarded {
		for _, base := range append(bases, azure) {
			routes = append(routes, edge.Route{Method: http.MethodPost, Pattern: base + passed.path, Class: gpt, Handle: f.forward(passed.operation)})
		}
	}
	for _, base := range append(bases, azure) {
		routes = append(routes, edge.Route{Method: http.MethodPost, Pattern: base + "/moderations", Class: gpt, Handle: f.moderations})
	}
	for _, base := range bases {
		routes = append(routes,
			edge.Route{Method: http.MethodPost, Pattern: base + "/chat/completions", Class: gpt, Handle: f.chat},
			edge.Route{Method: http.MethodPost, Pattern: base + "/completions", Class: gpt, Handle: f.completions},
			edge.Route{Method: http.MethodPost, Pattern: base + "/beta/completions", Class: gpt, Handle: f.completions},
			edge.Route{Method: http.MethodPost, Pattern: base + "/fim/completions", Class: gpt, Handle: f.fim},
			edge.Route{Method: http.MethodPost, Pattern: base + "/embeddings", Class: gpt, Handle: f.embeddings},
			edge.Route{Method: http.MethodGet, Pattern: base + "/models", Class: api, Handle: f.models},
			edge.Route{Method: http.MethodGet, Pattern: base + "/models/{id}", Class: api, Handle: f.model})
	}
	return routes
}

// missing is what a client reads who asks for a part of OpenAI's API that is
// not here.
func missing(method, path string) string {
	return "unknown URL (" + method + " " + path + "); this server has /v1/chat/completions, /v1/responses, /v1/conversations, /v1/completions, " +
		"/v1/fim/completions, /v1/embeddings, /v1/moderations, /v1/audio/…, /v1/images/… and /v1/models; Anthropic's API is at /v1/messages, Ollama's at /api/…, REST at /mesh/v1/openapi.yaml"
}

// words is an error as OpenAI words it. A path that is not served has a code of
// its own, so that it does not look like an unknown model.
func words(err error) (int, []byte) {
	code := ""
	switch status, _ := edge.StatusOf(err); status {
	case http.StatusNotFound:
		code = "unknown_url"
	case http.StatusMethodNotAllowed:
		code = "method_not_allowed"
	default:
		return wireopenai.Error(err)
	}
	body := jsonscan.AppendString([]byte(`{"error":{"message":`), fault.From(err).Message)
	return 0, append(body, `,"type":"invalid_request_error","param":null,"code":"`+code+`"}}`...)
}

// wordsFor is how clients that are known by their names want errors.
func wordsFor(header http.Header) func(error) (int, []byte) {
	if !clientOf(header).openRouter {
		return nil
	}
	return func(err error) (int, []byte) {
		forced, _ := edge.StatusOf(err)
		return wireopenai.OpenRouterError(err, forced)
	}
}
