// Package signer marks who signed a thought. A signature is opaque and good for
// its own provider alone: another one refuses the whole turn over it. So where
// it is read it gets a mark, which stays on it in the typed half and in what
// clients of other dialects see and send back, and comes off where it goes to
// its provider. Anthropic's, which Bedrock shares, have none.
package signer

import "strings"

// Signer is who signed, by the mark.
type Signer string

// The signers with a mark. All marks begin alike.
const (
	Gemini Signer = prefix + "gemini."
	OpenAI Signer = prefix + "openai."

	prefix = "gptmesh."
)

// mark of what is Anthropic's, where a dialect's own signatures have no mark.
const anthropic = prefix + "anthropic."

// Mark is a signature of s's as the typed half has it.
func (s Signer) Mark(signature string) string {
	if signature == "" {
		return ""
	}
	return string(s) + signature
}

// Own is the signature itself where s signed it, else "".
func (s Signer) Own(marked string) string {
	own, ok := strings.CutPrefix(marked, string(s))
	if !ok {
		return ""
	}
	return own
}

// Anthropic is the signature where Anthropic signed it, else "".
func Anthropic(marked string) string {
	if strings.HasPrefix(marked, prefix) {
		return ""
	}
	return marked
}

// Show is a signature as clients of s's own dialect see it: s's own as they
// are, all others with a mark.
func (s Signer) Show(marked string) string {
	switch own := s.Own(marked); {
	case own != "":
		return own
	case marked == "" || strings.HasPrefix(marked, prefix):
		return marked
	}
	return anthropic + marked
}

// Read is the signature as the typed half has it, of what Show showed or s's
// provider sent.
func (s Signer) Read(shown string) string {
	if signature, ok := strings.CutPrefix(shown, anthropic); ok {
		return signature
	}
	if strings.HasPrefix(shown, prefix) {
		return shown
	}
	return s.Mark(shown)
}

// Foreign is how every mark but Anthropic's begins within JSON.
const Foreign = `"` + prefix
