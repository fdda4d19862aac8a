package ollama

import (
	"strings"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

var showKeys = jsonscan.NewKeys("model", "name", "verbose")

// DecodeShowRequest reads a client's body of /api/show: the model's name, from
// "model" or, where that is empty, the old "name". An absent name is an error
// that names it.
func DecodeShowRequest(body []byte) (model string, verbose bool, err error) {
	var room [3]jsonscan.Member
	at, err := jsonscan.Scan(body, showKeys, room[:0])
	if err != nil {
		return "", false, jsonbody.ScanFault(err)
	}
	top := jsonbody.Whole(body)
	for _, member := range at[:2] {
		if m := top.Child(member); model == "" && !m.IsNull() {
			if model, err = m.String(); err != nil {
				return "", false, err
			}
		}
	}
	if strings.TrimSpace(model) == "" {
		return "", false, jsonbody.Malformed("model", "a model is required")
	}
	return model, at[2].Kind == jsonscan.True, nil
}

// EncodeShowRequest is the body of a call of a provider's /api/show.
func EncodeShowRequest(model string) []byte {
	w := writer{}
	w.Open('{')
	w.StrField("model", model)
	w.Close('}')
	return w.B
}
