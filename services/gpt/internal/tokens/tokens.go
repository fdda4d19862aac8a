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
	"github.com/tiktoken-go/tokenizer"
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

// Counter counts with OpenAI's vocabularies, each loaded when first used (about
// 0.2 s and 14 MB). It is safe for concurrent use.
type Counter struct {
	mu     sync.Mutex
	codecs map[tokenizer.Encoding]tokenizer.Codec
}

// Turn counts the prompt of a turn for a model. The turn needs its typed half.
func (c *Counter) Turn(model string, turn *conversationv1.Turn) (Count, error) {
	encoding, exact := encodingOf(model)
	codec, err := c.codec(encoding)
	if err != nil {
		return Count{}, err
	}
	w := &walk{exact: exact, text: func(text string) int64 { return count(codec, text) }}
	w.turn(turn)
	return Count{Tokens: w.sum, Exact: w.exact, Tokenizer: string(encoding)}, nil
}

// Text counts a text for a model.
func (c *Counter) Text(model, text string) (Count, error) {
	encoding, exact := encodingOf(model)
	codec, err := c.codec(encoding)
	if err != nil {
		return Count{}, err
	}
	return Count{Tokens: count(codec, text), Exact: exact, Tokenizer: string(encoding)}, nil
}

func (c *Counter) codec(encoding tokenizer.Encoding) (tokenizer.Codec, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if codec := c.codecs[encoding]; codec != nil {
		return codec, nil
	}
	codec, err := tokenizer.Get(encoding)
	if err != nil {
		return nil, err
	}
	if c.codecs == nil {
		c.codecs = map[tokenizer.Encoding]tokenizer.Codec{}
	}
	c.codecs[encoding] = codec
	return codec, nil
}

// pieceBytes bounds what is given to the vocabulary at once: its work grows
// faster than the text where there is no space in it.
const pieceBytes = 4 << 10

func count(codec tokenizer.Codec, text string) (sum int64) {
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
		n, err := codec.Count(piece)
		if err != nil {
			n = int(Estimate(len(piece)))
		}
		sum, text = sum+int64(n), text[len(piece):]
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
func encodingOf(model string) (encoding tokenizer.Encoding, exact bool) {
	name := strings.ToLower(model[strings.LastIndexByte(model, '/')+1:])
	for _, family := range families {
		if strings.HasPrefix(name, family.prefix) {
			return family.encoding, true
		}
	}
	return tokenizer.O200kBase, false
}

// families are OpenAI's models by prefix, longer ones first. Source: tiktoken's
// model.py, 0.12.
var families = []struct {
	prefix   string
	encoding tokenizer.Encoding
}{
	{"gpt-4o", tokenizer.O200kBase}, {"gpt-4.1", tokenizer.O200kBase}, {"gpt-4.5", tokenizer.O200kBase},
	{"gpt-5", tokenizer.O200kBase}, {"chatgpt-4o", tokenizer.O200kBase},
	{"o1", tokenizer.O200kBase}, {"o3", tokenizer.O200kBase}, {"o4-mini", tokenizer.O200kBase},
	{"gpt-4", tokenizer.Cl100kBase}, {"gpt-3.5-turbo", tokenizer.Cl100kBase}, {"gpt-35-turbo", tokenizer.Cl100kBase},
	{"text-embedding-3-", tokenizer.Cl100kBase}, {"text-embedding-ada-002", tokenizer.Cl100kBase},
}
