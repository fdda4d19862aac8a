package anthropic

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"unicode/utf8"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// Bounds of the contracts, in characters: of the user that the mesh knows, and
// of the one that a provider is told.
const (
	maxUser     = 128
	maxTurnUser = 512
)

var (
	userMark     = []byte("user_id")
	metadataKeys = jsonscan.NewKeys("metadata")
	userKeys     = jsonscan.NewKeys("user_id")
)

// setUser takes the end user from metadata.user_id; a header's user stays. One
// that is too long for the mesh's own records is named there by its digest.
func setUser(request *requestv1.SubmitRequest) {
	user := endUser(request.Turn.Raw.Body)
	if user == "" {
		return
	}
	length := utf8.RuneCountInString(user)
	if length <= maxTurnUser {
		request.Turn.User = user
	}
	switch {
	case request.UserId != "":
	case length <= maxUser:
		request.UserId = user
	default:
		sum := sha256.Sum256([]byte(user))
		request.UserId = "sha256:" + hex.EncodeToString(sum[:])
	}
}

// endUser is a body's metadata.user_id; empty where it has none that is a text.
// The body has been found well-formed.
func endUser(body []byte) string {
	if !bytes.Contains(body, userMark) {
		return ""
	}
	var room [1]jsonscan.Member
	found, err := jsonscan.Scan(body, metadataKeys, room[:0])
	if err != nil || found[0].Kind != jsonscan.Object {
		return ""
	}
	var inner [1]jsonscan.Member
	if found, err = jsonscan.ScanObject(body, found[0].Value, userKeys, inner[:0]); err != nil || found[0].Kind != jsonscan.String {
		return ""
	}
	user, err := found[0].Text(body)
	if err != nil {
		return ""
	}
	return user
}
