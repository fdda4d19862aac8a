package rest

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/gptmesh/gptmesh/gateway/answer"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
)

// Where turns are submitted.
const (
	submitPath   = "/mesh/v1/requests"
	detachedPath = "/mesh/v1/requests:detached"
)

// submitted is the body of a turn with what the client said in headers, as it
// may on every face: its key, what becomes of the answer when it leaves, and
// where it broke off. A member of the body's own wins. A body that is no object
// is left to the translation to refuse.
func submitted(path string, r *http.Request, body []byte) ([]byte, error) {
	if r.Method != http.MethodPost || path != submitPath && path != detachedPath {
		return body, nil
	}
	given := &requestv1.SubmitRequest{}
	if err := answer.ReadHeaders(http.Header{
		"Idempotency-Key": r.Header["Idempotency-Key"], "X-Gptmesh-On-Disconnect": r.Header["X-Gptmesh-On-Disconnect"],
	}, given); err != nil {
		return nil, err
	}
	said := map[string]any{}
	if given.GetIdempotencyKey() != "" {
		said["idempotency_key"] = given.GetIdempotencyKey()
	}
	if given.GetOnDisconnect() != 0 {
		said["on_disconnect"] = given.GetOnDisconnect().String()
	}
	if id := r.Header.Get("Last-Event-Id"); path == submitPath {
		if _, err := strconv.ParseUint(id, 10, 63); err == nil {
			said["after_sequence"] = id
		}
	}
	if len(said) == 0 {
		return body, nil
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) != nil {
		return body, nil
	}
	into := object
	if path == detachedPath {
		into = nil
		if json.Unmarshal(object["submit"], &into) != nil {
			return body, nil
		}
	}
	if into == nil {
		return body, nil
	}
	for name, v := range said {
		if has(into, name) {
			continue
		}
		data, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		into[name] = data
	}
	if path == detachedPath {
		data, err := json.Marshal(into)
		if err != nil {
			return nil, err
		}
		object["submit"] = data
	}
	return json.Marshal(object)
}

// has says whether an object has a member, in either spelling of a field.
func has(object map[string]json.RawMessage, name string) bool {
	for key := range object {
		if strings.EqualFold(strings.ReplaceAll(key, "_", ""), strings.ReplaceAll(name, "_", "")) {
			return true
		}
	}
	return false
}
