package edge

import (
	"errors"
	"net/http"
	"strings"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"google.golang.org/grpc/codes"
)

// Face is one dialect of HTTP. It is read-only once given to New.
type Face struct {
	// Name is for messages: "openai".
	Name string
	// Prefixes are where this face words errors of paths that nobody serves.
	Prefixes []string
	// Header, where set, is a request header by which this face's clients are
	// known, in canonical form. A request that bears it goes to this face where
	// several have its path, and has its errors worded by it where none has.
	Header string
	// RequestIDHeader, where set, is a further header of every answer that holds
	// the request id, in canonical form.
	RequestIDHeader string
	// RequestIDMember, where set, is a member with the request id that every
	// error's body gets.
	RequestIDMember string
	// Routes are what it serves.
	Routes []Route
	// Error words an error: the status and a JSON body. It must not be nil.
	Error func(err error) (status int, body []byte)
	// ErrorFor, where set, is how a client with these headers wants its errors worded;
	// nil for one that takes Error's.
	ErrorFor func(header http.Header) func(err error) (status int, body []byte)
	// Missing is the text for a path that is not served. Nil means a plain one.
	Missing func(method, path string) string
}

// Route is one method on one path.
type Route struct {
	// Method is the HTTP method. HEAD is served by a route of its own only. ""
	// stands for all.
	Method string
	// Pattern is the path. One part in braces, "{id}", stands for one or more
	// characters, slashes included: it is Exchange.Param.
	Pattern string
	// Class is the limit that a call counts against.
	Class meshv1.RateClass
	// ClassOf, where set, decides in the place of Class.
	ClassOf func(method, path string) meshv1.RateClass
	// Public routes ask for no key and are served while draining.
	Public bool
	// Socket routes are for clients that change to a websocket, with GET; to
	// others they are not there. Handle calls Exchange.Upgrade.
	Socket bool
	// Handle answers. It returns when the answer is written.
	Handle func(x *Exchange)
}

// statusError is an error whose HTTP status is not for the face to choose.
type statusError struct {
	*fault.Fault
	status int
}

func (e *statusError) Unwrap() error { return e.Fault }

// WithStatus returns an error that Fail answers with status, worded by the
// face.
func WithStatus(status int, f *fault.Fault) error { return &statusError{Fault: f, status: status} }

// StatusOf returns the status that err was given with WithStatus.
func StatusOf(err error) (status int, ok bool) {
	forced := (*statusError)(nil)
	if !errors.As(err, &forced) {
		return 0, false
	}
	return forced.status, true
}

// wording returns the status and body for err, for a client with these headers.
func (f *Face) wording(header http.Header, err error) (int, []byte) {
	word := f.Error
	if f.ErrorFor != nil {
		if own := f.ErrorFor(header); own != nil {
			word = own
		}
	}
	status, body := word(err)
	if forced, ok := StatusOf(err); ok {
		status = forced
	}
	return status, body
}

func (f *Face) missing(method, path string) error {
	text := ""
	if f.Missing != nil {
		text = f.Missing(method, path)
	}
	if text == "" {
		text = "unknown path " + quotePath(path)
	}
	return WithStatus(http.StatusNotFound, fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED, text))
}

// bears says that a request is known to come from one of the face's clients.
func (f *Face) bears(h http.Header) bool { return f.Header != "" && len(h[f.Header]) > 0 }

// sign adds the request id to an error's body.
func (f *Face) sign(body []byte, id string) []byte {
	last := len(body) - 1
	if f.RequestIDMember == "" || last < 1 || body[last] != '}' {
		return body
	}
	signed := append(body[:last:last], ',')
	signed = append(jsonscan.AppendString(signed, f.RequestIDMember), ':')
	return append(jsonscan.AppendString(signed, id), '}')
}

// quotePath makes a path fit for an error text.
func quotePath(path string) string {
	const most = 128
	if len(path) > most {
		path = path[:most] + "…"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '"' || r == '\\' {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(path, "?"))
}
