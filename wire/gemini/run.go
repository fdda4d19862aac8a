package gemini

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/internal/alike"
)

// run knows the chunks that add to a text and differ from the last one in that and in
// their counts alone, as most do.
type run struct {
	twin    alike.Mould // the last chunk, where it was such a one
	like    alike.Texts // of those that were like it
	lessons int         // how often one was kept since another was like it
	choice  int32       // whose text the twin adds to
	counts  [5]int      // holes of the twin that the counts of the tally stand in; -1 for none

	// Of the chunk that is read.
	candidates, parts int
	odd               bool // it says more than a text
	text              jsonscan.Member
	index             int32
}

// forget is the zero value with the same memory.
func (r *run) forget() {
	r.twin.Forget()
	r.like.Forget()
	*r = run{twin: r.twin, like: r.like}
}

// decode appends the events of the chunks at the beginning of data that are alike, takes
// the counts of the last, and returns the rest.
func (r *run) decode(dst []*conversationv1.Event, data []byte, p *progress) ([]*conversationv1.Event, []byte) {
	if !r.twin.Known {
		return dst, data
	}
	count := 0
	if dst, data, count = r.like.Decode(dst, &r.twin, r.choice, data); count == 0 {
		return dst, data
	}
	r.lessons = 0
	for i, hole := range r.counts {
		if hole >= 0 && p.tally.set(i, r.twin.Number(hole)) {
			p.counted = true
		}
	}
	return dst, data
}

// begin begins a chunk that is to be read.
func (r *run) begin() {
	r.twin.Known, r.candidates, r.parts, r.odd, r.text = false, 0, 0, false, jsonscan.Member{}
}

func (r *run) candidate(index int32, odd bool) {
	r.candidates++
	r.index, r.odd = index, r.odd || odd
}

func (r *run) part(text jsonscan.Member, odd bool) {
	r.parts++
	r.text, r.odd = text, r.odd || odd
}

// dataLead is what stands before the data of an event that is kept.
const dataLead = "data: "

// learn keeps the chunk that was read, where it added to one text and did nothing else.
func (r *run) learn(event wire.ServerEvent, p *progress) {
	if r.candidates != 1 || r.parts != 1 || r.odd || r.text.Kind != jsonscan.String || r.lessons >= alike.MaxLessons ||
		len(event.Raw) < len(dataLead)+len(event.Data) || string(event.Raw[:len(dataLead)]) != dataLead || &event.Raw[len(dataLead)] != &event.Data[0] {
		return
	}
	var room [alike.MaxHoles]alike.Hole
	holes := append(room[:0], alike.Hole{Kind: alike.Text, Start: r.text.Value.Start + 1, End: r.text.Value.End - 1})
	for i := range r.counts {
		r.counts[i] = -1
	}
	if usage := p.at[atUsage]; usage.Kind == jsonscan.Object {
		if usage.Value.Start < holes[0].Start {
			return // not how the API orders it
		}
		if holes = numbers(holes, event.Data, usage); len(holes) > alike.MaxHoles {
			return
		}
		for i, m := range p.tally.at {
			for j, hole := range holes {
				if m.Kind == jsonscan.Number && hole.Start == m.Value.Start {
					r.counts[i] = j
				}
			}
		}
	}
	for i := range holes {
		holes[i].Start += len(dataLead)
		holes[i].End += len(dataLead)
	}
	r.lessons++
	r.choice = r.index
	r.twin.Learn(event.Raw, holes)
}

// numbers appends a hole for each number within an object.
func numbers(holes []alike.Hole, data []byte, object jsonscan.Member) []alike.Hole {
	for at := object.Value.Start; at < object.Value.End && len(holes) <= alike.MaxHoles; at++ {
		switch c := data[at]; {
		case c == '"':
			for at++; data[at] != '"'; at++ {
				if data[at] == '\\' {
					at++
				}
			}
		case c == '-' || c >= '0' && c <= '9':
			start := at
			for at < object.Value.End && isNumber(data[at]) {
				at++
			}
			holes = append(holes, alike.Hole{Kind: alike.Number, Start: start, End: at})
			at--
		}
	}
	return holes
}

func isNumber(c byte) bool {
	return c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E'
}
