package gpt

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gptmesh/gptmesh/services/gpt/internal/catalog"
	"github.com/gptmesh/gptmesh/services/gpt/provider/openai"
	wireanthropic "github.com/gptmesh/gptmesh/wire/anthropic"
	wirebedrock "github.com/gptmesh/gptmesh/wire/bedrock"
	wiregemini "github.com/gptmesh/gptmesh/wire/gemini"
	wireollama "github.com/gptmesh/gptmesh/wire/ollama"
)

// knownQuirks are the names that providers of a kind may have.
func knownQuirks(kind string) []string {
	switch kind {
	case catalog.KindAnthropic:
		return wireanthropic.Quirks()
	case catalog.KindBedrock:
		return wirebedrock.Quirks()
	case catalog.KindGemini:
		return wiregemini.Quirks()
	case catalog.KindOllama:
		return wireollama.Quirks()
	}
	return openai.Quirks()
}

// checkQuirks refuses names in the configuration of a provider that nothing knows: such
// a quirk would be missing without a word.
func checkQuirks(name, kind string, quirks []string) error {
	known := knownQuirks(kind)
	for _, quirk := range quirks {
		if !slices.Contains(known, quirk) {
			return fmt.Errorf("gpt.providers.%s.quirks: %q is none; a provider of the kind %s may have %s",
				name, quirk, kind, strings.Join(slices.Sorted(slices.Values(known)), ", "))
		}
	}
	return nil
}
