package request

import (
	"context"
	"sync"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// maxEnded bounds the sessions that are remembered as ended. Those forgotten are
// refused by the session room.
const maxEnded = 10_000

// sessionName is a session's id among those of its owner.
type sessionName struct{ owner, id string }

// endedSessions are the sessions that are known to have ended, so that their
// turns are refused for it though the session room cannot be asked. Where it can,
// what it says holds: what is told comes later. It is safe for concurrent use.
type endedSessions struct {
	mu     sync.RWMutex
	states map[sessionName]sessionv1.Session_State
	order  []sessionName // as they came; may hold names that came back
}

func newEndedSessions() *endedSessions {
	return &endedSessions{states: map[sessionName]sessionv1.Session_State{}}
}

// judge takes what the session room said of a session, and returns what its turn is
// told: the same, or where the room could not say, that the session has ended.
func (e *endedSessions) judge(owner, id string, said error) error {
	refusal := e.refusal(owner, id)
	switch {
	case refusal == nil || fault.Is(said, meshv1.ErrorReason_ERROR_REASON_SESSION_ENDED):
		return said
	case said == nil, fault.Is(said, meshv1.ErrorReason_ERROR_REASON_SESSION_NOT_FOUND):
		e.remove(sessionName{owner, id}) // it was deleted, and that is still on its way
		return said
	}
	return refusal
}

// refusal says why a turn of a session is refused, or nil.
func (e *endedSessions) refusal(owner, id string) *fault.Fault {
	e.mu.RLock()
	defer e.mu.RUnlock()
	state, ended := e.states[sessionName{owner, id}]
	if !ended {
		return nil
	}
	return fault.New(codes.FailedPrecondition, meshv1.ErrorReason_ERROR_REASON_SESSION_ENDED,
		"the session has ended and takes nothing new", "session_id", id, "state", state.String())
}

func (e *endedSessions) add(name sessionName, state sessionv1.Session_State) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, known := e.states[name]; !known {
		if len(e.order) >= maxEnded {
			delete(e.states, e.order[0])
			e.order = e.order[1:]
		}
		e.order = append(e.order, name)
	}
	e.states[name] = state
}

// remove forgets a name that is used again.
func (e *endedSessions) remove(name sessionName) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.states, name)
}

// take learns from what a session tells.
func (e *endedSessions) take(_ context.Context, event *events.Event) error {
	told := new(sessionv1.SessionEnded)
	if err := event.GetPayload().UnmarshalTo(told); err != nil {
		return events.Reject(err)
	}
	name := sessionName{event.GetOwner(), told.GetSessionId()}
	if told.GetDeleted() {
		e.remove(name) // the session room says that there is none, and the id can be used again
	} else {
		e.add(name, told.GetState())
	}
	return nil
}

// hearOfSessions subscribes until the room closes. Every process hears all.
func (s *Service) hearOfSessions() {
	err := s.deps.Subscriber.Subscribe(s.life, events.Subscription{Subjects: []string{"session.ended"}}, s.ended.take)
	if err != nil && s.life.Err() == nil {
		s.deps.Logger.Error("ends of sessions are not heard of; the session room is asked instead", "error", err)
	}
}
