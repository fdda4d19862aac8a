package openai

import (
	"net/http"
	"strings"
)

// client is what a client's parser wants of a stream that OpenAI's own does not have.
// These were made for other servers, and refuse or miss what OpenAI does differently.
type client struct {
	wholeCalls     bool // each call of a tool in one piece
	usage          bool // the count of tokens without asking, beside the end of the last choice
	groqUsage      bool // the same, in x_groq
	reasoning      bool // thoughts in "reasoning"
	wholeReasoning bool // the same, where the answer is whole
	openRouter     bool // OpenRouter's members in streams and lists of models, and its errors
	mistral        bool // Mistral's members in lists of models and of vectors
}

// strange says whether the client wants anything of a stream.
func (c client) strange() bool { return c.wholeCalls || c.usage || c.groqUsage || c.reasoning }

// ofAISDK are the providers of Vercel's AI SDK that want something.
var ofAISDK = map[string]client{
	"xai":        {wholeCalls: true},
	"mistral":    {usage: true},
	"cerebras":   {usage: true},
	"deepinfra":  {usage: true},
	"perplexity": {usage: true},
	"groq":       {groqUsage: true, reasoning: true},
	"openrouter": openRouter,
}

var openRouter = client{usage: true, reasoning: true, openRouter: true}

// byPrefix are libraries whose names stand first.
var byPrefix = []struct {
	prefix string
	client client
}{
	{"mistral-client-", client{wholeCalls: true, usage: true, mistral: true}},
	{"Groq/", client{groqUsage: true, reasoning: true}},
	{"AsyncGroq/", client{groqUsage: true, reasoning: true}},
	{"Together/", client{reasoning: true}},
	{"AsyncTogether/", client{reasoning: true}},
	{"Cerebras/", client{reasoning: true}},
	{"AsyncCerebras/", client{reasoning: true}},
	{"Agents/JavaScript ", client{reasoning: true}}, // OpenAI's Agents SDK
}

// clientOf knows a client by its name.
func clientOf(header http.Header) client {
	name := header.Get("User-Agent")
	for _, known := range byPrefix {
		if strings.HasPrefix(name, known.prefix) {
			return known.client
		}
	}
	if strings.HasSuffix(name, "@openrouter/sdk") {
		return openRouter
	}
	if !strings.Contains(name, "ai-sdk") {
		return client{}
	}
	for field := range strings.FieldsSeq(name) {
		// "ai-sdk/groq/3.0.71", and "ai-sdk-groq/4.0.84" since version 7.
		if rest, found := strings.CutPrefix(field, "ai-sdk"); found && rest != "" {
			provider, _, _ := strings.Cut(rest[1:], "/")
			if known, found := ofAISDK[provider]; found {
				return known
			}
		}
	}
	// What asks for whole answers does not name its provider.
	return client{wholeReasoning: strings.HasPrefix(name, "ai/")}
}
