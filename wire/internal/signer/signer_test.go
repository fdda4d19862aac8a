package signer_test

import (
	"testing"

	"github.com/gptmesh/gptmesh/wire/internal/signer"
)

func TestSignaturesGoHome(t *testing.T) {
	t.Parallel()
	all := map[string]string{"anthropic": "sig", "gemini": signer.Gemini.Mark("sig"), "openai": signer.OpenAI.Mark("sig")}
	for name, marked := range all {
		for _, s := range []signer.Signer{signer.Gemini, signer.OpenAI} {
			if again := s.Read(s.Show(marked)); again != marked {
				t.Errorf("%s: shown as %q, read as %q", name, s.Show(marked), again)
			}
		}
		for to, own := range map[string]string{"anthropic": signer.Anthropic(marked), "gemini": signer.Gemini.Own(marked), "openai": signer.OpenAI.Own(marked)} {
			want := ""
			if to == name {
				want = "sig"
			}
			if own != want {
				t.Errorf("%s to %s: %q", name, to, own)
			}
		}
	}
	if signer.OpenAI.Show(all["openai"]) != "sig" || signer.OpenAI.Mark("") != "" || signer.OpenAI.Show("") != "" {
		t.Error("what a dialect signs itself looks as ever")
	}
}
