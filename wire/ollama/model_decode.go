package ollama

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// object scans a body from a provider.
func object(body []byte) (*value, error) {
	if _, err := jsonscan.Scan(body, noKeys, nil); err != nil {
		return nil, protocol("a body that is not a JSON object", err)
	}
	return whole(body), nil
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
	err = top.members(func(name string, list *value) error {
		if name != "models" || list.isNull() {
			return nil
		}
		return list.elements(func(_ int, e *value) error {
			var m RunningModel
			err := e.members(func(name string, v *value) error { m.member(name, v); return nil })
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

func (m *RunningModel) member(name string, v *value) {
	switch name {
	case "name":
		m.Name = v.textOr("")
	case "model":
		m.Name = or(m.Name, v.textOr(""))
	case "remote_model":
		m.RemoteModel = v.textOr("")
	case "remote_host":
		m.RemoteHost = v.textOr("")
	case "expires_at":
		m.ExpiresAt = v.timeOrZero()
	case "modified_at":
		m.ModifiedAt = v.timeOrZero()
	case "size":
		m.Size = v.integerOr(0)
	case "size_vram":
		m.SizeVRAM = v.integerOr(0)
	case "context_length":
		m.ContextLength = v.integerOr(0)
	case "digest":
		m.Digest = v.textOr("")
	case "details":
		m.details(v)
	case "capabilities":
		m.setCapabilities(v.texts())
	}
}

func (m *ModelCard) details(details *value) {
	if details.Kind != jsonscan.Object {
		return
	}
	_ = details.members(func(name string, v *value) error {
		switch name {
		case "parent_model":
			m.ParentModel = v.textOr("")
		case "format":
			m.Format = v.textOr("")
		case "family":
			m.Family = v.textOr("")
		case "families":
			m.Families = v.texts()
		case "parameter_size":
			m.ParameterSize = v.textOr("")
		case "quantization_level":
			m.Quantization = v.textOr("")
		case "context_length":
			m.ContextLength = max(m.ContextLength, v.integerOr(0))
		case "embedding_length":
			m.EmbeddingLength = v.integerOr(0)
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
	var info *value
	template, parameters := "", ""
	if err := top.members(func(name string, v *value) error {
		switch name {
		case "license":
			card.License = v.textOr("")
		case "system":
			card.System = v.textOr("")
		case "template":
			template = v.textOr("")
		case "parameters":
			parameters = v.textOr("")
		case "remote_model":
			card.RemoteModel = v.textOr("")
		case "remote_host":
			card.RemoteHost = v.textOr("")
		case "modified_at":
			card.ModifiedAt = v.timeOrZero()
		case "details":
			card.details(v)
		case "capabilities":
			capabilities = v.Kind == jsonscan.Array
			card.setCapabilities(v.texts())
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
func (m *ModelCard) info(info *value) {
	if info == nil || info.Kind != jsonscan.Object {
		return
	}
	_ = info.members(func(name string, v *value) error {
		switch {
		case name == "general.architecture":
			m.Family = or(m.Family, v.textOr(""))
		case name == "general.basename":
			m.DisplayName = or(m.DisplayName, v.textOr(""))
		case strings.HasSuffix(name, ".context_length"):
			m.ContextLength = v.integerOr(m.ContextLength)
		case strings.HasSuffix(name, ".embedding_length") && strings.Count(name, ".") == 1:
			m.EmbeddingLength = v.integerOr(m.EmbeddingLength)
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

// DecodeVersion reads a provider's answer to /api/version.
func DecodeVersion(body []byte) (string, error) {
	top, err := object(body)
	if err != nil {
		return "", err
	}
	version := ""
	err = top.members(func(name string, v *value) error {
		if name == "version" {
			version = v.textOr("")
		}
		return nil
	})
	return version, err
}

func (v *value) textOr(otherwise string) string {
	if text, err := v.text(); err == nil {
		return text
	}
	return otherwise
}

func (v *value) integerOr(otherwise int64) int64 {
	if n, err := v.integer(); err == nil {
		return n
	}
	return otherwise
}

func (v *value) timeOrZero() time.Time {
	at, err := time.Parse(time.RFC3339Nano, v.textOr(""))
	if err != nil {
		return time.Time{}
	}
	return at
}

// texts are the texts of a list; what is none is left out.
func (v *value) texts() []string {
	var list []string
	if v.Kind == jsonscan.Array {
		_ = v.elements(func(_ int, e *value) error {
			if text, err := e.text(); err == nil {
				list = append(list, text)
			}
			return nil
		})
	}
	return list
}
