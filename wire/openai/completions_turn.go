package openai

import (
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
	"google.golang.org/protobuf/proto"
)

// ScanTurn implements wire.Codec. The prompt is one text; [SplitPrompts] makes
// bodies with one of a body with several. Token ids and best_of above 1 are
// refused as UNSUPPORTED.
func (completions) ScanTurn(body []byte) (*conversationv1.Turn, error) {
	var h promptHead
	if err := h.scan(body); err != nil {
		return nil, err
	}
	turn, err := h.turn()
	if err != nil {
		return nil, err
	}
	turn.AcceptWire = completionsWire
	turn.Raw = &conversationv1.RawTurn{Wire: completionsWire, Body: body}
	return turn, nil
}

// SplitPrompts makes of a client's body one body for each of its prompts, and
// tells the prompts. A body with one text stays as it is. More than limit are an
// INVALID_FIELD that names prompt.
func SplitPrompts(body []byte, limit int) (bodies [][]byte, prompts []string, err error) {
	var h promptHead
	if err := h.scan(body); err != nil {
		return nil, nil, err
	}
	if !h.given(ofPrompt) {
		return nil, nil, fault.InvalidField("prompt", "is required")
	}
	texts, err := h.prompts(limit)
	if err != nil {
		return nil, nil, err
	}
	for _, text := range texts {
		prompt, err := text.String()
		if err != nil {
			return nil, nil, err
		}
		one := body
		if len(texts) > 1 {
			if one, err = jsonscan.Splice(nil, body, jsonscan.Edit{At: h.members[ofPrompt], Value: text.Raw(body)}); err != nil {
				return nil, nil, fault.Internal(err)
			}
		}
		bodies, prompts = append(bodies, one), append(prompts, prompt)
	}
	return bodies, prompts, nil
}

// TakeEcho takes echo out of a client's body and says whether it was true:
// whoever encodes the answer can put the prompt before it, whatever the provider
// knows. With logprobs it is UNSUPPORTED, since no chat model tells those of
// a prompt.
func TakeEcho(body []byte) (rest []byte, echo bool, err error) {
	var h promptHead
	if err := h.scan(body); err != nil {
		return nil, false, err
	}
	if !h.members[ofEcho].Present() {
		return body, false, nil
	}
	if h.given(ofEcho) {
		if echo, err = h.at(ofEcho).Truth(); err != nil {
			return nil, false, err
		}
	}
	if echo && h.given(ofLogprobs) {
		return nil, false, jsonbody.Unsupported("echo", "log probabilities of the prompt are not told; leave out logprobs or echo")
	}
	if rest, err = jsonscan.Splice(nil, body, jsonscan.Edit{At: h.members[ofEcho]}); err != nil {
		return nil, false, fault.Internal(err)
	}
	return rest, echo, nil
}

// DecodeTurn implements wire.Codec. The prompt is one user message. It is a raw
// prompt, which no chat template wraps, unless it has a suffix: models fill gaps
// with a template of their own. An empty suffix is none. extra_wire is always
// set.
func (completions) DecodeTurn(body []byte) (*conversationv1.Turn, error) {
	d := promptDecoder{}
	if err := d.scan(body); err != nil {
		return nil, err
	}
	turn, err := d.turn()
	if err != nil {
		return nil, err
	}
	d.out, turn.ExtraWire = turn, completionsWire
	prompt, err := d.prompt()
	if err != nil {
		return nil, err
	}
	turn.Messages = []*conversationv1.Message{{
		Role: conversationv1.Role_ROLE_USER, Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: prompt}}},
	}}
	if d.given(ofSuffix) {
		suffix, err := d.at(ofSuffix).String()
		if err != nil {
			return nil, err
		}
		if suffix != "" {
			turn.Suffix = &suffix
		}
	}
	turn.RawPrompt = turn.Suffix == nil
	if err := d.sampling(); err != nil {
		return nil, err
	}
	return turn, d.keepRest()
}

// promptDecoder decodes one body.
type promptDecoder struct {
	promptHead
	out *conversationv1.Turn
	// kept are known members with a value that no field holds.
	kept [promptMembers]bool
}

func (d *promptDecoder) sampling() error {
	// What chat completions have too is read as there.
	same := turnDecoder{out: d.out}
	same.body = d.body
	for _, pair := range [...][2]int{
		{atTemperature, ofTemperature}, {atTopP, ofTopP}, {atPresencePenalty, ofPresencePenalty}, {atFrequencyPenalty, ofFrequencyPenalty},
		{atTopK, ofTopK}, {atMinP, ofMinP}, {atRepeatPenalty, ofRepeatPenalty}, {atSeed, ofSeed}, {atN, ofN}, {atStop, ofStop},
		{atLogitBias, ofLogitBias},
	} {
		same.members[pair[0]] = d.members[pair[1]]
	}
	if err := same.decodeSampling(); err != nil {
		return err
	}
	for _, pair := range [...][2]int{{atTopK, ofTopK}, {atMinP, ofMinP}, {atRepeatPenalty, ofRepeatPenalty}, {atSeed, ofSeed}} {
		d.kept[pair[1]] = same.kept[pair[0]]
	}
	if !d.given(ofLogprobs) {
		return nil
	}
	n, err := d.at(ofLogprobs).Integer()
	if err != nil {
		return err
	}
	if d.out.Sampling == nil {
		d.out.Sampling = &conversationv1.Sampling{}
	}
	d.out.Sampling.Logprobs, d.out.Sampling.TopLogprobs = true, proto.Int32(int32(n))
	return nil
}

// keepRest gathers the members that no field holds.
func (d *promptDecoder) keepRest() error {
	var out jsonbody.Extra
	err := jsonbody.Bracketed(d.body).Members(func(_ string, m *jsonbody.Value) error {
		for i := range d.members {
			if d.members[i].Present() && d.members[i].Key.Start == m.Key.Start {
				if d.kept[i] || (i == ofStreamOptions || i == ofEcho || i == ofBestOf) && !m.IsNull() {
					out.Add(m)
				}
				return nil
			}
		}
		out.Add(m)
		return nil
	})
	d.out.ExtraJson = out.Object()
	return err
}
