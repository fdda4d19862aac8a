package responses

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gptmesh/gptmesh/gateway/edge"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	wireopenai "github.com/gptmesh/gptmesh/wire/openai"
	"google.golang.org/grpc/codes"
)

// refusal is an error that OpenAI has words of its own for.
type refusal struct {
	*fault.Fault
	status      int
	code, param string // "" is null
}

func (e *refusal) Unwrap() error { return e.Fault }

func refuse(status int, code, param, message string) error {
	reason, canonical := meshv1.ErrorReason_ERROR_REASON_INVALID_FIELD, codes.InvalidArgument
	if status == http.StatusNotFound {
		reason, canonical = meshv1.ErrorReason_ERROR_REASON_RESPONSE_NOT_FOUND, codes.NotFound
	}
	return &refusal{fault.New(canonical, reason, message), status, code, param}
}

func noResponse(id string) error {
	return refuse(http.StatusNotFound, "", "", "Response with id '"+quote(id)+"' not found.")
}

func noPrevious(id string) error {
	return refuse(http.StatusBadRequest, "previous_response_not_found", "previous_response_id", "Previous response with id '"+quote(id)+"' not found.")
}

func noConversation(id string) error {
	return refuse(http.StatusNotFound, "", "", "Conversation with id '"+quote(id)+"' not found.")
}

func noItem(id, param string) error {
	return refuse(http.StatusNotFound, "", param, "Item with id '"+quote(id)+"' not found.")
}

// quote makes an id of a client's fit for an error text.
func quote(id string) string {
	const most = 128
	if len(id) > most {
		id = id[:most] + "…"
	}
	return strings.ToValidUTF8(id, "?")
}

// conversationFault words what the session room says of a conversation.
func conversationFault(err error, id string) error {
	if fault.Is(err, meshv1.ErrorReason_ERROR_REASON_SESSION_NOT_FOUND) {
		return noConversation(id)
	}
	return err
}

// words is an error as OpenAI words it.
func words(err error) (int, []byte) {
	own := (*refusal)(nil)
	if errors.As(err, &own) {
		return own.status, body(own.Message, own.param, own.code)
	}
	switch status, _ := edge.StatusOf(err); status {
	case http.StatusNotFound:
		return 0, body(fault.From(err).Message, "", "unknown_url")
	case http.StatusMethodNotAllowed:
		return 0, body(fault.From(err).Message, "", "method_not_allowed")
	}
	return wireopenai.Error(err)
}

func body(message, param, code string) []byte {
	out := jsonscan.AppendString([]byte(`{"error":{"message":`), message)
	out = append(out, `,"type":"invalid_request_error","param":`...)
	out = orNull(out, param)
	out = append(out, `,"code":`...)
	return append(orNull(out, code), `}}`...)
}

func orNull(dst []byte, s string) []byte {
	if s == "" {
		return append(dst, "null"...)
	}
	return jsonscan.AppendString(dst, s)
}

// missing is what a client reads who asks for a part of the APIs that is not
// here.
func missing(method, path string) string {
	return "unknown URL (" + method + " " + path + "); this server has /v1/responses and /v1/conversations"
}
