package ollama

import (
	"crypto/sha256"
	"encoding/hex"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The words of capabilities.
const (
	CapabilityCompletion = "completion"
	CapabilityTools      = "tools"
	CapabilityInsert     = "insert"
	CapabilityVision     = "vision"
	CapabilityEmbedding  = "embedding"
	CapabilityThinking   = "thinking"
	CapabilityAudio      = "audio"
)

// unknown stands where clients demand a text and nothing is known.
const unknown = "unknown"

// defaultArchitecture names the family of a model that has none.
const defaultArchitecture = "mesh"

// noTime is the modified_at of a model whose time is not known: clients demand
// one that stays the same.
var noTime = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// ModelCard is what Ollama's lists and cards tell of a model.
type ModelCard struct {
	// Name is how clients ask for the model: "llama3.2:latest". Required.
	Name string
	// DisplayName is for people. Empty means Name.
	DisplayName string
	// ModifiedAt is when the model last changed. It must stay the same from
	// answer to answer; zero becomes a fixed day.
	ModifiedAt time.Time
	// Size is the size on disk in bytes; 0 where there is none.
	Size int64
	// Digest is 64 hex digits, with or without "sha256:" before them. Anything
	// else becomes a hash of the card.
	Digest string
	// ParentModel is the model that this one was made of, or empty.
	ParentModel string
	// Format is the file format. Empty means "gguf".
	Format string
	// Family is the architecture: "llama". Empty means "mesh".
	Family string
	// Families are all architectures in the file. Empty means Family alone.
	Families []string
	// ParameterSize is "3.2B". Empty means "unknown".
	ParameterSize string
	// Quantization is "Q4_K_M". Empty means "unknown".
	Quantization string
	// ContextLength is in tokens; 0 where unknown, and then left out.
	ContextLength int64
	// EmbeddingLength is the size of vectors; 0 where unknown, and then left out.
	EmbeddingLength int64
	// Capabilities are words such as CapabilityTools. CapabilityInsert is set by
	// FIM alone.
	Capabilities []string
	// FIM says that the model fills in the middle: clients send a suffix then.
	FIM bool
	// License is the text of the license, or empty.
	License string
	// System is the model's own system message, or empty.
	System string
	// Stop are the model's own stop texts.
	Stop []string
	// RemoteModel and RemoteHost name the place where a model of the cloud runs.
	// Empty for models that run here.
	RemoteModel, RemoteHost string
}

// RunningModel is a model in memory.
type RunningModel struct {
	ModelCard
	// ExpiresAt is when it leaves the memory unless it is used.
	ExpiresAt time.Time
	// SizeVRAM is how much of it is in graphics memory, in bytes.
	SizeVRAM int64
}

func (m *ModelCard) family() string { return or(m.Family, defaultArchitecture) }

func (m *ModelCard) modifiedAt() string {
	at := m.ModifiedAt
	if at.IsZero() {
		at = noTime
	}
	return at.Format(time.RFC3339Nano)
}

func (m *ModelCard) capabilities() []string {
	list := []string{}
	for _, c := range m.Capabilities {
		if c != CapabilityInsert && !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	if m.FIM {
		list = append(list, CapabilityInsert)
	}
	return list
}

// digest is the given one, or a hash that is the same as long as the card is.
func (m *ModelCard) digest() string {
	given := strings.ToLower(strings.TrimPrefix(m.Digest, "sha256:"))
	if raw, err := hex.DecodeString(given); err == nil && len(raw) == sha256.Size {
		return given
	}
	w := writer{}
	w.Open('{')
	w.StrField("name", m.Name)
	w.IntField("size", m.Size)
	w.StrField("modified_at", m.modifiedAt())
	m.writeDetails(&w)
	w.Key("capabilities")
	w.Strings(m.capabilities())
	w.Close('}')
	sum := sha256.Sum256(w.B)
	return hex.EncodeToString(sum[:])
}

// writeDetails writes the member details, every text of it set.
func (m *ModelCard) writeDetails(w *writer) {
	families := m.Families
	if len(families) == 0 {
		families = []string{m.family()}
	}
	w.Key("details")
	w.Open('{')
	w.StrField("parent_model", m.ParentModel)
	w.StrField("format", or(m.Format, "gguf"))
	w.StrField("family", m.family())
	w.Key("families")
	w.Strings(families)
	w.StrField("parameter_size", or(m.ParameterSize, unknown))
	w.StrField("quantization_level", or(m.Quantization, unknown))
	if m.ContextLength > 0 {
		w.IntField("context_length", m.ContextLength)
	}
	if m.EmbeddingLength > 0 {
		w.IntField("embedding_length", m.EmbeddingLength)
	}
	w.Close('}')
}

func (m *ModelCard) writeRemote(w *writer) {
	if m.RemoteModel != "" {
		w.StrField("remote_model", m.RemoteModel)
	}
	if m.RemoteHost != "" {
		w.StrField("remote_host", m.RemoteHost)
	}
}

// EncodeTags is the answer to /api/tags: all models, in the given order. Every
// member that strict clients demand is there, also for a card of a name alone.
func EncodeTags(models []ModelCard) []byte {
	w := writer{jsonbody.Writer{B: []byte(`{"models":[`)}}
	for i := range models {
		m := &models[i]
		w.Open('{')
		w.StrField("name", m.Name)
		w.StrField("model", m.Name)
		m.writeRemote(&w)
		w.StrField("modified_at", m.modifiedAt())
		w.IntField("size", m.Size)
		w.StrField("digest", m.digest())
		m.writeDetails(&w)
		w.Key("capabilities")
		w.Strings(m.capabilities())
		w.Close('}')
	}
	return append(w.B, "]}"...)
}

// EncodeRunning is the answer to /api/ps.
func EncodeRunning(models []RunningModel) []byte {
	w := writer{jsonbody.Writer{B: []byte(`{"models":[`)}}
	for i := range models {
		m := &models[i]
		w.Open('{')
		w.StrField("name", m.Name)
		w.StrField("model", m.Name)
		w.IntField("size", m.Size)
		w.StrField("digest", m.digest())
		m.writeDetails(&w)
		w.StrField("expires_at", m.ExpiresAt.Format(time.RFC3339Nano))
		w.IntField("size_vram", m.SizeVRAM)
		w.IntField("context_length", m.ContextLength)
		w.Close('}')
	}
	return append(w.B, "]}"...)
}

// EncodeVersion is the answer to /api/version.
func EncodeVersion(version string) []byte {
	w := writer{}
	w.Open('{')
	w.StrField("version", version)
	w.Close('}')
	return w.B
}

// EncodeShow is the answer to /api/show. The template names .Suffix only where
// the model fills in the middle: it is the sign by which clients tell.
func EncodeShow(m *ModelCard) []byte {
	parameters := m.parameters()
	w := writer{}
	w.Open('{')
	w.StrField("license", m.License)
	w.StrField("modelfile", m.modelfile(parameters))
	w.StrField("parameters", strings.Join(parameters, "\n"))
	w.StrField("template", m.template())
	if m.System != "" {
		w.StrField("system", m.System)
	}
	m.writeDetails(&w)
	m.writeRemote(&w)
	w.Key("model_info")
	w.Open('{')
	architecture := m.family()
	w.StrField("general.architecture", architecture)
	w.StrField("general.basename", or(m.DisplayName, m.Name))
	if m.ContextLength > 0 {
		w.IntField(architecture+".context_length", m.ContextLength)
	}
	if m.EmbeddingLength > 0 {
		w.IntField(architecture+".embedding_length", m.EmbeddingLength)
	}
	w.Close('}')
	w.Key("capabilities")
	w.Strings(m.capabilities())
	w.StrField("modified_at", m.modifiedAt())
	w.Close('}')
	return w.B
}

func (m *ModelCard) template() string {
	if m.FIM {
		return "{{ .Prompt }}{{ .Suffix }}"
	}
	return "{{ .Prompt }}"
}

// parameters are lines of a name, padded, and a value, as Ollama prints them.
func (m *ModelCard) parameters() []string {
	var lines []string
	line := func(name, value string) {
		lines = append(lines, name+strings.Repeat(" ", 31-len(name))+value)
	}
	if m.ContextLength > 0 {
		line("num_ctx", strconv.FormatInt(m.ContextLength, 10))
	}
	for _, stop := range m.Stop {
		line("stop", strconv.Quote(stop))
	}
	return lines
}

func (m *ModelCard) modelfile(parameters []string) string {
	var b strings.Builder
	b.WriteString("FROM " + m.Name + "\nTEMPLATE \"\"\"" + m.template() + "\"\"\"\n")
	for _, line := range parameters {
		name, value, _ := strings.Cut(line, " ")
		b.WriteString("PARAMETER " + name + " " + strings.TrimLeft(value, " ") + "\n")
	}
	return b.String()
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
