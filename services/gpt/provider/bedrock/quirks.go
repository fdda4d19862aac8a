package bedrock

import (
	"regexp"
	"strconv"
	"strings"
)

// claudeName finds the version in the name of a Claude since the fourth:
// "us.anthropic.claude-opus-4-6-v1", "anthropic.claude-sonnet-4-20250514-v1:0".
var claudeName = regexp.MustCompile(`claude-[a-z]+-(\d{1,2})(?:-(\d{1,2}))?(?:[-:]|$)`)

// quirksOf are those of a model by its maker and version, as its name tells
// them. A name that does not, such as that of an application's inference
// profile, has none but those configured. Source: the models' pages in
// https://docs.aws.amazon.com/bedrock/latest/userguide/, 2026-11; not tried.
func quirksOf(model string) []string {
	switch {
	case strings.Contains(model, "anthropic.claude-"):
		return claudeQuirks(model)
	case strings.Contains(model, "amazon.nova-2"):
		return []string{"nova", "nova_reasoning"}
	case strings.Contains(model, "amazon.nova-"):
		return []string{"nova"}
	case strings.Contains(model, "openai.gpt-oss"):
		return []string{"reasoning_effort"}
	}
	return nil
}

func claudeQuirks(model string) []string {
	quirks := []string{"claude"}
	m := claudeName.FindStringSubmatch(model)
	if m == nil {
		return quirks
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	version := major*100 + minor
	if version >= 401 {
		quirks = append(quirks, "temperature_or_top_p")
	}
	if version >= 405 {
		quirks = append(quirks, "structured_output")
	}
	if version >= 406 {
		quirks = append(quirks, "adaptive_thinking")
	}
	return quirks
}
