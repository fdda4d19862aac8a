package postprocess

import (
	"regexp"
	"strings"
)

var (
	heading   = regexp.MustCompile(`^ {0,3}#{1,6}\s+(.*?)(?:\s+#+)?\s*$`)
	rule      = regexp.MustCompile(`^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$`)
	quote     = regexp.MustCompile(`^ {0,3}(?:>\s?)+`)
	bullet    = regexp.MustCompile(`^(\s*)[*+]\s+`)
	fence     = regexp.MustCompile("^\\s*(?:```|~~~)")
	image     = regexp.MustCompile(`!\[([^\]\n]*)\]\([^)\n]*\)`)
	link      = regexp.MustCompile(`\[([^\]\n]+)\]\(([^)\s]+)(?:\s+"[^"]*")?\)`)
	code      = regexp.MustCompile("`([^`\n]+)`")
	strong    = regexp.MustCompile(`\*\*([^\s*](?:[^*\n]*[^\s*])?)\*\*`)
	emphasis  = regexp.MustCompile(`(^|[^\w*])\*([^\s*](?:[^*\n]*[^\s*])?)\*`)
	underline = regexp.MustCompile(`(^|\W)__?([^\s_](?:[^\n]*?[^\s_])?)__?($|\W)`)
	strike    = regexp.MustCompile(`~~([^~\n]+)~~`)
)

// Plain removes the marks of markdown: headings, emphasis, quotes, rules, links
// (the address stays in brackets), images (their text stays), inline code and
// the fences of code blocks. What stands in code keeps its characters; bullets
// become "- ".
func Plain(text string) string {
	lines := strings.Split(text, "\n")
	out := make([]string, 0, len(lines))
	inCode := false
	for _, line := range lines {
		if fence.MatchString(line) {
			inCode = !inCode
			continue
		}
		switch {
		case inCode:
		case rule.MatchString(line):
			continue
		default:
			line = plainLine(line)
		}
		out = append(out, line)
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}

func plainLine(line string) string {
	line = quote.ReplaceAllString(line, "")
	line = heading.ReplaceAllString(line, "$1")
	line = bullet.ReplaceAllString(line, "$1- ")
	// What is code keeps its marks: only the text between is changed.
	var out strings.Builder
	from := 0
	for _, span := range code.FindAllStringSubmatchIndex(line, -1) {
		out.WriteString(plainSpan(line[from:span[0]]))
		out.WriteString(line[span[2]:span[3]])
		from = span[1]
	}
	out.WriteString(plainSpan(line[from:]))
	return out.String()
}

func plainSpan(text string) string {
	text = image.ReplaceAllString(text, "$1")
	text = link.ReplaceAllString(text, "$1 ($2)")
	text = strong.ReplaceAllString(text, "$1")
	text = emphasis.ReplaceAllString(text, "$1$2")
	text = underline.ReplaceAllString(text, "$1$2$3")
	return strike.ReplaceAllString(text, "$1")
}
