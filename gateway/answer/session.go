package answer

import (
	"bytes"

	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// sessionMember is where a body may name its session, within metadata.
const (
	sessionMember = "gptmesh_session"
	sessionField  = "metadata." + sessionMember
)

var (
	sessionMark  = []byte(sessionMember)
	metadataKeys = jsonscan.NewKeys("metadata")
	sessionKeys  = jsonscan.NewKeys(sessionMember)
)

// takeSession takes the session out of a body's metadata; metadata that holds
// nothing else goes with it. A body without one is returned as it is, and so is
// one that is not well-formed: the codec says better what is wrong with it.
func takeSession(body []byte) (rest []byte, session string, err error) {
	if !bytes.Contains(body, sessionMark) {
		return body, "", nil
	}
	var room [1]jsonscan.Member
	found, err := jsonscan.Scan(body, metadataKeys, room[:0])
	if err != nil || found[0].Kind != jsonscan.Object {
		return body, "", nil
	}
	metadata := found[0]
	var inner [1]jsonscan.Member
	if found, err = jsonscan.ScanObject(body, metadata.Value, sessionKeys, inner[:0]); err != nil {
		return nil, "", fault.InvalidField(sessionField, "it must stand once, without escapes in its name")
	}
	if !found[0].Present() {
		return body, "", nil
	}
	session, err = found[0].Text(body)
	if err != nil || !ValidSession(session) {
		return nil, "", fault.InvalidField(sessionField, `it must be "new" or a session's id: 1 to 64 of letters, digits, "-", "_", "."`)
	}
	rest, err = jsonscan.Splice(nil, body, jsonscan.Edit{At: metadata, Value: without(body, metadata, found[0])})
	if err != nil {
		return nil, "", fault.Internal(err)
	}
	return rest, session, nil
}

// without is an object without one of its members; nil where no other is left.
func without(body []byte, object, member jsonscan.Member) []byte {
	var kept []byte
	// The object was scanned before, so nothing can be wrong with it.
	_ = jsonscan.ForEachMember(body, object.Value, func(m jsonscan.Member) bool {
		if m.Key != member.Key {
			kept = append(kept, ',')
			kept = append(kept, body[m.Key.Start:m.Value.End]...)
		}
		return true
	})
	if kept == nil {
		return nil
	}
	kept[0] = '{'
	return append(kept, '}')
}
