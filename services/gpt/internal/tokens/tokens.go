// Package tokens counts the tokens of turns and texts without a network.
//
// OpenAI's vocabularies are in the binary and give exact counts of text for its
// models. For all others o200k_base gives an estimate, usually within 20 %. What
// stands around messages and tools differs by provider and is counted by OpenAI's
// published rule. A picture counts ImageTokens, whatever its size, since its
// true cost depends on the model and on pixels that may be elsewhere.
package tokens

import (
	"strings"
	"sync"
	"unicode/utf8"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// The flat counts. Sources: OpenAI's cookbook "How to count tokens with
// tiktoken" (messages, tools) and OpenAI's vision guide for a high-detail
// picture of 1024×1024 (images).
const (
	// PerMessage is what each message costs beside its text.
	PerMessage = 3
	// PerName is what a message's name costs beside its text.
	PerName = 1
	// PerAnswer is what the beginning of the answer costs.
	PerAnswer = 3
	// PerTool is what each tool costs beside its texts.
	PerTool = 7
	// ImageTokens is a picture; LowImageTokens one of low detail.
	ImageTokens, LowImageTokens = 765, 85
	// FileTokens is a document whose text is not at hand.
	FileTokens = 1500
)

// Count is a number of tokens and how far it can be trusted.
type Count struct {
	// Tokens is the number.
	Tokens int64
	// Exact says that the model's own vocabulary was used for every part.
	Exact bool
	// Tokenizer names the vocabulary.
	Tokenizer string
}

// Counter counts with OpenAI's vocabularies, each loaded when first used. It is
// safe for concurrent use.
type Counter struct {
	mu        sync.Mutex
	encodings map[string]*encoding
}

// Turn counts the prompt of a turn for a model. The turn needs its typed half.
func (c *Counter) Turn(model string, turn *conversationv1.Turn) (Count, error) {
	name, exact := encodingOf(model)
	encoding, err := c.encoding(name)
	if err != nil {
		return Count{}, err
	}
	w := &walk{exact: exact, text: func(text string) int64 { return count(encoding, text) }}
	w.turn(turn)
	return Count{Tokens: w.sum, Exact: w.exact, Tokenizer: name}, nil
}

// Text counts a text for a model.
func (c *Counter) Text(model, text string) (Count, error) {
	name, exact := encodingOf(model)
	encoding, err := c.encoding(name)
	if err != nil {
		return Count{}, err
	}
	return Count{Tokens: count(encoding, text), Exact: exact, Tokenizer: name}, nil
}

func (c *Counter) encoding(name string) (*encoding, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.encodings[name]; e != nil {
		return e, nil
	}
	e, err := load(name)
	if err != nil {
		return nil, err
	}
	if c.encodings == nil {
		c.encodings = map[string]*encoding{}
	}
	c.encodings[name] = e
	return e, nil
}

// pieceBytes bounds what is given to the vocabulary at once: its work grows
// faster than the text where there is no space in it.
const pieceBytes = 4 << 10

func count(e *encoding, text string) (sum int64) {
	for len(text) > 0 {
		piece := text
		if len(piece) > pieceBytes {
			cut := strings.LastIndexByte(text[:pieceBytes], ' ')
			if cut <= 0 {
				for cut = pieceBytes; cut > 0 && !utf8.RuneStart(text[cut]); cut-- {
				}
				if cut == 0 {
					cut = pieceBytes // not UTF-8: any place is as good
				}
			}
			piece = text[:cut]
		}
		sum, text = sum+int64(e.counted.of(piece, e.count)), text[len(piece):]
	}
	return sum
}

// Estimate is a cheap guess for a text of so many bytes: a quarter of them.
func Estimate(bytes int) int64 { return (int64(bytes) + 3) / 4 }

// EstimateTurn is a cheap guess for the prompt of a turn, from whichever half
// is there.
func EstimateTurn(turn *conversationv1.Turn) int64 {
	if raw := turn.GetRaw(); raw != nil {
		return max(Estimate(len(raw.GetBody())), 1)
	}
	w := &walk{text: func(text string) int64 { return Estimate(len(text)) }}
	w.turn(turn)
	return max(w.sum, 1)
}

// encodingOf finds a model's vocabulary, and whether it is its own. Names may
// stand behind a provider's ("openai/gpt-4o").
func encodingOf(model string) (encoding string, exact bool) {
	name := strings.ToLower(model[strings.LastIndexByte(model, '/')+1:])
	for _, family := range families {
		if strings.HasPrefix(name, family.prefix) {
			return family.encoding, true
		}
	}
	return o200kBase, false
}

// families are OpenAI's models by prefix, longer ones first. Source: tiktoken's
// model.py, 0.12.
var families = []struct {
	prefix   string
	encoding string
}{
	{"gpt-4o", o200kBase}, {"gpt-4.1", o200kBase}, {"gpt-4.5", o200kBase},
	{"gpt-5", o200kBase}, {"chatgpt-4o", o200kBase},
	{"o1", o200kBase}, {"o3", o200kBase}, {"o4-mini", o200kBase},
	{"gpt-4", cl100kBase}, {"gpt-3.5-turbo", cl100kBase}, {"gpt-35-turbo", cl100kBase},
	{"text-embedding-3-", cl100kBase}, {"text-embedding-ada-002", cl100kBase},
}
