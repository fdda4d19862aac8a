// Package rules is the first tier of the classifier: fixed words, in one pass
// over the text, in microseconds.
//
// The words stand in keywords.go: ten patterns for each type of work, each a
// few forms of one word or a phrase of two. A pattern counts once however often
// and in whatever forms it stands in the text; case does not matter, and a word
// is matched whole.
//
//   - The type is the one with the most patterns matched. On a tie the earlier
//     of bug_fix, refactor, documentation, test, deployment, feature wins: the
//     words of feature ("add", "new") say the least.
//   - Confidence: only one type matched, 0.95; several, the winner's share of
//     all matched patterns, at most 0.85; none, feature with 0.3.
//   - Complexity: any complex word makes it complex, else any simple word
//     simple; else fewer than 20 words are simple, more than 100 complex, and
//     what lies between is medium. Words are counted here as a person would,
//     by the white space between them.
package rules
