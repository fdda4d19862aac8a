package face

import (
	"context"
	"net/http"
	"time"

	"github.com/gptmesh/gptmesh/tests/harness"
)

// Ask is one turn.
type Ask struct {
	// Model is the model.
	Model string
	// Text is what the user says.
	Text string
	// Stream asks for the answer piece by piece.
	Stream bool
	// Session, IdempotencyKey, RequestID and User are sent where set.
	Session, IdempotencyKey, RequestID, User string
	// OnDisconnect is cancel, drain or detach; empty leaves it to the mesh.
	OnDisconnect string
	// Timeout bounds the whole request; 0 leaves it to the mesh.
	Timeout time.Duration
	// Header is sent beside them; with gRPC as metadata.
	Header map[string]string
	// OnText is called with each piece of a streamed answer's text.
	OnText func(text string)
}

// Answer is what came back.
type Answer struct {
	// Status is the HTTP status; with gRPC 200 and the code's counterpart.
	Status int
	// Header is the answer's; with gRPC nil.
	Header http.Header
	// Text is all text of the answer.
	Text string
	// FinishReason is the reason in the face's words.
	FinishReason string
	// Complete says that the answer ended with the face's mark of completion.
	Complete bool
	// Error is the error that the client was told; nil without one.
	Error *Error
	// RequestID, ResponseID and SessionID are the mesh's names, where told.
	RequestID, ResponseID, SessionID string
	// Body is all that was sent, for messages.
	Body string
}

// Error is an error in a face's words.
type Error struct {
	// Message is for people.
	Message string
	// Code is OpenAI's code or the mesh's reason; empty with Ollama.
	Code string
	// InStream says that it came after the answer had begun.
	InStream bool
}

// Face is one way into the mesh.
type Face interface {
	// Name tells faces apart.
	Name() string
	// Ask asks for an answer. The error says that the call broke off or that
	// what came breaks the protocol; what came until then is in the answer.
	Ask(ctx context.Context, mesh *harness.Mesh, ask Ask) (Answer, error)
}

// All are the faces.
func All() []Face { return []Face{OpenAI{}, Ollama{}, GRPC{}} }
