package learn

import "math"

// Measures say how much there is to work out in a text: quantities, steps,
// options, kinds of demand. Routing heads use them: how hard a question is
// shows in its build more than in its words.

// measureKind is what a word is counted as.
type measureKind uint8

const (
	measureNone measureKind = iota
	measureNumber
	measureFraction
	measureComparison
	measureEach
	measureTime
	measureOrder
	measureCondition
	measureNegation
	// What is asked for. The rest is about these.
	measureMaths
	measureCode
	measureLogic
	measureForm
	measureCreative
	measureExplain
	measureKinds
)

var measureNames = [measureKinds]string{
	"", "number words", "fractions", "comparisons", "each", "spans of time", "order of steps", "conditions", "negations",
	"mathematics", "programming", "logic", "form of the answer", "creative writing", "explanation",
}

// measureLexicon lists words by what they are counted as.
var measureLexicon = [measureKinds]string{
	measureNumber:     "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen eighteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million billion dozen dozens pair",
	measureFraction:   "half halves third thirds quarter quarters fourth fifth sixth eighth tenth fraction percent percentage twice double doubled triple tripled thrice",
	measureComparison: "more less fewer than times longer shorter older younger larger smaller bigger taller faster slower cheaper greater difference",
	measureEach:       "each every per apiece both all",
	measureTime:       "second seconds minute minutes hour hours day days daily week weeks weekly month months monthly year years yearly annual morning afternoon evening",
	measureOrder:      "then after before first next last remaining remains left rest later until finally already total altogether combined",
	measureCondition:  "if unless assume assuming suppose given when whether only",
	measureNegation:   "not except never none neither nor false incorrect without least cannot",
	measureMaths:      "solve equation equations derivative integral probability remainder divided divisible integer integers polynomial sum product perimeter area volume triangle rectangle circle radius percent ratio average mean median calculate compute prime factor factors modulo matrix inequality theorem prove proof logarithm square root vertex diagonal angle sin cos",
	measureCode:       "code function algorithm python java javascript typescript c++ sql regex regexp regular implement program array string compile bug debug class api recursion recursive html css script query loop pointer stack queue linked sorted complexity runtime subarray refactor module modules service services migration migrations migrate architecture concurrency concurrent thread threads async database transaction deadlock race endpoint backend frontend protocol cache caching retry retries kubernetes docker compiler parser exception traceback crash crashes segfault latency throughput",
	measureLogic:      "therefore exactly must either neither opposite row next taller order arrangement puzzle riddle liar truth logic logical imply implies follow follows deduce who which whose father mother brother sister family passed overtake",
	measureForm:       "json csv yaml xml markdown table format extract count alphabetical ignoring identify classify list array return names field fields column columns",
	measureCreative:   "write rewrite story poem essay blog letter email speech slogan slogans draft compose paragraph invitation pretend imagine act role persona character voice tone style humour humor travel post catchy",
	measureExplain:    "explain describe discuss overview differences compare outline cause causes effects history suggest tips advice significance importance impact meaning introduction summary",
}

// measureTable maps the hash of a word to its kinds, one bit each.
var measureTable = buildMeasures()

func buildMeasures() map[uint64]uint16 {
	t := map[uint64]uint16{}
	for kind, words := range measureLexicon {
		from := 0
		for i := 0; i <= len(words); i++ {
			if i == len(words) || words[i] == ' ' {
				if i > from {
					t[hashBytes(words[from:i])] |= 1 << kind
				}
				from = i + 1
			}
		}
	}
	return t
}

// measured is what is counted in one text.
type measured struct {
	kinds     [measureKinds]int
	numbers   int
	decimals  int
	percents  int
	money     int
	operators int
	sentences int
	names     int // words with a capital that begin no sentence
	magnitude int // digits of the longest number
	options   int // lettered answers to choose from
	stem      int // bytes before the first of them
}

// measure counts.
func (f *features) measure(d *Document) (m measured) {
	for i := range f.scan.tokens {
		t := &f.scan.tokens[i]
		if t.zone == zoneCode {
			m.kinds[measureCode]++
			continue
		}
		if !t.plain {
			continue
		}
		if kinds := measureTable[t.hash]; kinds != 0 {
			for k := measureNumber; k < measureKinds; k++ {
				if kinds>>k&1 == 1 {
					m.kinds[k]++
				}
			}
		}
	}
	m.look(cut(d.Text, maxBody))
	return m
}

