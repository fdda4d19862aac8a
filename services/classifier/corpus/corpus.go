// Package corpus makes the labelled prompts that the repository holds of its
// own: coding prompts by kind of task, by how much work they are, by language
// and by what they need, and texts that try to take a model over beside
// harmless ones that use the same words. They are written for this project
// (Apache-2.0): templates under data, filled in by a deterministic generator.
//
// Three templates in ten are kept apart: their prompts measure a head and
// never train it. It is used to build the default model, not at run time.
package corpus

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"

	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// Head is one head's rows.
type Head struct {
	Name string
	// Train and Kept have no template in common.
	Train, Kept []learn.Row
}

// perLabel is how many prompts a label has; three tenths of them are kept.
const perLabel = 150

// Heads returns every head that the corpus has rows for, in a fixed order.
// Equal programs give equal rows.
func Heads() ([]Head, error) {
	c, err := load()
	if err != nil {
		return nil, err
	}
	var out []Head
	add := func(name string, part func(kept bool) []learn.Row) {
		out = append(out, Head{name, part(false), part(true)})
	}
	add("task_type", func(kept bool) []learn.Row { return c.labelled("task_type", kept) })
	add("complexity", func(kept bool) []learn.Row { return c.labelled("complexity", kept) })
	add("language", func(kept bool) []learn.Row { return c.language(kept) })
	for _, need := range []string{"tools", "vision", "long_context", "reasoning"} {
		add(need, func(kept bool) []learn.Row { return c.need(need, kept) })
	}
	add("injection", func(kept bool) []learn.Row { return c.guard("injection", kept) })
	add("jailbreak", func(kept bool) []learn.Row { return c.guard("jailbreak", kept) })
	return out, nil
}

// Rows returns the rows of one head.
func Rows(name string) (*Head, error) {
	all, err := Heads()
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].Name == name {
			return &all[i], nil
		}
	}
	return nil, fmt.Errorf("the corpus has no head %q", name)
}

// labelled is prompts of every section of a file.
func (c *corpus) labelled(file string, kept bool) []learn.Row {
	var rows []learn.Row
	for _, s := range c.files[file] {
		w := c.writer(file+s.name, kept)
		w.plain = file == "language"
		for _, p := range w.prompts(s, perLabel) {
			rows = append(rows, p.row(s.name))
		}
	}
	return rows
}

// language is labelled, with every prompt of several lines in a block of code
// and without.
func (c *corpus) language(kept bool) []learn.Row {
	rows := c.labelled("language", kept)
	for _, r := range rows {
		switch bare := strings.ReplaceAll(r.Text, "```\n", ""); {
		case bare != r.Text:
			r.Text = strings.ReplaceAll(bare, "\n```", "")
			rows = append(rows, r)
		case strings.Contains(r.Text, "\n"):
			r.Text = "```\n" + r.Text + "\n```"
			rows = append(rows, r)
		}
	}
	return rows
}

// need is prompts that need something, and as many again that do not: those
// of the other sections.
func (c *corpus) need(name string, kept bool) []learn.Row {
	var rows []learn.Row
	for _, s := range c.files["needs"] {
		w := c.writer(name+s.name, kept)
		n, label := perLabel/2, "no"
		switch s.name {
		case name:
			n, label = 2*perLabel, "yes"
		case "none":
			n = perLabel
		}
		for _, p := range w.prompts(s, n) {
			rows = append(rows, p.row(label))
		}
	}
	for _, s := range c.files["task_type"] {
		w := c.writer(name+s.name, kept)
		if name == "reasoning" && (s.name == "performance" || s.name == "data") {
			continue // they may or may not
		}
		for _, p := range w.prompts(s, 20) {
			rows = append(rows, p.row("no"))
		}
	}
	return rows
}

// guard is texts with an attack and harmless ones.
func (c *corpus) guard(head string, kept bool) []learn.Row {
	var rows []learn.Row
	for _, s := range c.files["guard_injection"] {
		w := c.writer("guard"+head+s.name, kept)
		switch {
		case s.name == "benign":
			for _, p := range w.prompts(s, 4*perLabel) {
				rows = append(rows, p.row("benign"), prompt{w.carry(p.text), p.template}.row("benign"))
			}
		case head == "injection" || head == s.name:
			for range part(3*perLabel, kept) {
				p := w.pick(s)
				p.text = w.shout(w.fill(p.text))
				if w.rng.IntN(2) == 0 {
					p.text = w.carry(p.text)
				}
				rows = append(rows, p.row(head))
			}
		}
	}
	w := c.writer("carriers"+head, kept)
	for i := range part(2*perLabel, kept) {
		rows = append(rows, prompt{w.carry(""), fmt.Sprintf("carrier/%d", i%20)}.row("benign"))
	}
	for _, file := range []string{"task_type", "needs", "complexity", "language"} {
		for _, s := range c.files[file] {
			w := c.writer("guard"+head+file+s.name, kept)
			for _, p := range w.prompts(s, 40) {
				rows = append(rows, p.row("benign"))
			}
		}
	}
	return rows
}

