package rest

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/gptmesh/gptmesh/gateway/edge"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

type (
	mux           = runtime.ServeMux
	marshalerSeam = runtime.Marshaler
)

type errorBody struct {
	Error errorObject `json:"error"`
}

type errorObject struct {
	Code     int               `json:"code"`
	Status   string            `json:"status"`
	Reason   string            `json:"reason"`
	Message  string            `json:"message"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Fields   []errorField      `json:"fields,omitempty"`
}

type errorField struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

// words is an error as this face words it.
func words(err error) (int, []byte) {
	f := fault.From(err)
	status, forced := edge.StatusOf(err)
	if !forced {
		status = statusOf(f)
	}
	out := errorObject{
		Code: status, Status: code.Code(f.Code).String(), Reason: fault.ReasonName(f.Reason), Message: f.Message, Metadata: f.Metadata,
	}
	for _, v := range f.Fields {
		out.Fields = append(out.Fields, errorField{v.Field, v.Description})
	}
	body, err := json.Marshal(errorBody{out})
	if err != nil {
		// Texts and numbers can always be written.
		return http.StatusInternalServerError, []byte(`{"error":{"code":500,"status":"INTERNAL","reason":"INTERNAL","message":"internal error"}}`)
	}
	return status, body
}

func statusOf(f *fault.Fault) int {
	if f.Reason == meshv1.ErrorReason_ERROR_REASON_TOO_LARGE && f.Code == codes.InvalidArgument {
		return http.StatusRequestEntityTooLarge
	}
	if wire.MayHaveBegun(f) {
		return http.StatusBadGateway
	}
	return runtime.HTTPStatusFromCode(f.Code)
}

// faultOf reads the errors of the translation too: they are statuses without a
// reason, about what the client sent.
func faultOf(err error) *fault.Fault {
	var own *fault.Fault
	if errors.As(err, &own) {
		return own
	}
	if routed := (*runtime.HTTPStatusError)(nil); errors.As(err, &routed) {
		err = status.Error(codes.InvalidArgument, routed.Err.Error())
	}
	if s, ok := status.FromError(err); ok && s.Code() == codes.InvalidArgument && len(s.Details()) == 0 {
		if _, rest, found := strings.Cut(s.Message(), unknownField); found {
			name, _, _ := strings.Cut(rest, `"`)
			return fault.InvalidField(name, "there is no such field")
		}
		// What the translation says of a query: parsing field "page_size": …
		for _, prefix := range []string{`parsing field "`, `parsing list "`} {
			if rest, found := strings.CutPrefix(s.Message(), prefix); found {
				name, _, _ := strings.Cut(rest, `"`)
				if strings.HasSuffix(rest, "is not a valid value") { // of an enum
					return fault.InvalidField(name, "it is none of the field's values, which /mesh/v1/openapi.yaml lists")
				}
				return fault.InvalidField(name, "it is not of the field's type")
			}
		}
		f := fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_MALFORMED_BODY, s.Message())
		// What it says of a body: … invalid value for string field user_id: 7
		if _, rest, found := strings.Cut(s.Message(), "invalid value for "); found {
			if _, rest, found = strings.Cut(rest, " field "); found {
				name, _, _ := strings.Cut(rest, ":")
				f.Metadata = map[string]string{"field": name}
			}
		}
		return f
	}
	return fault.From(err)
}

// missing is the text for a path that no contract binds.
func missing(_, _ string) string { return "unknown path; see /mesh/v1/openapi.yaml" }

// unrouted answers a path or method that no contract binds.
func (f *face) unrouted(ctx context.Context, _ *mux, _ marshalerSeam, _ http.ResponseWriter, r *http.Request, status int) {
	w, ok := ctx.Value(writerKey{}).(*writer)
	if !ok {
		return
	}
	unsupported := meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED
	switch status {
	case http.StatusMethodNotAllowed:
		allow := f.rules.allow(r.URL.Path)
		w.Header().Set("Allow", allow)
		w.fail(edge.WithStatus(status, fault.New(codes.Unimplemented, unsupported, "this path takes no "+r.Method+"; it takes "+allow)))
	default:
		w.fail(edge.WithStatus(http.StatusNotFound, fault.New(codes.NotFound, unsupported, missing("", ""))))
	}
}
