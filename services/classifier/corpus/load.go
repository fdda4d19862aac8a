package corpus

import (
	"embed"
	"fmt"
	"path"
	"strings"
)

//go:embed data/*.txt
var data embed.FS

// section is the templates of one label, or the values of one name.
type section struct {
	name  string
	lines []string
}

type corpus struct {
	files map[string][]section
	slots map[string][]string
}

// slotFiles hold values, the others templates.
var slotFiles = []string{"slots", "identifiers", "wrappers", "guard_slots"}

func load() (*corpus, error) {
	c := &corpus{files: map[string][]section{}, slots: map[string][]string{}}
	entries, err := data.ReadDir("data")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		b, err := data.ReadFile(path.Join("data", e.Name()))
		if err != nil {
			return nil, err
		}
		name := strings.TrimSuffix(e.Name(), ".txt")
		sections, err := parse(string(b), name == "wrappers")
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.Name(), err)
		}
		c.files[name] = sections
	}
	for _, f := range slotFiles {
		for _, s := range c.files[f] {
			if _, twice := c.slots[s.name]; twice {
				return nil, fmt.Errorf("%s.txt: {%s} is there twice", f, s.name)
			}
			c.slots[s.name] = s.lines
		}
	}
	return c, nil
}

// parse reads "= name" and the lines under it. The first lines, each beginning
// with #, are remarks. Blank lines count where blank is set.
func parse(text string, blank bool) ([]section, error) {
	var out []section
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		name, head := strings.CutPrefix(line, "= ")
		switch {
		case head:
			out = append(out, section{name: name})
		case len(out) == 0 && strings.HasPrefix(line, "#"):
		case len(out) == 0:
			return nil, fmt.Errorf("line %d stands before the first section", i+1)
		case line != "" || blank:
			s := &out[len(out)-1]
			s.lines = append(s.lines, line)
		}
	}
	for _, s := range out {
		if len(s.lines) < 3 {
			return nil, fmt.Errorf("section %q has fewer than three lines", s.name)
		}
	}
	return out, nil
}
