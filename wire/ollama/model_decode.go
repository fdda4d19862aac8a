package ollama

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// object scans a body from a provider.
func object(body []byte) (*jsonbody.Value, error) {
	if _, err := jsonscan.Scan(body, noKeys, nil); err != nil {
		return nil, protocol("a body that is not a JSON object", err)
	}
	return jsonbody.Whole(body), nil
}

// DecodeTags reads a provider's answer to /api/tags. Members that are missing
// or of another type leave their field empty; a model without a name is left
// out.
func DecodeTags(body []byte) ([]ModelCard, error) {
	running, err := DecodeRunning(body)
	cards := make([]ModelCard, 0, len(running))
	for _, m := range running {
		cards = append(cards, m.ModelCard)
	}
	return cards, err
}

// DecodeRunning reads a provider's answer to /api/ps, like DecodeTags.
func DecodeRunning(body []byte) ([]RunningModel, error) {
	top, err := object(body)
	if err != nil {
		return nil, err
	}
	var models []RunningModel
	err = top.Members(func(name string, list *jsonbody.Value) error {
		if name != "models" || list.IsNull() {
			return nil
		}
		return list.Elements(func(_ int, e *jsonbody.Value) error {
			var m RunningModel
			err := e.Members(func(name string, v *jsonbody.Value) error { m.member(name, v); return nil })
			if m.Name != "" {
				models = append(models, m)
			}
			return err
		})
	})
	if err != nil {
		return nil, protocol("a list of models that cannot be read", err)
	}
	return models, nil
}

func (m *RunningModel) member(name string, v *jsonbody.Value) {
	switch name {
	case "name":
		m.Name = textOr(v, "")
	case "model":
		m.Name = or(m.Name, textOr(v, ""))
	case "remote_model":
		m.RemoteModel = textOr(v, "")
	case "remote_host":
		m.RemoteHost = textOr(v, "")
	case "expires_at":
		m.ExpiresAt = timeOrZero(v)
	case "modified_at":
		m.ModifiedAt = timeOrZero(v)
	case "size":
		m.Size = integerOr(v, 0)
	case "size_vram":
		m.SizeVRAM = integerOr(v, 0)
	case "context_length":
		m.ContextLength = integerOr(v, 0)
	case "digest":
		m.Digest = textOr(v, "")
	case "details":
		m.details(v)
	case "capabilities":
		m.setCapabilities(texts(v))
	}
}

func (m *ModelCard) details(details *jsonbody.Value) {
	if details.Kind != jsonscan.Object {
		return
	}
	_ = details.Members(func(name string, v *jsonbody.Value) error {
		switch name {
		case "parent_model":
			m.ParentModel = textOr(v, "")
		case "format":
			m.Format = textOr(v, "")
		case "family":
			m.Family = textOr(v, "")
		case "families":
			m.Families = texts(v)
		case "parameter_size":
			m.ParameterSize = textOr(v, "")
		case "quantization_level":
			m.Quantization = textOr(v, "")
		case "context_length":
			m.ContextLength = max(m.ContextLength, integerOr(v, 0))
		case "embedding_length":
			m.EmbeddingLength = integerOr(v, 0)
		}
		return nil
	})
}

func (m *ModelCard) setCapabilities(list []string) {
	m.Capabilities = list
	m.FIM = slices.Contains(list, CapabilityInsert)
}

// DecodeShow reads a provider's answer to /api/show into what is known of the
// model: fields that the answer does not speak of stay as they are. The context
// length is the model's own; a smaller one that its parameters set wins, since
// the server runs it so.
func DecodeShow(body []byte, card *ModelCard) error {
	top, err := object(body)
	if err != nil {
		return err
	}
	capabilities := false
	var info *jsonbody.Value
	template, parameters := "", ""
	if err := top.Members(func(name string, v *jsonbody.Value) error {
		switch name {
		case "license":
			card.License = textOr(v, "")
		case "system":
			card.System = textOr(v, "")
		case "template":
			template = textOr(v, "")
		case "parameters":
			parameters = textOr(v, "")
		case "remote_model":
			card.RemoteModel = textOr(v, "")
		case "remote_host":
			card.RemoteHost = textOr(v, "")
		case "modified_at":
			card.ModifiedAt = timeOrZero(v)
		case "details":
			card.details(v)
		case "capabilities":
			capabilities = v.Kind == jsonscan.Array
			card.setCapabilities(texts(v))
		case "model_info":
			info = v
		}
		return nil
	}); err != nil {
		return protocol("a model's card that cannot be read", err)
	}
	if !capabilities { // Servers before 0.6.4 do not tell.
		card.FIM = strings.Contains(template, ".Suffix")
	}
	card.info(info)
	card.readParameters(parameters)
	return nil
}

// info reads model_info: numbers of the architecture, "llama.context_length".
func (m *ModelCard) info(info *jsonbody.Value) {
	if info == nil || info.Kind != jsonscan.Object {
		return
	}
	_ = info.Members(func(name string, v *jsonbody.Value) error {
		switch {
		case name == "general.architecture":
			m.Family = or(m.Family, textOr(v, ""))
		case name == "general.basename":
			m.DisplayName = or(m.DisplayName, textOr(v, ""))
		case strings.HasSuffix(name, ".context_length"):
			m.ContextLength = integerOr(v, m.ContextLength)
		case strings.HasSuffix(name, ".embedding_length") && strings.Count(name, ".") == 1:
			m.EmbeddingLength = integerOr(v, m.EmbeddingLength)
		}
		return nil
	})
}

func (m *ModelCard) readParameters(lines string) {
	m.Stop = nil
	for line := range strings.Lines(lines) {
		name, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		text = strings.TrimSpace(text)
		switch name {
		case "num_ctx":
			if n, err := strconv.ParseInt(text, 10, 64); err == nil && n > 0 && (m.ContextLength == 0 || n < m.ContextLength) {
				m.ContextLength = n
			}
		case "stop":
			if stop, err := strconv.Unquote(text); err == nil {
				text = stop
			}
			m.Stop = append(m.Stop, text)
		}
	}
}

func textOr(v *jsonbody.Value, otherwise string) string {
	if text, err := v.String(); err == nil {
		return text
	}
	return otherwise
}

func integerOr(v *jsonbody.Value, otherwise int64) int64 {
	if n, err := v.Integer(); err == nil {
		return n
	}
	return otherwise
}

func timeOrZero(v *jsonbody.Value) time.Time {
	at, err := time.Parse(time.RFC3339Nano, textOr(v, ""))
	if err != nil {
		return time.Time{}
	}
	return at
}

// texts are the texts of a list; what is none is left out.
func texts(v *jsonbody.Value) []string {
	var list []string
	if v.Kind == jsonscan.Array {
		_ = v.Elements(func(_ int, e *jsonbody.Value) error {
			if text, err := e.String(); err == nil {
				list = append(list, text)
			}
			return nil
		})
	}
	return list
}
