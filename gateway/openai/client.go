package openai

import (
	"net/http"
	"strings"
)

// client is what a client's parser wants of a stream that OpenAI's own does not have.
// These were made for other servers, and refuse or miss what OpenAI does differently.
type client struct {
	wholeCalls bool // each call of a tool in one piece
	usage      bool // the count of tokens without asking, beside the end of the last choice
	mistral    bool // Mistral's members in lists of models and of vectors
}

// strange says whether the client wants anything.
func (c client) strange() bool { return c.wholeCalls || c.usage }

// ofAISDK are the providers of Vercel's AI SDK that want something.
var ofAISDK = map[string]client{
	"xai":        {wholeCalls: true},
	"mistral":    {usage: true},
	"cerebras":   {usage: true},
	"deepinfra":  {usage: true},
	"perplexity": {usage: true},
	"openrouter": {usage: true},
}

// clientOf knows a client by its name.
func clientOf(header http.Header) client {
	name := header.Get("User-Agent")
	if strings.HasPrefix(name, "mistral-client-") {
		return client{wholeCalls: true, usage: true, mistral: true}
	}
	if strings.HasSuffix(name, "@openrouter/sdk") {
		return client{usage: true}
	}
	if _, rest, found := strings.Cut(name, "ai-sdk/"); found {
		provider, _, _ := strings.Cut(rest, "/")
		return ofAISDK[provider]
	}
	return client{}
}
