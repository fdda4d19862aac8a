package gemini

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

var (
	logprobsKeys = jsonscan.NewKeys("chosenCandidates", "topCandidates")
	topKeys      = jsonscan.NewKeys("candidates")
	tokenKeys    = jsonscan.NewKeys("token", "logProbability")
)

// readLogprobs reads logprobsResult. What is not of the known form is passed
// over.
func readLogprobs(data []byte, m jsonscan.Member) []*conversationv1.TokenLogprob {
	if m.Kind != jsonscan.Object {
		return nil
	}
	var at [2]jsonscan.Member
	if _, err := jsonscan.ScanObject(data, m.Value, logprobsKeys, at[:0]); err != nil {
		return nil
	}
	tokens := readTokens(data, at[0])
	if at[1].Kind != jsonscan.Array {
		return tokens
	}
	i := 0
	// The data was scanned: what can fail is the form of a token alone.
	_ = jsonscan.ForEachElement(data, at[1].Value, func(m jsonscan.Member) bool {
		var top [1]jsonscan.Member
		if i < len(tokens) && m.Kind == jsonscan.Object {
			if _, err := jsonscan.ScanObject(data, m.Value, topKeys, top[:0]); err == nil {
				tokens[i].Top = readTokens(data, top[0])
			}
		}
		i++
		return i < len(tokens)
	})
	return tokens
}

func readTokens(data []byte, m jsonscan.Member) (tokens []*conversationv1.TokenLogprob) {
	if m.Kind != jsonscan.Array {
		return nil
	}
	_ = jsonscan.ForEachElement(data, m.Value, func(m jsonscan.Member) bool {
		if m.Kind != jsonscan.Object {
			return true
		}
		var at [2]jsonscan.Member
		if _, err := jsonscan.ScanObject(data, m.Value, tokenKeys, at[:0]); err != nil {
			return true
		}
		token := &conversationv1.TokenLogprob{Token: jsonbody.Text(at[0], data)}
		if p, err := at[1].Float64(data); err == nil {
			token.Logprob = p
		}
		tokens = append(tokens, token)
		return true
	})
	return tokens
}

func writeLogprobs(w *jsonbody.Writer, tokens []*conversationv1.TokenLogprob) {
	if len(tokens) == 0 {
		return
	}
	w.Key("logprobsResult")
	w.Open('{')
	w.Key("topCandidates")
	w.Open('[')
	for _, token := range tokens {
		w.Open('{')
		w.Key("candidates")
		writeTokens(w, token.GetTop())
		w.Close('}')
	}
	w.Close(']')
	w.Key("chosenCandidates")
	writeTokens(w, tokens)
	w.Close('}')
}

func writeTokens(w *jsonbody.Writer, tokens []*conversationv1.TokenLogprob) {
	w.Open('[')
	for _, token := range tokens {
		w.Open('{')
		w.StrField("token", token.GetToken())
		w.FloatField("logProbability", token.GetLogprob())
		w.Close('}')
	}
	w.Close(']')
}
