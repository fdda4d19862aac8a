package anthropic

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
	wireanthropic "github.com/gptmesh/gptmesh/wire/anthropic"
)

// contentType is that of streams.
const contentType = "text/event-stream"

// Deps are whom the face calls.
type Deps struct {
	// Request admits turns. Required.
	Request requestv1.RequestServiceCaller
	// GPT knows the models and counts tokens. Required.
	GPT gptv1.GPTServiceCaller
}

// face holds what the handlers share.
type face struct {
	codec     wire.Codec
	submitter *answer.Submitter
	gpt       gptv1.GPTServiceCaller
	counter   *counter
}

// New makes the face.
func New(config Config, deps Deps) (edge.Face, error) {
	if err := config.Validate(); err != nil {
		return edge.Face{}, err
	}
	if deps.Request == nil || deps.GPT == nil {
		return edge.Face{}, errors.New("anthropic: Deps.Request and Deps.GPT are required")
	}
	f := &face{codec: wireanthropic.Messages(), gpt: deps.GPT, counter: newCounter(deps.GPT)}
	f.submitter = answer.NewSubmitter(deps.Request, answer.Dialect{
		Codec: f.codec, ContentType: contentType,
		Pause: config.Heartbeat, Ping: wireanthropic.AppendPing(nil), Throughout: true,
	})
	return edge.Face{
		Name: "anthropic", Prefixes: []string{"/v1/messages", "/messages", "/anthropic/"},
		Header: "Anthropic-Version", RequestIDHeader: "Request-Id", RequestIDMember: "request_id",
		Routes: f.routes(), Error: words, Missing: missing,
	}, nil
}

func (f *face) routes() []edge.Route {
	const gpt, api = meshv1.RateClass_RATE_CLASS_GPT, meshv1.RateClass_RATE_CLASS_API
	var routes []edge.Route
	for _, base := range []string{"", "/v1", "/anthropic/v1"} {
		routes = append(routes,
			edge.Route{Method: http.MethodPost, Pattern: base + "/messages", Class: gpt, Handle: f.messages},
			edge.Route{Method: http.MethodPost, Pattern: base + "/messages/count_tokens", Class: api, Handle: f.countTokens},
			edge.Route{Method: http.MethodGet, Pattern: base + "/models", Class: api, Handle: f.models},
			edge.Route{Method: http.MethodGet, Pattern: base + "/models/{id}", Class: api, Handle: f.model})
	}
	return routes
}

// missing is what a client reads who asks for a part of Anthropic's API that is
// not here.
func missing(method, path string) string {
	return "unknown URL (" + method + " " + path + "); this server has /v1/messages, /v1/messages/count_tokens and /v1/models"
}

// words is an error as Anthropic words it. A method that a path does not take
// is the client's mistake, though the code of its fault says less.
func words(err error) (int, []byte) {
	if status, _ := edge.StatusOf(err); status != http.StatusMethodNotAllowed {
		return wireanthropic.Error(err)
	}
	body := jsonscan.AppendString([]byte(`{"type":"error","error":{"type":"invalid_request_error","message":`), fault.From(err).Message)
	return http.StatusMethodNotAllowed, append(body, "}}"...)
}
