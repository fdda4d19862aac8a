package learn

import "strings"

// cueLexicon lists words and phrases by what they are a sign of. A phrase is
// words joined by one space, at most three.
var cueLexicon = []struct {
	name    string
	phrases string
}{
	{"failure", "error errors exception exceptions crash crashes crashed crashing fail fails failed failing failure failures bug bugs buggy broken breaks broke traceback stacktrace segfault panic panics leak leaks freeze freezes frozen hang hangs stuck corrupt corrupted deadlock regression"},
	{"wrong", "wrong wrongly incorrect incorrectly unexpected unexpectedly invalid missing mismatch inconsistent flickering glitch"},
	{"not_working", "not work|not working|doesn't work|does not work|don't work|didn't work|no longer|stopped working|stops working|won't work|not able|unable|cannot|can't|not found|not shown|not showing|not displayed|doesn't|didn't|won't"},
	{"repro", "reproduce|steps to reproduce|repro|reproduction|actual behavior|actual behaviour|expected behavior|expected behaviour|actual result|expected result|minimal example|to reproduce"},
	{"wish", "feature feature_request request support add adding allow allows enable introduce provide implement implementation proposal propose suggestion suggest enhancement enhance improve improvement option ability configurable customize"},
	{"polite_wish", "would be|would be nice|would like|would love|it would|please add|could we|should be able|nice to|be great|be useful|be helpful|feature request|instead of|use case|i want|we want|we could|wish"},
	{"question", "how what why which where when who"},
	{"asking", "how to|how do|how can|how does|is it|is it possible|is there|are there|can i|can you|can we|do i|should i|any way|what is|what are|what's|why does|why is|any idea|any ideas|question|questions|wondering|wonder|understand|confused|explain|clarify|anyone|possible to|help me|please help|i'm trying|i am trying|trying to|how should"},
	{"documentation", "documentation docs doc readme tutorial guide example examples typo comment comments docstring changelog"},
	{"test", "test tests testing coverage unittest mock fixture assert benchmark"},
	{"refactor", "refactor refactoring cleanup simplify rename extract deduplicate restructure reorganize modernize rewrite migrate migration move"},
	{"deploy", "deploy deployment release rollout docker kubernetes helm ci pipeline publish staging production terraform"},
	{"environment", "version versions os platform windows linux macos ubuntu browser chrome firefox gpu cuda"},
	{"regressed", "after updating|after update|after upgrading|since version|since update|used to|worked in|works in|previous version|latest version|after the update|upgrade|upgraded"},
	{"quantity", "how many|how much|total|difference|sum|product|average|percent|percentage|ratio|rate|twice|half|each|per|remaining|altogether"},
	{"proof", "prove proof theorem lemma integral derivative matrix polynomial isomorphic homomorphism eigenvalue probability finite converges continuous"},
	{"exclusion", "except|not true|not a|is not|least likely|incorrect|false|none of|all of|statement 1|statement i"},
	{"recall", "which of|of the following|the following|known as|refers to|is called|defined as|the term"},
	{"reasoning", "calculate compute determine derive estimate solve evaluate suppose assume given if then therefore because implies"},
	{"sequence", "first then next after finally before later step steps"},
	{"override", "ignore|disregard|forget|override|bypass|previous instructions|above instructions|all instructions|prior instructions|system prompt|your instructions|your rules|the rules|no restrictions|without restrictions|unrestricted|unfiltered|uncensored"},
	{"persona", "pretend|pretend to|act as|roleplay|role play|you are now|developer mode|jailbreak|jailbroken|do anything|dan|persona|from now on|stay in character"},
	{"secrets", "reveal|secret|secrets|password|passwords|api key|credentials|exfiltrate|repeat the|print the|initial prompt|hidden"},
	{"greeting", "hi|hello|hey|dear|thanks|thank you|thanks in advance|in advance|please help|help me|regards|cheers|appreciate|appreciated|kindly|sir"},
	{"own_attempt", "my|i'm|i am|i've|i have|i tried|tried|my code|my project|my app|my model|my computer|i use|i'm using|i am using|i don't know|i need|newbie|beginner|i'm new|new to|not sure|stackoverflow|stack overflow|any help|solution|tutorial"},
	{"happens", "nothing happens|happens|occurs|occurred|appears|shows|throws|thrown|returns|raises|results in|leads to|causes|caused by|when i|after i|once i|observed|notice|noticed|sometimes|randomly|always|gets|gone|disappears|ignored"},
	{"should_be", "should be|should not|shouldn't|should have|supposed to|expected|instead|but it|but the|rather than|even though|even if|although|regardless"},
	{"verb_defect", "crash crashes segfault abort aborts overflow overflows underflow mismatch misaligned broken duplicate duplicated truncated wrong incorrect flickers freezes slow hangs race leak leaks nan null undefined"},
	{"verb_wish", "add allow support enable implement introduce expose provide extend improve consider make option ability api setting customizable proposal rfc idea feature enhancement remove deprecate replace"},
	{"command", "write create make build generate implement design develop convert translate summarize list give show tell"},
}

// cueTable maps the hash of a phrase to the number of its entry in
// cueLexicon. It is made once and only read.
var cueTable = buildCues()

type cueEntry struct {
	hash uint64
	cue  uint8
}

// cueMask bounds cueTable; its length is a power of two at least four times
// the number of phrases, so that most look-ups of ordinary words end at once.
const cueMask = 1<<11 - 1

func buildCues() *[cueMask + 1]cueEntry {
	t := new([cueMask + 1]cueEntry)
	for i, c := range cueLexicon {
		split := func(r rune) bool { return r == ' ' }
		if strings.Contains(c.phrases, "|") {
			split = func(r rune) bool { return r == '|' }
		}
		for _, p := range strings.FieldsFunc(c.phrases, split) {
			var h uint64
			for j, w := range strings.Fields(p) {
				if j == 0 {
					h = hashBytes(w)
				} else {
					h = mix(h, hashBytes(w))
				}
			}
			at := h * hashMul >> 53 & cueMask
			for t[at].hash != 0 && t[at].hash != h {
				at = (at + 1) & cueMask
			}
			if t[at].hash == 0 {
				t[at] = cueEntry{h, uint8(i + 1)}
			}
		}
	}
	return t
}

// cueOf returns the number of the cue that a phrase belongs to, from 1, or 0.
func cueOf(h uint64) uint8 {
	for at := h * hashMul >> 53 & cueMask; ; at = (at + 1) & cueMask {
		e := &cueTable[at]
		if e.hash == h {
			return e.cue
		}
		if e.hash == 0 {
			return 0
		}
	}
}