// look counts what words do not show.
func (m *measured) look(t string) {
	begins := true // a sentence
	lineStart := true
	next := byte('A')
	m.stem = len(t)
	for i := 0; i < len(t); i++ {
		c := t[i]
		if lineStart && i+2 < len(t) && c == next && (t[i+1] == '.' || t[i+1] == ')' || t[i+1] == ':') {
			if next == 'A' {
				m.stem = i
			}
			m.options++
			next++
		}
		lineStart = c == '\n'
		class := byteClass[c]
		switch {
		case class == classDigit:
			n := i
			for n < len(t) && (byteClass[t[n]] == classDigit || t[n] == ',' && n+1 < len(t) && byteClass[t[n+1]] == classDigit) {
				n++
			}
			m.numbers++
			m.magnitude = max(m.magnitude, n-i)
			if n+1 < len(t) && (t[n] == '.' || t[n] == '/') && byteClass[t[n+1]] == classDigit {
				if t[n] == '/' {
					m.kinds[measureFraction]++
				} else {
					m.decimals++
				}
				for n++; n < len(t) && byteClass[t[n]] == classDigit; n++ {
				}
			}
			if n < len(t) && t[n] == '%' {
				m.percents++
			}
			i = n - 1
			begins = false
		case class == classUpper:
			if !begins && (i == 0 || byteClass[t[i-1]] == classSpace) {
				m.names++
			}
			begins = false
		case c == '.' || c == '?' || c == '!':
			if i+1 == len(t) || byteClass[t[i+1]] == classSpace {
				m.sentences++
				begins = true
			}
		case c == '$':
			m.money++
		case c == '+' || c == '=' || c == '^' || c == '*' || c == '<' || c == '>' || c == '\\' || c == '|':
			m.operators++
		case c == '\n':
			begins = true
		case class == classLetter || class == classWide:
			begins = false
		}
	}
}

// demand is how much a text asks of a model as far as its kind of task tells:
// to calculate, to program, to conclude and to keep to a form is harder for
// small models than to write freely and to explain what is widely known. It is
// not learned: it stands in where training saw no texts of a form.
func (m *measured) demand() float64 {
	count := func(n int) float64 { return math.Log1p(float64(min(n, 8))) }
	k := &m.kinds
	return count(k[measureMaths]+m.operators) + count(k[measureCode]) + 0.7*count(k[measureLogic]+k[measureCondition]) +
		0.4*count(k[measureForm]) + 0.5*count(m.numbers+k[measureNumber]+k[measureFraction]) -
		count(k[measureCreative]) - 0.8*count(k[measureExplain])
}

// measures makes the features of FamilyMeasure.
func (f *features) measures(d *Document) {
	m := f.measure(d)
	f.demand = m.demand()
	for k := measureNumber; k < measureKinds; k++ {
		f.level(uint64(k), measureNames[k], m.kinds[k])
	}
	f.level(32, "numbers", m.numbers)
	f.level(33, "quantities", m.numbers+m.kinds[measureNumber]+m.kinds[measureFraction])
	f.level(34, "decimals", m.decimals)
	f.level(35, "percents", m.percents)
	f.level(36, "money", m.money)
	f.level(37, "operators", m.operators)
	f.level(38, "sentences", m.sentences)
	f.level(39, "names", m.names)
	f.level(40, "digits of a number", m.magnitude)
	f.level(41, "options", m.options)
	if m.options > 1 {
		f.level(42, "length of the question / 8", m.stem/8)
		f.level(43, "length of an option / 4", (len(d.Text)-m.stem)/m.options/4)
	} else {
		f.level(44, "length / 16", len(d.Text)/16)
	}
}

// level makes one feature for every step that n reaches: 1, 2, 3, 4, 6, 8, 12
// and so on.
func (f *features) level(id uint64, what string, n int) {
	for step, least := 0, 1; least <= n && step < 24; step++ {
		k := featureKey(id<<8|uint64(step), saltMeasure)
		f.add(k)
		if f.naming(k) {
			f.name(k, "%s ≥ %d", what, least)
		}
		switch {
		case least < 4:
			least++
		case least&(least-1) == 0:
			least += least / 2
		default:
			least += least / 3
		}
	}
}
