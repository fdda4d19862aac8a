// Package page makes the page tokens of lists: opaque to clients, bound to the
// filter of the list, so that a token of one list is refused by another.
package page

import (
	"encoding/base64"
	"encoding/binary"
	"hash/fnv"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"google.golang.org/grpc/codes"
)

// Token returns the token for the page after cursor, in a list with this
// filter. The filter is any text that differs between lists that differ.
func Token(filter, cursor string) string {
	return base64.RawURLEncoding.EncodeToString(append(sum(filter), cursor...))
}

// Cursor returns the cursor in token; "" for an empty token. A token of another
// filter, or no token at all, is INVALID_PAGE_TOKEN.
func Cursor(filter, token string) (string, error) {
	if token == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) < 8 || string(raw[:8]) != string(sum(filter)) {
		return "", Invalid()
	}
	return string(raw[8:]), nil
}

// Invalid is INVALID_PAGE_TOKEN: for a cursor that the list cannot have given
// out. Tokens are not signed, so a client can make one.
func Invalid() error {
	return fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_INVALID_PAGE_TOKEN,
		"page_token: not a token of this list and filter", "field", "page_token")
}

// Size returns the number of entries to return: asked, or standard where asked
// is 0, at most limit.
func Size(asked int32, standard, limit int) int {
	if asked <= 0 {
		return standard
	}
	return min(int(asked), limit)
}

func sum(filter string) []byte {
	h := fnv.New64a()
	h.Write([]byte(filter))
	return binary.BigEndian.AppendUint64(nil, h.Sum64())
}
