package responses

import (
	"errors"
	"net/http"

	"github.com/gptmesh/gptmesh/gateway/answer"
	"github.com/gptmesh/gptmesh/gateway/edge"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/wire"
)

// contentType is that of streams.
const contentType = "text/event-stream"

var ping = []byte(": ping\n\n")

// Deps are whom the face calls.
type Deps struct {
	// Request admits turns. Required.
	Request requestv1.RequestServiceCaller
	// Response keeps answers. Required.
	Response responsev1.ResponseServiceCaller
	// Session keeps conversations. Required.
	Session sessionv1.SessionServiceCaller
	// GPT counts tokens. Required.
	GPT gptv1.GPTServiceCaller
}

// face holds what the handlers share.
type face struct {
	config Config
	rooms  Deps
}

// New makes the face.
func New(config Config, deps Deps) (edge.Face, error) {
	if err := config.Validate(); err != nil {
		return edge.Face{}, err
	}
	if deps.Request == nil || deps.Response == nil || deps.Session == nil || deps.GPT == nil {
		return edge.Face{}, errors.New("responses: Deps.Request, Deps.Response, Deps.Session and Deps.GPT are required")
	}
	f := &face{config: config, rooms: deps}
	out := edge.Face{Name: "responses", Routes: f.routes(), Error: words, Missing: missing}
	for _, base := range bases {
		out.Prefixes = append(out.Prefixes, base+"/responses", base+"/conversations")
	}
	return out, nil
}

var bases = []string{"", "/v1", "/openai/v1", "/openai"}

func (f *face) routes() []edge.Route {
	const gpt, api = meshv1.RateClass_RATE_CLASS_GPT, meshv1.RateClass_RATE_CLASS_API
	const get, post, del = http.MethodGet, http.MethodPost, http.MethodDelete
	var routes []edge.Route
	for _, base := range bases {
		response, conversation := base+"/responses", base+"/conversations"
		routes = append(routes,
			edge.Route{Method: post, Pattern: response, Class: gpt, Handle: f.create},
			edge.Route{Method: get, Pattern: response, Class: api, Socket: true, Handle: f.serveSocket},
			edge.Route{Method: post, Pattern: response + "/input_tokens", Class: api, Handle: f.inputTokens},
			edge.Route{Method: post, Pattern: response + "/compact", Class: api, Handle: f.compact},
			edge.Route{Method: get, Pattern: response + "/{id}", Class: api, Handle: f.get},
			edge.Route{Method: del, Pattern: response + "/{id}", Class: api, Handle: f.delete},
			edge.Route{Method: post, Pattern: response + "/{id}/cancel", Class: api, Handle: f.cancel},
			edge.Route{Method: get, Pattern: response + "/{id}/input_items", Class: api, Handle: f.inputItems},
			edge.Route{Method: post, Pattern: conversation, Class: api, Handle: f.createConversation},
			edge.Route{Method: get, Pattern: conversation + "/{id}", Class: api, Handle: f.getConversation},
			edge.Route{Method: post, Pattern: conversation + "/{id}", Class: api, Handle: f.updateConversation},
			edge.Route{Method: del, Pattern: conversation + "/{id}", Class: api, Handle: f.deleteConversation},
			edge.Route{Method: get, Pattern: conversation + "/{id}/items", Class: api, Handle: f.listItems},
			edge.Route{Method: post, Pattern: conversation + "/{id}/items", Class: api, Handle: f.createItems},
		)
	}
	return routes
}

// submitter answers a turn in the words of one codec.
func (f *face) submitter(caller requestv1.RequestServiceCaller, codec wire.Codec) *answer.Submitter {
	return answer.NewSubmitter(caller, answer.Dialect{Codec: codec, ContentType: contentType, Pause: f.config.Heartbeat, Ping: ping})
}
