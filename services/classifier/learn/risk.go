package learn

import "strings"

// riskLexicon lists words by the part that they play where somebody tries to
// take a model over. A windowed head learns which kinds near each other are a
// sign of it; one kind alone is in ordinary texts everywhere.
var riskLexicon = []struct {
	name  string
	words string
}{
	{"override", "ignore ignoring ignored disregard disregarding forget forgetting forgotten override overriding overrule bypass bypassing neglect discard dismiss erase void abandon circumvent supersede supersedes unlearn ignora ignorez ignoriere vergiss olvida oublie dimentica"},
	{"prior", "previous previously prior above earlier preceding before foregoing past existing original initial old former so far given received got learned anteriores vorherigen vorigen précédentes"},
	{"all", "all any every everything anything each entire whole"},
	{"orders", "instruction instructions directive directives rule rules guideline guidelines prompt prompts command commands order orders constraint constraints restriction restrictions programming protocols programmed safeguards safeguard filters guardrails guardrail boundaries instrucciones anweisungen regeln"},
	{"your", "your yours you yourself youre tu tus deine ihre"},
	{"reveal", "reveal print show repeat display output leak disclose expose tell share recite dump echo reproduce spell translate encode write"},
	{"secret", "password passwords secret secrets key keys credentials credential token tokens passphrase confidential hidden private env"},
	{"system", "system preprompt preamble developer"},
	{"pretend", "pretend pretending act acting roleplay role simulate simulation imagine persona character become impersonate behave called named play hypothetical fictional"},
	{"unbound", "unrestricted unfiltered uncensored unlimited jailbreak jailbroken dan amoral unethical limitless unbound unhinged freed liberated boundless lawless stan dude aim evil"},
	{"without", "no without not free dont doesnt cannot cant never ignores refuses refuse refusing decline deny denying"},
	{"mode", "mode enabled activated unlocked debug god sudo admin root maintenance override unlock enable"},
	{"ethics", "ethical ethics moral morals morality legal legality safety policy policies illegal harmful censorship censor censored disclaimer disclaimers warning warnings limitations limits restricted content openais"},
	{"must", "always must should will shall required comply obey obeys"},
	{"insert", "include insert add append embed incorporate inject place put attach integrate implement"},
	{"code", "code snippet script function functions snippets scripts payload program programs import module"},
	{"answer", "response responses answer answers reply replies respond output outputs generate generated"},
	{"exfiltrate", "send post upload transmit forward exfiltrate curl wget fetch webhook email leak request requests socket"},
	{"ai", "ai assistant model chatgpt gpt gpt4 llm bot chatbot claude gemini agent copilot openai anthropic llama"},
	{"instead", "instead stop now new henceforth onwards onward following real actual"},
	{"from", "from on until end beginning start begin"},
	{"user", "user users human humans developer developers operator"},
	{"hide", "secretly silently quietly mention telling notify notice noticing aware inform hide conceal discreetly unnoticed"},
	{"destroy", "delete rm drop wipe destroy format disable shutdown kill encrypt overwrite truncate"},
}

// riskTable maps the hash of a word to its kind. It is made once and only
// read.
var riskTable = buildRisks()

func buildRisks() *[1 << 11]cueEntry {
	t := new([1 << 11]cueEntry)
	for i, c := range riskLexicon {
		for _, word := range strings.Fields(c.words) {
			h := uint64(hashSeed)
			for _, r := range word {
				h = (h ^ uint64(plainLetter(r))) * hashPrime
			}
			at := h * hashMul >> 53
			for t[at].hash != 0 && t[at].hash != h {
				at = (at + 1) & (1<<11 - 1)
			}
			if t[at].hash == 0 {
				t[at] = cueEntry{h, uint8(i + 1)}
			}
		}
	}
	return t
}
