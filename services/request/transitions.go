package request

import requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"

const (
	accepted    = requestv1.Request_STATE_ACCEPTED
	running     = requestv1.Request_STATE_RUNNING
	completed   = requestv1.Request_STATE_COMPLETED
	failed      = requestv1.Request_STATE_FAILED
	cancelled   = requestv1.Request_STATE_CANCELLED
	interrupted = requestv1.Request_STATE_INTERRUPTED
)

// transitions is the table of legal transitions. A request whose first chunk
// is its last passes through RUNNING without a commit of it.
var transitions = map[requestv1.Request_State][]requestv1.Request_State{
	accepted: {running, failed, cancelled, interrupted},
	running:  {completed, failed, cancelled, interrupted},
}

// legal says whether a request may go from one state to another.
func legal(from, to requestv1.Request_State) bool {
	for _, next := range transitions[from] {
		if next == to {
			return true
		}
	}
	return false
}

// final says whether a state has no way out.
func final(state requestv1.Request_State) bool { return state >= completed }
