package edge

import (
	"net/http"
	"strings"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// webSocket says whether a client wants to change to a websocket.
func webSocket(h http.Header) bool {
	return strings.EqualFold(first(h, "Upgrade"), "websocket")
}

// noWebSocket tells a client that speaks websockets to go on with plain HTTP.
// The status is the one at which such clients do so at once: at another they try
// again first.
func noWebSocket(h http.Header, path string) error {
	h["Upgrade"], h["Connection"] = []string{"HTTP/1.1"}, []string{"Upgrade"}
	return WithStatus(http.StatusUpgradeRequired, fault.New(codes.Unimplemented, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED,
		quotePath(path)+" is not served over websockets; send POST over HTTP"))
}