// prompt is a text and the template that it was made from.
type prompt struct{ text, template string }

func (p prompt) row(label string) learn.Row {
	return learn.Row{Document: learn.Document{Text: p.text, Group: p.template}, Label: label}
}

// part is how many of n rows are kept, or not.
func part(n int, kept bool) int {
	if kept {
		return n * 3 / 10
	}
	return n - n*3/10
}

// writer fills templates in.
type writer struct {
	c    *corpus
	rng  *rand.Rand
	kept bool
	// plain leaves out what names a language or a tool around a prompt.
	plain bool
}

func (c *corpus) writer(seed string, kept bool) *writer {
	stream := uint64(1)
	if kept {
		stream = 2
	}
	return &writer{c: c, rng: rand.New(rand.NewPCG(sum(seed), stream)), kept: kept}
}

func sum(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

// isKept says that a template is kept apart: three of ten by their place.
func isKept(place int) bool { return place%10 == 3 || place%10 == 6 || place%10 == 9 }

// pick chooses a template of the section's kept or training part.
func (w *writer) pick(s section) prompt {
	var fit []int
	for i := range s.lines {
		if isKept(i) == w.kept {
			fit = append(fit, i)
		}
	}
	i := fit[w.rng.IntN(len(fit))]
	return prompt{s.lines[i], fmt.Sprintf("%s/%d", s.name, i)}
}

// prompts makes n different prompts, or the part of them that is kept or not;
// fewer where the templates do not have as many.
func (w *writer) prompts(s section, n int) []prompt {
	var out []prompt
	seen := map[string]bool{}
	n = part(n, w.kept)
	for tries := 0; len(out) < n && tries < 20*n; tries++ {
		p := w.pick(s)
		p.text = w.wrap(w.fill(p.text))
		if !seen[p.text] {
			seen[p.text] = true
			out = append(out, p)
		}
	}
	return out
}

// wrap puts something before and after a prompt.
func (w *writer) wrap(text string) string {
	before, after := w.choose("before"), w.choose("after")
	for w.plain && strings.Contains(before+after, "{") {
		before, after = w.choose("before"), w.choose("after")
	}
	if strings.Contains(text, "\n") && w.rng.IntN(2) == 0 {
		text = "```\n" + text + "\n```"
	}
	if w.rng.IntN(6) == 0 {
		text = strings.ToLower(text[:1]) + text[1:]
	}
	return strings.TrimSpace(w.fill(before) + " " + text + " " + w.fill(after))
}

func (w *writer) choose(slot string) string {
	values := w.c.slots[slot]
	return values[w.rng.IntN(len(values))]
}

// fill replaces {names} by one of what they stand for, and \n by line ends.
func (w *writer) fill(t string) string {
	t = strings.ReplaceAll(t, `\n`, "\n")
	t = strings.ReplaceAll(t, `\t`, "\t")
	for range 4 { // values may hold names
		var b strings.Builder
		rest := t
		for {
			open := strings.IndexByte(rest, '{')
			if open < 0 {
				break
			}
			end := strings.IndexByte(rest[open:], '}')
			if end < 0 {
				break
			}
			name := rest[open+1 : open+end]
			if _, ok := w.c.slots[name]; ok {
				b.WriteString(rest[:open] + w.choose(name))
				rest = rest[open+end+1:]
				continue
			}
			b.WriteString(rest[:open+1])
			rest = rest[open+1:]
		}
		b.WriteString(rest)
		if b.String() == t {
			break
		}
		t = b.String()
	}
	return t
}

// carry puts a text into code, a comment or a document.
func (w *writer) carry(text string) string {
	s := w.c.files["guard_carriers"][0]
	carrier := w.fill(w.pick(s).text)
	return strings.ReplaceAll(carrier, "{attack}", text)
}

// shout varies how an attack is written.
func (w *writer) shout(text string) string {
	switch w.rng.IntN(12) {
	case 0:
		return strings.ToUpper(text)
	case 1:
		return strings.ToLower(text)
	case 2:
		return strings.ReplaceAll(text, ".", "!!!")
	case 3:
		return w.fill(w.choose("before")) + " " + text
	}
	return text
}
