package edge

import (
	"encoding/json"
	"net/http"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
)

// greeting is what Ollama's clients look for.
const greeting = "Ollama is running"

// healthFace is the edge's own routes, with errors in the words of the default
// face.
func (e *Edge) healthFace(words *Face) *Face {
	routes := []Route{
		{Method: http.MethodGet, Pattern: "/", Handle: root},
		{Method: http.MethodHead, Pattern: "/", Handle: root},
		{Method: http.MethodGet, Pattern: "/healthz", Handle: alive},
		{Method: http.MethodHead, Pattern: "/healthz", Handle: alive},
		{Method: http.MethodGet, Pattern: "/readyz", Handle: e.ready},
		{Method: http.MethodHead, Pattern: "/readyz", Handle: e.ready},
	}
	for i := range routes {
		routes[i].Public = true
		routes[i].Class = meshv1.RateClass_RATE_CLASS_NONE
	}
	return &Face{Name: "edge", Routes: routes, Error: words.Error}
}

func text(x *Exchange, body string) {
	x.Header()["Content-Type"] = textType
	x.WriteHeader(http.StatusOK)
	_, _ = x.Write([]byte(body))
}

func root(x *Exchange) { text(x, greeting) }

// alive says that the process answers at all.
func alive(x *Exchange) { text(x, "ok\n") }

type readiness struct {
	Ready    bool        `json:"ready"`
	Draining bool        `json:"draining,omitempty"`
	Rooms    []roomState `json:"rooms"`
}

type roomState struct {
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
	Why   string `json:"why,omitempty"`
}

// ready says whether requests can be served: every room can, and the edge is
// not draining.
func (e *Edge) ready(x *Exchange) {
	state := readiness{Ready: true, Rooms: []roomState{}}
	if e.draining.Load() {
		state.Ready, state.Draining = false, true
	}
	if e.deps.Ready != nil {
		for _, room := range e.deps.Ready(x.Context()) {
			r := roomState{Name: room.Name, Ready: room.Err == nil}
			if room.Err != nil {
				state.Ready = false
				r.Why = fault.From(room.Err).Message
			}
			state.Rooms = append(state.Rooms, r)
		}
	}
	body, err := json.Marshal(state)
	if err != nil {
		x.Fail(fault.Internal(err))
		return
	}
	status := http.StatusOK
	if !state.Ready {
		status = http.StatusServiceUnavailable
		x.Header()["Retry-After"] = []string{"1"}
	}
	_ = x.JSON(status, append(body, '\n'))
}
