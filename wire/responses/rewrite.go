package responses

import (
	"bytes"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
)

var rewrittenKeys = jsonscan.NewKeys("id", "store", "metadata")

// RewriteStream appends whole events of a provider to dst with what must differ
// set: the id of the answer, and what the mesh does in the provider's place
// (store, metadata). Every other byte stays. Events that hold no answer are
// copied; so is what is no JSON.
func RewriteStream(dst, data []byte, id string, echo *Echo) []byte {
	for len(data) > 0 {
		var event wire.ServerEvent
		event, data = wire.NextServerEvent(data)
		at := -1
		if bytes.Contains(event.Data, responseMark) {
			at = bytes.Index(event.Raw, event.Data)
		}
		if at < 0 {
			dst = append(dst, event.Raw...)
			continue
		}
		dst = append(dst, event.Raw[:at]...)
		dst = rewriteEvent(dst, event.Data, id, echo)
		dst = append(dst, event.Raw[at+len(event.Data):]...)
	}
	return dst
}

var responseMark = []byte(`"response"`)

var responseKeys = jsonscan.NewKeys("response")

func rewriteEvent(dst, data []byte, id string, echo *Echo) []byte {
	found, err := jsonscan.Scan(data, responseKeys, nil)
	if err != nil || found[0].Kind != jsonscan.Object {
		return append(dst, data...)
	}
	dst = append(dst, data[:found[0].Value.Start]...)
	dst = RewriteBody(dst, found[0].Raw(data), id, echo)
	return append(dst, data[found[0].Value.End:]...)
}

// RewriteBody is RewriteStream for a whole answer.
func RewriteBody(dst, body []byte, id string, echo *Echo) []byte {
	found, err := jsonscan.Scan(body, rewrittenKeys, nil)
	if err != nil {
		return append(dst, body...)
	}
	edits := []jsonscan.Edit{{At: found[0], Key: "id", Value: jsonscan.AppendString(nil, id)}}
	for i, with := range [...]string{echo.or(echoStore, "true"), echo.or(echoMetadata, "{}")} {
		if found[i+1].Present() {
			edits = append(edits, jsonscan.Edit{At: found[i+1], Value: []byte(with)})
		}
	}
	out, err := jsonscan.Splice(dst, body, edits...)
	if err != nil {
		return append(dst, body...)
	}
	return out
}
