package main

import (
	"math/rand/v2"
	"strings"
	"sync"
)

// words are of several lengths and scripts, as JSON's strings have them.
const words = `the of and to in is that for it as was with be by on not he this are or his from at which but have an had they you were
there one all we can her has been if more when will would who so no answer question model token context stream window function returns
because however therefore between different example number system server request response memory performance consider following
important understand implementation approximately configuration für größer naïve café 世界 数据 система — … 3.14 2,048 100% x=1 a[i]
\"quoted\" it's don't \\n` + "`code`" + ` **bold** end.\n\n and,\n so: (maybe) and/or first, second; third. fourth? fifth! func(x) if{} return`

// ring is prose that goes round: in the order of chance, the first words more often than
// the last, the same in each process.
var ring = sync.OnceValue(func() string {
	list, chance := strings.Fields(words), rand.New(rand.NewPCG(1, 2))
	var b strings.Builder
	for b.Len() < 1<<18 {
		f := chance.Float64()
		b.WriteString(list[int(f*f*float64(len(list)))])
		b.WriteByte(' ')
	}
	return b.String()
})

// prose is n bytes of text that stands in JSON's strings as it is, another one for each
// place of it that is asked for.
func prose(place, n int) string {
	text := ring()
	at := place % (len(text) / 2)
	at += strings.IndexByte(text[at:], ' ') + 1
	if n > len(text)/2 {
		text = strings.Repeat(text, 1+2*n/len(text))
	}
	text = text[at : at+n]
	end := strings.LastIndexByte(text, ' ') + 1
	return text[:end] + strings.Repeat(".", n-end)
}
