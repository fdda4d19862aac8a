package gemini

import (
	"strconv"
	"strings"

	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/wire/internal/httpstatus"
	"google.golang.org/grpc/codes"
)

// Error is the answer to a request that failed before its first byte: the
// HTTP status and a body of {"error":{"code":…,"message":…,"status":…}}, whose
// code is that status and whose status is the canonical code's name.
func Error(err error) (status int, body []byte) {
	f := fault.From(err)
	if f == nil {
		f = fault.Internal(nil)
	}
	return httpstatus.Of(f), appendError(nil, f)
}

func appendError(dst []byte, f *fault.Fault) []byte {
	message := f.Message
	if message == "" {
		message = fault.ReasonName(f.Reason)
	}
	dst = append(dst, `{"error":{"code":`...)
	dst = strconv.AppendInt(dst, int64(httpstatus.Of(f)), 10)
	dst = append(append(dst, `,"message":`...), quote(message)...)
	dst = append(append(dst, `,"status":`...), quote(statusName(f))...)
	return append(dst, "}}"...)
}

// statusName is the canonical code as Google spells it.
func statusName(f *fault.Fault) string {
	var out strings.Builder
	for i, c := range f.Code.String() {
		if i > 0 && 'A' <= c && c <= 'Z' && f.Code != codes.OK {
			out.WriteByte('_')
		}
		out.WriteRune(c)
	}
	if f.Code == codes.Canceled {
		return "CANCELLED"
	}
	return strings.ToUpper(out.String())
}
