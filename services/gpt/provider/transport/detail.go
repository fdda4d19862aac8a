package transport

import "encoding/json"

// Detail is what a provider's error body says, whatever its dialect.
type Detail struct {
	// Message is for people.
	Message string
	// Type and Code are the provider's own words for what went wrong.
	Type, Code string
	// Param is the member that is to blame.
	Param string
}

// ParseDetail reads the error bodies of OpenAI ({"error":{message, type, code,
// param}}), Anthropic ({"type":"error","error":{type, message}}), Ollama
// ({"error":"text"}), older vLLM ({"object":"error", message, type, code}) and
// FastAPI ({"detail":…}). What it cannot read is empty.
func ParseDetail(body []byte) Detail {
	var outer struct {
		Error, Detail, Message, Type, Code, Param json.RawMessage
	}
	if json.Unmarshal(body, &outer) != nil {
		// Some servers put the object into a list of one.
		var list []json.RawMessage
		if json.Unmarshal(body, &list) == nil && len(list) == 1 && len(list[0]) > 0 && list[0][0] == '{' {
			return ParseDetail(list[0])
		}
		return Detail{}
	}
	switch {
	case isObject(outer.Error):
		var inner struct {
			Message, Type, Code, Param, Status json.RawMessage
		}
		if json.Unmarshal(outer.Error, &inner) != nil {
			return Detail{}
		}
		d := Detail{Message: scalar(inner.Message), Type: scalar(inner.Type), Code: scalar(inner.Code), Param: scalar(inner.Param)}
		if d.Type == "" {
			d.Type = scalar(inner.Status)
		}
		return d
	case len(outer.Error) > 0:
		return Detail{Message: scalar(outer.Error), Type: scalar(outer.Type), Code: scalar(outer.Code)}
	case len(outer.Message) > 0:
		return Detail{Message: scalar(outer.Message), Type: scalar(outer.Type), Code: scalar(outer.Code), Param: scalar(outer.Param)}
	case isObject(outer.Detail):
		return ParseDetail([]byte(`{"error":` + string(outer.Detail) + `}`))
	}
	return Detail{Message: validation(outer.Detail)}
}

// validation reads FastAPI's detail: a text, or a list of {loc, msg}.
func validation(raw json.RawMessage) string {
	var list []struct {
		Loc []any
		Msg string
	}
	if json.Unmarshal(raw, &list) == nil && len(list) > 0 {
		return list[0].Msg
	}
	return scalar(raw)
}

func isObject(raw json.RawMessage) bool { return len(raw) > 0 && raw[0] == '{' }

// scalar is a string's text, a number's digits, and "" for all else.
func scalar(raw json.RawMessage) string {
	if len(raw) == 0 {
		return ""
	}
	var text string
	if raw[0] == '"' && json.Unmarshal(raw, &text) == nil {
		return text
	}
	if raw[0] == '-' || raw[0] >= '0' && raw[0] <= '9' {
		return string(raw)
	}
	return ""
}
