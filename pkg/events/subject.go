package events

import (
	"fmt"
	"strings"
)

// Match says that subject matches pattern: "*" stands for one word, ">" at the
// end for one or more.
func Match(pattern, subject string) bool {
	for {
		if pattern == ">" {
			return subject != ""
		}
		p, restPattern, moreP := strings.Cut(pattern, ".")
		s, restSubject, moreS := strings.Cut(subject, ".")
		if s == "" || p != "*" && p != s || moreP != moreS {
			return false
		}
		if !moreP {
			return true
		}
		pattern, subject = restPattern, restSubject
	}
}

// MatchAny says that subject matches one of the patterns, or that there are
// none.
func MatchAny(patterns []string, subject string) bool {
	for _, p := range patterns {
		if Match(p, subject) {
			return true
		}
	}
	return len(patterns) == 0
}

// CheckPattern says what is wrong with a pattern.
func CheckPattern(pattern string) error {
	words := strings.Split(pattern, ".")
	for i, word := range words {
		switch {
		case word == "":
			return fmt.Errorf("%q: an empty word", pattern)
		case word == "*", word == ">" && i == len(words)-1:
		case strings.ContainsAny(word, "*> \t\r\n"):
			return fmt.Errorf("%q: \"*\" stands for a whole word, \">\" for all at the end", pattern)
		}
	}
	return nil
}
