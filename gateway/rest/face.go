package rest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gptmesh/gptmesh/gateway/edge"
	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc"
)

// Deps are connections to the rooms. They carry the callctx.Call of the context
// to the room. A room without one is not served.
type Deps struct {
	Session    grpc.ClientConnInterface
	Request    grpc.ClientConnInterface
	Response   grpc.ClientConnInterface
	GPT        grpc.ClientConnInterface
	Classifier grpc.ClientConnInterface
	// Event reaches the log of events; nil where there is none.
	Event grpc.ClientConnInterface
	// OpenAPI is the description that is served, in YAML. Empty means none.
	OpenAPI []byte
}

// face holds what the handlers share.
type face struct {
	mux     *runtime.ServeMux
	rules   rules
	openAPI []byte
}

// New makes the face.
func New(deps Deps) (edge.Face, error) {
	all, err := loadRules()
	if err != nil {
		return edge.Face{}, err
	}
	f := &face{rules: all, openAPI: deps.OpenAPI}
	f.mux = runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, newMarshaler(ndjson)),
		runtime.WithMarshalerOption(eventStream, newMarshaler(eventStream)),
		runtime.WithErrorHandler(failed),
		runtime.WithStreamErrorHandler(streamFailed),
		runtime.WithRoutingErrorHandler(f.unrouted),
		runtime.WithIncomingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithOutgoingTrailerMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithDisableChunkedEncoding(),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
		runtime.WithWriteContentLength(),
	)
	ctx := context.Background() // stubs hold no resources that it would end
	var register []error
	if deps.Session != nil {
		register = append(register, sessionv1.RegisterSessionServiceHandlerClient(ctx, f.mux, sessionv1.NewSessionServiceClient(deps.Session)))
	}
	if deps.Request != nil {
		register = append(register, requestv1.RegisterRequestServiceHandlerClient(ctx, f.mux, requestv1.NewRequestServiceClient(deps.Request)),
			requestv1.RegisterRoutingServiceHandlerClient(ctx, f.mux, requestv1.NewRoutingServiceClient(deps.Request)))
	}
	if deps.Response != nil {
		register = append(register, responsev1.RegisterResponseServiceHandlerClient(ctx, f.mux, responsev1.NewResponseServiceClient(deps.Response)))
	}
	if deps.GPT != nil {
		register = append(register, gptv1.RegisterGPTServiceHandlerClient(ctx, f.mux, gptv1.NewGPTServiceClient(deps.GPT)),
			gptv1.RegisterUsageServiceHandlerClient(ctx, f.mux, gptv1.NewUsageServiceClient(deps.GPT)))
	}
	if deps.Event != nil {
		register = append(register, eventv1.RegisterEventServiceHandlerClient(ctx, f.mux, eventv1.NewEventServiceClient(deps.Event)))
	}
	if deps.Classifier != nil {
		register = append(register, classifierv1.RegisterClassifierServiceHandlerClient(ctx, f.mux, classifierv1.NewClassifierServiceClient(deps.Classifier)),
			classifierv1.RegisterLearningServiceHandlerClient(ctx, f.mux, classifierv1.NewLearningServiceClient(deps.Classifier)))
	}
	if err := errors.Join(register...); err != nil {
		return edge.Face{}, err
	}
	routes := []edge.Route{{Pattern: "/mesh/v1/{path}", ClassOf: f.rules.class, Handle: f.handle}}
	if len(deps.OpenAPI) > 0 {
		routes = append(routes, edge.Route{Method: http.MethodGet, Pattern: "/mesh/v1/openapi.yaml", Class: meshv1.RateClass_RATE_CLASS_API, Handle: f.describe})
	}
	return edge.Face{Name: "rest", Prefixes: []string{"/mesh/"}, Routes: routes, Error: words, Missing: missing}, nil
}

// describe serves the description.
func (f *face) describe(x *edge.Exchange) {
	x.Header().Set("Content-Type", "application/yaml")
	x.Header().Set("Content-Length", strconv.Itoa(len(f.openAPI)))
	_, _ = x.Write(f.openAPI)
}

// handle passes a request on. Of its headers only what the translation needs
// goes with it: who asks is in the context.
func (f *face) handle(x *edge.Exchange) {
	body, err := x.Body()
	if err != nil {
		x.Fail(err)
		return
	}
	given := x.Request()
	query := resumed(x.Path(), given)
	if err := f.rules.checkQuery(given.Method, x.Path(), query); err != nil {
		x.Fail(err)
		return
	}
	if body, err = submitted(x.Path(), given, body); err != nil {
		x.Fail(err)
		return
	}
	w := &writer{Exchange: x}
	r := given.WithContext(context.WithValue(x.Context(), writerKey{}, w))
	r.Header = http.Header{"Content-Type": {"application/json"}}
	if strings.Contains(given.Header.Get("Accept"), eventStream) {
		r.Header["Accept"] = []string{eventStream}
		w.events = true
	}
	r.URL = &url.URL{Path: x.Path(), RawQuery: query}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	f.mux.ServeHTTP(w, r)
}

// resumed is the query of a watch with the place where an EventSource broke
// off.
func resumed(path string, r *http.Request) string {
	id := r.Header.Get("Last-Event-Id")
	if _, err := strconv.ParseUint(id, 10, 63); err != nil || !strings.HasSuffix(path, ":watch") {
		return r.URL.RawQuery
	}
	key := "after_version"
	if strings.HasPrefix(path, "/mesh/v1/responses/") || strings.HasPrefix(path, "/mesh/v1/requests/") {
		key = "after_sequence"
	}
	query := r.URL.Query()
	query.Set(key, id)
	return query.Encode()
}
