package ollama

import (
	"errors"
	"net/http"

	"github.com/gptmesh/gptmesh/gateway/answer"
	"github.com/gptmesh/gptmesh/gateway/edge"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/wire"
	wireollama "github.com/gptmesh/gptmesh/wire/ollama"
)

// contentType is that of streams.
const contentType = "application/x-ndjson"

// Deps are whom the face calls.
type Deps struct {
	// Request admits turns. Required.
	Request requestv1.RequestServiceCaller
	// GPT knows the models. Required.
	GPT gptv1.GPTServiceCaller
	// Build is the mesh's own version. May be empty.
	Build string
}

// face holds what the handlers share.
type face struct {
	config         Config
	deps           Deps
	catalog        *catalog
	chat, generate dialect
}

// dialect is one of the two ways to ask for an answer.
type dialect struct {
	codec     wire.Codec
	submitter *answer.Submitter
}

// New makes the face.
func New(config Config, deps Deps) (edge.Face, error) {
	if err := config.Validate(); err != nil {
		return edge.Face{}, err
	}
	if deps.Request == nil || deps.GPT == nil {
		return edge.Face{}, errors.New("ollama: Deps.Request and Deps.GPT are required")
	}
	f := &face{config: config, deps: deps, catalog: newCatalog(deps.GPT)}
	f.chat = f.dialect(wireollama.Chat())
	f.generate = f.dialect(wireollama.Generate())
	return edge.Face{Name: "ollama", Prefixes: []string{"/api/"}, Routes: f.routes(), Error: wireollama.Error}, nil
}

func (f *face) dialect(codec wire.Codec) dialect {
	return dialect{codec: codec, submitter: answer.NewSubmitter(f.deps.Request, answer.Dialect{
		Codec: codec, ContentType: contentType, Pause: f.config.Heartbeat,
	})}
}

func (f *face) routes() []edge.Route {
	const gpt, api = meshv1.RateClass_RATE_CLASS_GPT, meshv1.RateClass_RATE_CLASS_API
	routes := []edge.Route{
		{Method: http.MethodPost, Pattern: "/api/chat", Class: gpt, Handle: func(x *edge.Exchange) { f.answer(x, &f.chat) }},
		{Method: http.MethodPost, Pattern: "/api/generate", Class: gpt, Handle: func(x *edge.Exchange) { f.answer(x, &f.generate) }},
		{Method: http.MethodPost, Pattern: "/api/embed", Class: gpt, Handle: f.embed},
		{Method: http.MethodPost, Pattern: "/api/embeddings", Class: gpt, Handle: f.embeddings},
		{Method: http.MethodPost, Pattern: "/api/show", Class: api, Handle: f.show},
		{Method: http.MethodGet, Pattern: "/api/ps", Class: api, Handle: f.ps},
	}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		routes = append(routes,
			edge.Route{Method: method, Pattern: "/api/tags", Class: api, Handle: f.tags},
			edge.Route{Method: method, Pattern: "/api/version", Class: api, Handle: f.version})
	}
	return append(routes,
		edge.Route{Method: http.MethodPost, Pattern: "/api/pull", Class: api, Handle: f.pull},
		edge.Route{Method: http.MethodPost, Pattern: "/api/push", Class: api, Handle: f.manage(gptv1.Operation_OPERATION_MODEL_PUSH)},
		edge.Route{Method: http.MethodPost, Pattern: "/api/create", Class: api, Handle: f.manage(gptv1.Operation_OPERATION_MODEL_CREATE)},
		edge.Route{Method: http.MethodDelete, Pattern: "/api/delete", Class: api, Handle: f.manage(gptv1.Operation_OPERATION_MODEL_DELETE)},
		edge.Route{Method: http.MethodPost, Pattern: "/api/copy", Class: api, Handle: f.copy},
		edge.Route{Method: http.MethodHead, Pattern: "/api/blobs/{digest}", Class: api, Handle: f.blobCheck},
		edge.Route{Method: http.MethodPost, Pattern: "/api/blobs/{digest}", Class: api, Handle: f.blobPut})
}
